"""Writing entry lists: a list for each wiki, and of those the lists that texts are matched against."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from curation.core.languages import LANGUAGES
from curation.core.receipts import Receipt
from curation.core.storage import FileInfo, ParquetSink, filesystem, join, read_json, write_json
from curation.core.table_reader import read_batches
from curation.matching.entry_lists import read_entries
from metadata.lists.rules import LIST, EntryTable, Rules, SourceRow, build_list
from metadata.sources.wordnet import read_names

WIKIS = "_wikis"
"""Folder within the store of the lists of single wikis, with a JSON file each that says what gave what."""


@dataclass(frozen=True)
class WikiPlan:
    """What is known of a wiki's list before it is built: WordNet files, and a row for each other source."""

    wordnet: tuple[str, ...] = ()
    rows: dict[str, SourceRow] = field(default_factory=dict)


def plan_wikis(
    wordnet: dict[str, list[FileInfo]], rows: dict[str, dict[str, SourceRow]], rules: Rules
) -> dict[str, WikiPlan]:
    """Return the plan of each wiki of `rows`, with a row for its WordNet."""
    plans = {}
    for lang, found in rows.items():
        files = wordnet.get(lang, [])
        missing = "no WordNet file of this language" if LANGUAGES[lang].wordnet else "there is no WordNet of it"
        row = SourceRow("wordnet", rules.describe("wordnet"), note="" if files else missing)
        plans[lang] = WikiPlan(tuple(file.path for file in files), {"wordnet": row, **found})
    return plans


def write_wiki_list(lang: str, batches: list[pa.RecordBatch], plan: WikiPlan, rules: Rules, folder: str) -> Receipt:
    """Write the list of one wiki and what its sources gave; returns the account from chosen terms to entries.

    `batches` hold all its terms (lang, source, text, score), best first within each source.
    """
    names = read_names(lang, list(plan.wordnet), rules.wordnet_first_only)
    found = {source: _terms(batches, source) for source in plan.rows}
    table = build_list(rules, names.counts, found, plan.rows)
    receipt = Receipt(lang)
    for row in table.rows:
        receipt.rows_in += row.chosen
        receipt.drops.update(row.drops)
    _write(join(folder, WIKIS, f"{lang}.parquet"), table, receipt)
    told = {"licences": names.licences, "sources": [row.to_json() for row in table.rows]}
    write_json(join(folder, WIKIS, f"{lang}.json"), told)
    return receipt.check()


@dataclass(frozen=True)
class MergeTask:
    """A list that texts are matched against: the wikis whose entries it takes, and users' files before and after."""

    name: str
    folder: str
    members: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def merge_lists(task: MergeTask) -> Receipt:
    """Write a list: the entries of users' files and of wikis, in the order of the task.

    Rows in are the entries of all, rows out those of the list; drops: `already_there`, `unusable` (of a user's list).
    Facts: `added_<source>`.
    """
    receipt = Receipt(task.name)
    table = EntryTable()
    for path in task.before:
        _add_custom(table, path, receipt)
    for lang in task.members:
        behind = "" if lang == task.name else f":{lang}"
        for batch in read_batches(join(task.folder, WIKIS, f"{lang}.parquet"), LIST):
            for row in batch.to_pylist():
                _add(table, row["text"], (f"{row['source']}{behind}", row["score"]), receipt)
    for path in task.after:
        _add_custom(table, path, receipt)
    receipt.facts.update(Counter(f"added_{source}" for source, _ in table.texts.values()))
    _write(join(task.folder, f"{task.name}.parquet"), table, receipt)
    return receipt.check()


def read_sources(folder: str, lang: str) -> dict:
    """What the sources of a wiki's list gave, as `write_wiki_list` told: {licences, sources}."""
    return read_json(join(folder, WIKIS, f"{lang}.json"))


def _terms(batches: list[pa.RecordBatch], source: str) -> Iterator[tuple[str, float]]:
    for batch in batches:
        part = batch.filter(pa.compute.equal(batch["source"], source))
        yield from zip(part["text"].to_pylist(), part["score"].to_pylist(), strict=True)


def _add_custom(table: EntryTable, path: str, receipt: Receipt) -> None:
    texts = read_entries(filesystem(path)[1]).texts
    for text in texts.to_pylist():
        if text is None:
            receipt.rows_in += 1
            receipt.drops["unusable"] += 1
        else:
            _add(table, text, ("custom", None), receipt)


def _add(table: EntryTable, text: str, origin: tuple[str, float | None], receipt: Receipt) -> None:
    receipt.rows_in += 1
    if text in table.texts:
        receipt.drops["already_there"] += 1
    else:
        table.texts[text] = origin


def _write(path: str, table: EntryTable, receipt: Receipt) -> None:
    with ParquetSink(path, LIST) as sink:
        for batch in table.to_batches():
            sink.write(batch)
    receipt.rows_out = sink.rows
    receipt.outputs.append(sink.output())
