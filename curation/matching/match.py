"""Matching: texts -> ids of the entries they hold, and pairs -> matched rows.

spacing.py defines a match. Two engines give the same ids: `ahocorasick`, a published automaton, is the reference;
`tokens`, the trie of trie.py, is the fast one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.choices import Engine
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.schemas import PAIRS
from curation.core.table_reader import read_batches
from curation.matching.engines import ENTRY_IDS, Matcher
from curation.matching.entry_store import EntryStore

MATCHED = pa.schema(
    [
        *(PAIRS.field(name) for name in ("uid", "url", "text", "text_key", "lang", "lang_score")),
        pa.field("entry_ids", ENTRY_IDS, nullable=False),
    ]
)
"""A pair with at least one matched entry."""
READ_COLUMNS = MATCHED.names[:-1]
"""The columns of `pairs` that matching reads."""
LOGIC_VERSION = 2
"""Raise it when the same settings and pairs give different matches."""
TASK_BYTES = 64 << 20
"""Small files of pairs share a task up to this size."""
MATCHES_PER_TEXT = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)
"""Lower bounds of the histogram of matches per text; each bin is a fact `matches_per_text.<bound>`."""


@dataclass(frozen=True)
class MatchSettings:
    """How pairs are matched.

    `languages` are the languages to match; none means all that have a list. An image keeps at most `max_texts` texts,
    chosen with the `salt` of the table of matches.
    """

    engine: Engine
    languages: tuple[str, ...]
    max_texts: int
    salt: int = 0


@dataclass(frozen=True)
class MatchTask:
    """Files of `pairs` to match."""

    inputs: tuple[str, ...]


def languages_of(settings: Iterable[dict]) -> set[str]:
    """Return the languages that parts of `pairs` with these settings hold, empty if a part may hold any.

    >>> sorted(languages_of([{"language": {"languages": ["en"]}}, {"language": {"languages": ["de"]}}]))
    ['de', 'en']
    >>> languages_of([{"language": {"languages": ["en"]}}, {"language": {"languages": []}}])
    set()
    """
    kept = [set(each.get("language", {}).get("languages", ())) for each in settings]
    return set().union(*kept) if all(kept) else set()


def describe_dropped(pairs: str, kept: Collection[str], wanted: Collection[str]) -> str | None:
    """Return a line that names the wanted languages that extract_pairs has dropped; None if it kept all.

    `kept` are the languages of the table `pairs` (`languages_of`). Raises HeadtailError if no wanted one is among them.

    >>> describe_dropped("/run/pairs", {"en"}, ["de", "en"])
    '/run/pairs holds texts in en only (languages of extract_pairs), none in de'
    >>> describe_dropped("/run/pairs", set(), ["de", "en"])
    """
    dropped = sorted(set(wanted) - set(kept))
    if not kept or not dropped:
        return None
    line = (
        f"{pairs} holds texts in {', '.join(sorted(kept))} only (languages of extract_pairs), "
        f"none in {', '.join(dropped)}"
    )
    if len(dropped) == len(set(wanted)):
        raise HeadtailError(f"{line}: give languages and entry_lists that were kept")
    return line


def plan_matching(files: Iterable[dict], folder: str) -> list[MatchTask]:
    """Return tasks for the files {path, bytes} of a part of `pairs`; small files share a task."""
    groups: list[list[str]] = []
    room = 0
    for file in files:
        if not groups or file["bytes"] > room:
            groups.append([])
            room = TASK_BYTES
        groups[-1].append(storage.join(folder, file["path"]))
        room -= file["bytes"]
    return [MatchTask(tuple(paths)) for paths in groups]


def read_pairs(task: MatchTask, receipt: Receipt) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a task's files, in the columns that matching reads, and count them in `receipt`."""
    for path in task.inputs:
        for batch in read_batches(path, PAIRS, READ_COLUMNS, further=None):
            receipt.rows_in += batch.num_rows
            receipt.rows_out += batch.num_rows
            yield batch


def iter_matched(
    pairs: Iterable[pa.RecordBatch], store: EntryStore, settings: MatchSettings, receipt: Receipt
) -> Iterator[pa.RecordBatch]:
    """Yield the pairs that match (schema MATCHED), and account for all pairs in `receipt`."""
    for batch in pairs:
        matched, drops, facts = match_batch(batch, store, settings.engine, settings.languages)
        receipt.rows_in += batch.num_rows
        receipt.rows_out += matched.num_rows
        receipt.drops.update(drops)
        receipt.facts.update(facts)
        yield matched


def match_batch(
    pairs: pa.RecordBatch, store: EntryStore, engine: Engine, languages: Collection[str] = ()
) -> tuple[pa.RecordBatch, Counter[str], Counter[str]]:
    """Return the rows of a `pairs` batch that match, in their order (schema MATCHED), with drops and facts.

    A text is matched against the list of its own language only, and each distinct (lang, text) is matched once.

    | drop | reason |
    |---|---|
    | `language` | the language is not one of `languages`, where these are given |
    | `no_metadata` | the language has no list; the list `other` is for texts of language `other` only |
    | `unmatched` | the text holds no entry |

    Facts count texts (`matched.<lang>`, `unmatched.<lang>`, `no_metadata.<lang>`), matched ids (`matches`), and texts
    by their number of ids (`matches_per_text.<bound>`).
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
    """Return `matcher.match(texts)`; each distinct text is matched once."""
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
