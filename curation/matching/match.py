"""Matching: texts -> ids of the entries they hold, and pairs -> matched rows.

What a match is stands in `curation.text`. Two engines give the same ids: `ahocorasick`, a published automaton, is the
reference; `tokens`, the trie of `curation.trie`, is the fast one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.receipts import Receipt
from curation.core.schemas import PAIRS
from curation.matching.engines import ENTRY_IDS, Matcher

MATCHED = pa.schema(
    [
        *(PAIRS.field(name) for name in ("uid", "url", "text", "text_key", "lang", "lang_score")),
        pa.field("entry_ids", ENTRY_IDS, nullable=False),
    ]
)
"""A row of `pairs` that matches, on its way to the images of `matches`."""
READ_COLUMNS = MATCHED.names[:-1]
"""What matching reads of `pairs`."""
LOGIC_VERSION = 2
"""Raised when the same settings and pairs give other matches."""
TASK_BYTES = 64 << 20
"""Small files of pairs share a task up to this size."""
MATCHES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)
"""Lower bounds of the bins in which the matches per text are counted, as facts `matches_per_text.<bound>`."""


class MatchStore(Protocol):
    """What matching asks of `metadata.store.EntryStore`."""

    languages: tuple[str, ...]

    def matcher(self, lang: str, engine: str) -> Matcher:
        """Return the matcher of a language."""
        ...


@dataclass(frozen=True)
class MatchSettings:
    """How pairs are matched: the engine, the languages to match (empty: all that have a list), texts per image."""

    engine: str = "tokens"
    languages: tuple[str, ...] = ()
    max_texts: int = 64


def plan_matching(files: Iterable[dict], folder: str) -> list[dict]:
    """Return tasks {inputs} over the files {path, bytes} of a folder of pairs: small ones share one."""
    tasks: list[dict] = []
    room = 0
    for file in files:
        if not tasks or file["bytes"] > room:
            tasks.append({"inputs": []})
            room = TASK_BYTES
        tasks[-1]["inputs"].append(storage.join(folder, file["path"]))
        room -= file["bytes"]
    return tasks


def read_pairs(task: dict, receipt: Receipt) -> Iterator[pa.RecordBatch]:
    """Yield the pairs of a task's files, as far as matching needs them, and count them."""
    for path in task["inputs"]:
        for batch in storage.read_batches(path, READ_COLUMNS):
            receipt.rows_in += batch.num_rows
            receipt.rows_out += batch.num_rows
            yield batch


def iter_matched(
    pairs: Iterable[pa.RecordBatch], store: MatchStore, settings: MatchSettings, receipt: Receipt
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of pairs that match (schema MATCHED), and account for all in `receipt`."""
    for batch in pairs:
        matched, drops, facts = match_batch(batch, store, settings.engine, settings.languages)
        receipt.rows_in += batch.num_rows
        receipt.rows_out += matched.num_rows
        receipt.drops.update(drops)
        receipt.facts.update(facts)
        yield matched


def match_batch(
    pairs: pa.RecordBatch, store: MatchStore, engine: str = "tokens", languages: Collection[str] = ()
) -> tuple[pa.RecordBatch, Counter[str], Counter[str]]:
    """Return the rows of a `pairs` batch that match, in their order (schema MATCHED), with drops and facts.

    A text is matched against the list of its own language only; each distinct (lang, text) is worked on once. Drops:
    `language` (not one of `languages`, where given), `no_metadata` (the language has no list; the list `other` serves
    texts whose language is `other`, and no others), `unmatched`. Facts: per language `matched.<lang>` and
    `unmatched.<lang>` and `no_metadata.<lang>` in texts, `matches` in ids, `matches_per_text.<bound>`.
    """
    drops: Counter[str] = Counter()
    facts: Counter[str] = Counter()
    langs = pairs.column("lang").dictionary_encode()
    codes = langs.indices.to_numpy()
    rows: list[np.ndarray] = []
    found: list[pa.ListArray] = []
    for code, lang in enumerate(langs.dictionary.to_pylist()):
        members = np.flatnonzero(codes == code)
        if languages and lang not in languages:
            drops["language"] += len(members)
        elif lang not in store.languages:
            drops["no_metadata"] += len(members)
            facts[f"no_metadata.{lang}"] += len(members)
        else:
            texts = pairs.column("text").take(pa.array(members))
            ids = match_distinct(texts, store.matcher(lang, engine))
            hits = np.flatnonzero(np.diff(_offsets(ids)))
            facts[f"matched.{lang}"] += len(hits)
            if misses := len(members) - len(hits):
                drops["unmatched"] += misses
                facts[f"unmatched.{lang}"] += misses
            rows.append(members[hits])
            found.append(ids.take(pa.array(hits)) if misses else ids)
    order = np.concatenate(rows) if rows else np.empty(0, np.int64)
    ids = pa.concat_arrays(found) if found else pa.array([], ENTRY_IDS)
    if len(found) > 1:
        back = np.argsort(order, kind="stable")
        order, ids = order[back], ids.take(pa.array(back))
    facts += _count_matches(ids)
    matched = pairs.select(READ_COLUMNS).take(pa.array(order))
    return pa.RecordBatch.from_arrays([*matched.columns, ids.cast(ENTRY_IDS)], schema=MATCHED), drops, facts


def match_distinct(texts: pa.StringArray, matcher: Matcher) -> pa.ListArray:
    """Return `matcher.match(texts)`, having matched each distinct text once."""
    encoded = texts.dictionary_encode()
    if len(encoded.dictionary) == len(texts):
        return matcher.match(texts)
    return matcher.match(encoded.dictionary).take(encoded.indices)


def _offsets(lists: pa.ListArray) -> np.ndarray:
    return lists.offsets.to_numpy()


def _count_matches(ids: pa.ListArray) -> Counter[str]:
    sizes = pc.list_value_length(ids).to_numpy()
    bins = np.searchsorted(MATCHES_PER_TEXT, sizes, side="right") - 1
    counts = np.bincount(bins, minlength=len(MATCHES_PER_TEXT))
    facts = {f"matches_per_text.{bound}": int(count) for bound, count in zip(MATCHES_PER_TEXT, counts, strict=True)}
    return Counter({"matches": int(sizes.sum()), **facts}) + Counter()
