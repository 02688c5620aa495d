"""Class names looked up in the entries of their language: each is an entry, or part of some, or absent."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.counts import CountFiles
from curation.core.receipts import Receipt
from curation.matching.engines import AhoCorasickMatcher
from curation.matching.entry_store import EntryStore
from curation.report.class_lists import LANG, ClassList

ENTRY, CASE, PART, ABSENT = "entry", "case", "part", "absent"


@dataclass(frozen=True)
class ClassesTask:
    """Class names of one language to look up, each once."""

    lang: str
    names: list[str]


@dataclass(frozen=True)
class FoundClass:
    """A class name, how it was found, and the entry that stands for it.

    ENTRY: it is an entry. CASE: it is one but for upper and lower case, as `beagle` for `Beagle`. PART: entries hold it
    as words, so their texts are some of the texts with the name. Of several entries the one with most matches stands.
    """

    lang: str
    name: str
    match: str
    entry_id: int = -1
    entry: str | None = None


def plan_classes(lists: Iterable[ClassList], languages: Sequence[str]) -> list[ClassesTask]:
    """Return a task for `find_classes` for each language that has both class names and an entry list."""
    names: dict[str, dict[str, None]] = {}
    for each in lists:
        if each.lang in languages:
            names.setdefault(each.lang, {}).update(dict.fromkeys(each.names))
    return [ClassesTask(lang, list(found)) for lang, found in sorted(names.items())]


def notes_on_classes(lists: Iterable[ClassList], languages: Sequence[str]) -> list[str]:
    """Return a line for each language that has class names and no entry list; of English none, which is shipped."""
    missing = sorted({each.lang for each in lists if each.lang not in languages} - {LANG})
    return [
        f"class names in {lang} are not looked up: the run matched no entry list of this language" for lang in missing
    ]


def find_classes(task: ClassesTask, store: EntryStore, counts: str) -> Receipt:
    """Look up the class names of a language. Rows are names; the outputs are `FoundClass`es as dicts, in their order.

    `counts` is the folder of the entry counts. A name is a part of an entry where matching would find it in the entry
    as in a text: as whole words, with its upper and lower case.
    """
    entries = store.entries(task.lang)
    names = pa.array(task.names, pa.string())
    ids = pc.index_in(names, entries).to_pylist()
    others = [name for name, entry_id in zip(task.names, ids, strict=True) if entry_id is None]
    cased = _in_other_case(others, entries)
    held = _holding([name for name in others if name not in cased], entries, store)
    values = CountFiles(counts).load(task.lang)
    receipt = Receipt(f"classes of {task.lang}", rows_in=len(task.names), rows_out=len(task.names))
    for name, entry_id in zip(task.names, ids, strict=True):
        if entry_id is not None:
            found = FoundClass(task.lang, name, ENTRY, entry_id, name)
        elif candidates := cased.get(name) or held.get(name):
            best = candidates[int(np.argmax(numbers_of(values, np.array(candidates))))]
            found = FoundClass(task.lang, name, CASE if name in cased else PART, best, entries[best].as_py())
        else:
            found = FoundClass(task.lang, name, ABSENT)
        receipt.outputs.append(asdict(found))
    return receipt.check()


def _in_other_case(names: Sequence[str], entries: pa.StringArray) -> dict[str, list[int]]:
    """Return the ids of the entries that equal a name but for upper and lower case, for each name that has some."""
    lower = {name: name.lower() for name in names}
    same = pc.is_in(pc.utf8_lower(entries), pa.array(set(lower.values()), pa.string()))
    found: dict[str, list[int]] = {}
    for entry_id in np.flatnonzero(same).tolist():
        found.setdefault(entries[entry_id].as_py().lower(), []).append(entry_id)
    return {name: found[key] for name, key in lower.items() if key in found}


def _holding(names: Sequence[str], entries: pa.StringArray, store: EntryStore) -> dict[str, list[int]]:
    """Return the ids of the entries that hold a name, ascending, for each name that some hold."""
    held: dict[str, list[int]] = {}
    if names:
        # The other way round than in a run: the names are the entries, and the entries the texts.
        found = AhoCorasickMatcher(pa.array(names, pa.string()), store.edges).match(entries)
        rows = pc.list_parent_indices(found).to_pylist()
        for row, index in zip(rows, pc.list_flatten(found).to_pylist(), strict=True):
            held.setdefault(names[index], []).append(row)
    return held


def numbers_of(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the values of entries by their ids; 0 beyond the end of `values`, and for a negative id.

    >>> numbers_of(np.array([5, 7]), np.array([1, 9, -1])).tolist()
    [7, 0, 0]
    """
    found = np.zeros(len(ids), values.dtype)
    known = (ids >= 0) & (ids < len(values))
    found[known] = values[ids[known]]
    return found
