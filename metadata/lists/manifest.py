"""The manifest of entry lists: inputs, licences, the terms and entries of each source, and missing sources."""

from collections.abc import Sequence
from typing import Any, Protocol

from curation.core.credentials import cut_input
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.storage import exists, join, read_json, write_bytes, write_json
from curation.core.tables import MANIFEST, versions
from curation.matching.entry_store import EntryStore
from metadata.lists.inputs import MetadataInputs
from metadata.lists.write import read_sources

TABLE = "_table.md"
SHOWN_NOTES = 3


class DescribedInputs(Protocol):
    """The inputs of lists: codes of wikis, and every input with its licence."""

    @property
    def codes(self) -> Sequence[str]:
        """The wikis' codes, in the table's order."""

    def describe(self, licences: dict[str, list[str]]) -> list[dict]:
        """Return every input; `licences` are those of wordnets, by language."""


def finished(folder: str, recipe: Recipe) -> dict[str, Any] | None:
    """Return the manifest of the lists in a folder if this recipe made them."""
    path = join(folder, MANIFEST)
    manifest = read_json(path) if exists(path) else {}
    return manifest if manifest.get("id") == recipe.id else None


def refuse_other_lists(folder: str, stage: str) -> None:
    """Raise HeadtailError if the finished lists in a folder are those of another job: they would be mixed."""
    path = join(folder, MANIFEST)
    if exists(path) and (other := read_json(path).get("stage")) != stage:
        raise HeadtailError(f"{folder} holds lists of {other}: choose another folder for the lists of {stage}")


def write_manifest(
    folder: str,
    recipe: Recipe,
    inputs: DescribedInputs,
    wikis: list[str],
    lists: list[Receipt],
    failures: list[dict],
    licence: str = "",
) -> dict[str, Any]:
    """Write the table and the manifest of lists, and return the manifest, which makes them finished.

    `licence` is that of the lists, where a source hands its own on to them.
    """
    store = EntryStore.open(folder)
    accounts = {lang: read_sources(folder, lang) for lang in wikis}
    sources = {lang: accounts[lang]["sources"] for lang in inputs.codes}
    manifest = {
        "id": recipe.id,
        "stage": recipe.stage,
        "logic_version": recipe.logic_version,
        "settings": recipe.settings,
        "hash": store.hash,
        **({"licence": licence} if licence else {}),
        "lists": [
            {
                "list": receipt.task,
                "entries": receipt.rows_out,
                "sha256": store.list_hash(receipt.task),
                "by_source": {fact.removeprefix("added_"): count for fact, count in sorted(receipt.facts.items())},
                "drops": dict(sorted(receipt.drops.items())),
                "cannot_match": len(store.unmatchable(receipt.task)),
            }
            for receipt in lists
        ],
        "wikis": sources,
        "notes": [
            *(
                f"{lang}: {row['source']}: {row['note']}"
                for lang, rows in sources.items()
                for row in rows
                if row["note"]
            ),
            *(f"{failure['file']}: {failure['error']}" for failure in failures),
        ],
        "failures": failures,
        "inputs": [
            cut_input(entry) for entry in inputs.describe({lang: entry["licences"] for lang, entry in accounts.items()})
        ],
        "versions": versions(),
    }
    write_bytes(join(folder, TABLE), render_table(manifest).encode())
    write_json(join(folder, MANIFEST), manifest)
    return manifest


def refuse_numbers(inputs: MetadataInputs, folder: str, wikis: list[str], failures: list[dict]) -> None:
    """Raise HeadtailError if the wikis' lists hold numbers alone, and the user gives no list of their own."""
    rows = [row for lang in wikis for row in read_sources(folder, lang)["sources"]]
    if inputs.custom_before or inputs.custom_after or any(row["added"] for row in rows if row["source"] != "number"):
        return
    notes = [f"{failure['file']}: {failure['error']}" for failure in failures]
    notes += dict.fromkeys(row["note"] for row in rows if row["note"])
    raise HeadtailError(
        f"no entry beside the numbers in the lists of {', '.join(inputs.codes)} ({'; '.join(notes[:SHOWN_NOTES])}): "
        "see sources, dumps, pageviews, wordnet; allow_empty=true accepts such lists"
    )


def render_table(manifest: dict[str, Any]) -> str:
    """Return the composition of all lists as Markdown, in the form of Table 1 of Demystifying CLIP Data."""
    lines = ["# Entry lists", ""]
    for lang, rows in manifest["wikis"].items():
        lines += [f"## {lang}", "", "| source | rule | terms | chosen | entries |", "|---|---|--:|--:|--:|"]
        lines += [
            f"| {row['source']} | {row['rule']}{f' ({note})' if (note := row['note']) else ''} "
            f"| {row['available']:,} | {row['chosen']:,} | {row['added']:,} |"
            for row in rows
        ]
        lines += [f"| all | | | | {sum(row['added'] for row in rows):,} |", ""]
    lines += ["## Lists that texts are matched against", "", "| list | entries | of them can match nothing |"]
    lines += ["|---|--:|--:|"]
    lines += [f"| {row['list']} | {row['entries']:,} | {row['cannot_match']:,} |" for row in manifest["lists"]]
    return "\n".join(lines) + "\n"
