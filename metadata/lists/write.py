"""Writes entry lists: a list for each wiki, then the lists that texts are matched against, merged from those."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from curation.core.input_files import FileInfo
from curation.core.languages import LANGUAGES
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.storage import filesystem, join, read_json, write_json
from curation.core.table_reader import read_batches
from curation.matching.entry_lists import read_entries
from metadata.lists.rules import LIST, EntryTable, Rules, SourceRow, build_list
from metadata.sources.wordnet import read_names

WIKIS = "_wikis"
"""Folder of the lists of single wikis, each with a JSON file of the accounts of its sources."""


@dataclass(frozen=True)
class WikiPlan:
    """The inputs of a wiki's list: its WordNet files, and the accounts of its sources so far."""

    wordnet: tuple[str, ...] = ()
    rows: dict[str, SourceRow] = field(default_factory=dict)


def plan_wikis(
    wordnet: dict[str, list[FileInfo]], rows: dict[str, dict[str, SourceRow]], rules: Rules
) -> dict[str, WikiPlan]:
    """Return the plan of each wiki of `rows`, with an account of its WordNet added."""
    plans = {}
    for lang, sources in rows.items():
        files = wordnet.get(lang, [])
        missing = "no WordNet file of this language" if LANGUAGES[lang].wordnet else "no WordNet in this language"
        row = SourceRow("wordnet", rules.describe("wordnet"), note="" if files else missing)
        plans[lang] = WikiPlan(tuple(file.path for file in files), {"wordnet": row, **sources})
    return plans


def write_wiki_list(lang: str, batches: list[pa.RecordBatch], plan: WikiPlan, rules: Rules, folder: str) -> Receipt:
    """Write the list of one wiki and the accounts of its sources.

    `batches` hold all its terms (lang, source, text, score), best first within each source. Rows in of the receipt are
    the chosen terms, rows out the entries.
    """
    names = read_names(lang, list(plan.wordnet), rules.wordnet_first_only)
    terms = {source: _terms(batches, source) for source in plan.rows}
    table = build_list(rules, names.counts, terms, plan.rows)
    receipt = Receipt(lang)
    for row in table.rows:
        receipt.rows_in += row.chosen
        receipt.drops.update(row.drops)
    _write(join(folder, WIKIS, f"{lang}.parquet"), table, receipt)
    accounts = {"licences": names.licences, "sources": [row.to_json() for row in table.rows]}
    write_json(join(folder, WIKIS, f"{lang}.json"), accounts)
    return receipt.check()


def check_custom(paths: Iterable[str]) -> None:
    """Raise HeadtailError for a user's own list that cannot be read: it is merged after hours of counting."""
    for path in paths:
        read_entries(filesystem(path)[1])


@dataclass(frozen=True)
class MergeTask:
    """A list that texts are matched against: its wikis, and a user's own lists before and after them."""

    name: str
    folder: str
    members: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def merge_lists(task: MergeTask) -> Receipt:
    """Write a list from the lists of its wikis and a user's own lists.

    Rows in are the entries of those, rows out the entries of the list. Drops: `already_there`, and `unusable` in a
    user's list. Facts: `added_<source>`.
    """
    receipt = Receipt(task.name)
    table = EntryTable()
    for path in task.before:
        _add_custom(table, path, receipt)
    for lang in task.members:
        suffix = "" if lang == task.name else f":{lang}"
        for batch in read_batches(join(task.folder, WIKIS, f"{lang}.parquet"), LIST):
            for row in batch.to_pylist():
                _add(table, row["text"], (f"{row['source']}{suffix}", row["score"]), receipt)
    for path in task.after:
        _add_custom(table, path, receipt)
    receipt.facts.update(Counter(f"added_{source}" for source, _ in table.texts.values()))
    _write(join(task.folder, f"{task.name}.parquet"), table, receipt)
    return receipt.check()


def read_sources(folder: str, lang: str) -> dict:
    """Return the accounts of the sources of a wiki's list that `write_wiki_list` wrote: {licences, sources}."""
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
