"""Which tables of a folder belong together: a stage that ran again leaves the tables after it behind.

The report shows the tables up to the newest `curated`, and of the later ones only those that were made from it. A note
names each table that is left out, why, and the job that brings it up to date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.core.amounts import are, counted
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.recipes import differences
from curation.core.seeds import with_fingerprints
from curation.matching.parts import MatchesTables
from curation.shards.origin import Origin

Parts = dict[str, list[Part]]


@dataclass(frozen=True)
class Belonging:
    """The parts, by stage, that belong together, and a note on each table that is left out.

    `lists` are the download lists if some downloads were made from other lists: then only the lists' images count.
    """

    parts: Parts
    notes: tuple[str, ...] = ()
    lists: Part | None = None


def sort_out(parts: Mapping[str, list[Part]], matches: MatchesTables, lists: Sequence[Part]) -> Belonging:
    """Return the parts that belong together; raises HeadtailError if `curated` was made from other matches.

    `parts` are those of a `RunTables`, by stage; `lists` are the parts of the table of download lists.
    """
    kept, notes = dict(parts), list[str]()
    (curated,) = parts["balance_pairs"][-1:]
    made_from = {entry["id"] for entry in curated.inputs()}
    if made_from and made_from != set(matches.ids()):
        raise HeadtailError(
            f"{curated.path} was balanced from other matches than {matches.parts[0].path}: run balance_pairs again, or "
            "give matches and more_matches as it had them"
        )
    matched = {entry["id"] for part in matches.parts for entry in part.inputs()}
    kept["extract_pairs"] = [part for part in parts["extract_pairs"] if part.id in matched]
    if unmatched := len(parts["extract_pairs"]) - len(kept["extract_pairs"]):
        notes.append(
            f"{counted(unmatched, 'parts')} of pairs {are(unmatched)} not matched yet, and not shown: run match_pairs"
        )
    if parts["thresholds"][-1].id != curated.id:
        kept["thresholds"] = []
        notes.append("The thresholds are of another balance than the images kept, and not shown: run balance_pairs")
    if not lists:
        return Belonging(kept, tuple(notes))
    listed = lists[-1]
    if curated.id not in {entry["id"] for entry in listed.inputs()}:
        kept["download_images"], kept["write_shards"] = [], []
        if parts["download_images"]:
            notes.append(
                f"Downloads and shards are of another balance{_changes(listed, curated)}, and not shown: "
                "run download_images and write_shards"
            )
        return Belonging(kept, tuple(notes))
    own = [part for part in parts["download_images"] if part.inputs()[0]["id"] == listed.id]
    if parts["download_images"] and not any(part.manifest.get("complete") for part in own):
        notes.append("Not all images that were kept have been tried yet: run download_images")
    mixed = len(own) < len(parts["download_images"])
    notes += _sort_out_shards(kept, listed)
    return Belonging(kept, tuple(notes), listed if mixed else None)


def _sort_out_shards(kept: Parts, listed: Part) -> list[str]:
    """Leave out shards that other lists or downloads made; return the note on them."""
    now = {part.outcome()["id"] for part in kept["download_images"]}
    for part in kept["write_shards"]:
        lists, *downloads = [entry["id"] for entry in part.inputs()]
        if lists == listed.id and set(downloads) == now:
            continue
        before = Origin.of_set(part, listed, kept["download_images"])
        changes = before.changes(Origin.of_tables(listed, kept["download_images"])) if before else []
        reason = f" ({'; '.join(changes)})" if changes else ""
        kept["write_shards"] = []
        made = "another balance" if lists != listed.id else "earlier downloads"
        return [f"The shards are of {made}{reason}, and not shown: run write_shards"]
    return []


def _changes(lists: Part, curated: Part) -> str:
    before = {name: value for name, value in lists.manifest["balance"].items() if name != "solved_t"}
    same = {"stage": "balance_pairs", "logic_version": curated.manifest["logic_version"]}
    settings = (with_fingerprints(each) for each in (before, curated.manifest["settings"]))
    changes = differences(*(same | {"settings": each} for each in settings))
    return f" ({', '.join(changes)})" if changes else ""
