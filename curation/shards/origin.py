"""The origin of a set of shards: the settings of the stages before it, and the parts of pairs that went into it.

A set names its inputs by ids, and the tables behind these ids are replaced when a run goes on. The origin stays in the
manifest of the set, so that write_shards can say how the set differs from the one that it would write.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from curation.core import storage
from curation.core.amounts import are, counted
from curation.core.credentials import cut_values
from curation.core.parts import Part
from curation.core.recipes import Recipe, differences
from curation.core.seeds import with_fingerprints
from curation.core.tables import MANIFEST
from curation.shards.public_places import without_folders

ORIGIN = "origin"
"""Key of the origin in the manifest of a set."""


@dataclass(frozen=True)
class Origin:
    """Stage -> its distinct {logic_version, settings}, and the ids of parts of pairs; empty where they are unknown."""

    stages: Mapping[str, Sequence[Mapping[str, Any]]]
    pairs: Sequence[str] = field(default_factory=list)

    @classmethod
    def of_tables(cls, lists: Part, downloads: Iterable[Part]) -> Self:
        """Return the origin of the set that these lists and downloads make.

        The tables before the lists are found by the paths in the manifests; where one is gone, or is another by now,
        the origin lacks its stage.
        """
        curated = list(_upstream([lists], "balance_pairs"))
        matches = matches_of(lists)
        first_pairs = [part for each in matches for part in _upstream([each], "extract_pairs", only_first=True)]
        stages: dict[str, list[Mapping[str, Any]]] = {}
        for part in (*first_pairs, *matches, *curated, *downloads):
            made = _made(part.manifest["logic_version"], part.manifest["settings"])
            known = stages.setdefault(part.manifest["stage"], [])
            known += [] if made in known else [made]
        return cls(stages, sorted({entry["id"] for part in matches for entry in part.inputs() if "id" in entry}))

    @classmethod
    def of_set(cls, shards: Part, lists: Part | None, downloads: Iterable[Part]) -> Self | None:
        """Return the origin that a set's manifest holds, or that the tables tell if they still are those of the set.

        None: an older version of headtail wrote the set, and its lists have been replaced.
        """
        if recorded := shards.manifest.get(ORIGIN):
            return cls(without_folders(recorded["stages"]), recorded["pairs"])  # older manifests have folders
        if lists and shards.inputs()[0]["id"] == lists.id:
            return cls.of_tables(lists, downloads)
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the origin as plain values."""
        return asdict(self)

    def changes(self, now: Self) -> list[str]:
        """Return a text for each change of a stage that both origins know, and for pairs that are gone.

        Further pairs, and further settings of a stage (of another table of matches), are no change.
        """
        found = [
            f"{stage}: {change}"
            for stage, before in self.stages.items()
            for made in before
            if stage in now.stages and made not in now.stages[stage]
            for change in differences(made, {**now.stages[stage][0], "stage": stage})
        ]
        if now.pairs and (gone := set(self.pairs) - set(now.pairs)):
            found.append(
                f"{len(gone):,} of its {counted(len(self.pairs), 'parts')} of pairs {are(len(gone))} replaced or gone"
            )
        return found


def matches_of(lists: Part) -> list[Part]:
    """Return the parts of `matches` from which lists were made, as far as they are still there."""
    return list(_upstream(_upstream([lists], "balance_pairs"), "match_pairs"))


def stage_of(recipe: Recipe) -> dict[str, list[dict[str, Any]]]:
    """Return the stage of a recipe as an Origin holds it."""
    return {recipe.stage: [_made(recipe.logic_version, recipe.settings)]}


def _made(logic_version: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    # An origin is published with the shards: addresses are cut, folders left out, and a drawn seed stays a secret.
    return {"logic_version": logic_version, "settings": without_folders(cut_values(with_fingerprints(settings)))}


def _upstream(parts: Iterable[Part], stage: str, only_first: bool = False) -> Iterator[Part]:
    """Yield the parts that other parts were made from and that `stage` wrote, where they still exist."""
    for part in parts:
        for entry in part.inputs()[: 1 if only_first else None]:
            found = _find(entry, part) if "id" in entry else None
            if found and found.manifest["stage"] == stage:
                yield found


def _find(entry: Mapping[str, str], beside: Part) -> Part | None:
    """Return an upstream part, at its path or, if the run has moved, in the folder of the run."""
    run = beside.path.rsplit("/", 2)[0]
    for path in (entry["path"], storage.join(run, *entry["path"].split("/")[-2:])):
        try:
            part = Part(path, storage.read_json(storage.join(path, MANIFEST)))
        except (FileNotFoundError, ValueError):
            continue
        if part.id == entry["id"]:
            return part
    return None
