"""The search of the page: what lies within the page, and `entries/<lang>.js` beside it with all other entries.

A page that is opened from a disk cannot fetch anything, but it can load a script. So the files are scripts that hand
their entries to the page, which asks for the file of a language when its reader does. They hold data only.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from curation.core import storage
from curation.core.progress import say
from curation.report.run_tables import STAGE
from curation.report.search_examples import PoolText
from curation.report.search_rows import SearchNumbers, SearchRows, json_bodies

FOLDER = "entries"
MEGABYTES = 10.0
"""The default of the setting `search_megabytes`: reports of before have no other recipe."""
EXAMPLES_SHARE = 0.2
"""Of the bytes within the page, those for texts as examples, where there is no room for all."""
FILE_TEXTS_BYTES = 2_000_000
"""Of the bytes of a file, at most so many are for texts as examples."""
HEAD_BYTES = 1_000
"""More than a language takes beside its entries: its names, its sources, its t."""
_MOST_PLACE = len("99999999,")
_FILE = re.compile(r"[A-Za-z0-9_-]{1,40}\.js")

Values = dict[str, Any]


@dataclass(frozen=True)
class Search:
    """What the page searches: JSON that is safe within a script.

    `languages` are codes and names, `within` and `beside` the numbers of entries in the page and in the files;
    `has_sources`: a list names its sources.
    """

    data: Markup
    languages: list[tuple[str, str]]
    within: int
    beside: int
    file_bytes: int
    has_sources: bool


@dataclass(frozen=True)
class SearchPlan:
    """The entries to search: batches of their words (`entry_table.Words`), each with all those of a language.

    `pool` are texts as examples, by language.
    """

    words: Iterable[pa.RecordBatch]
    numbers: SearchNumbers
    pool: Mapping[str, Sequence[PoolText]] = field(default_factory=dict)

    def write(self, report: str, values: Values, megabytes: float, taken: str) -> Search | None:
        """Write the files into the folder of a report, and return what the page holds; None for 0 megabytes.

        `values` are those of report.json. Files of a report of before are deleted. Where the folder is `taken`, or
        holds other things, a line says that there are no files.
        """
        folder = storage.join(report, FOLDER)
        names = [name for name in storage.list_folder(folder) if not name.startswith(".")]
        is_free = folder != taken.rstrip("/") and all(_FILE.fullmatch(name) for name in names)
        if is_free:
            storage.remove_files([storage.join(folder, name) for name in names])
        if not megabytes:
            return None
        if not is_free:
            say(STAGE, f"writes no {folder}/*.js: {folder} holds other things; the page has the frequent entries only")
        return self._write(folder if is_free else None, values, int(megabytes * 1e6))

    def _write(self, folder: str | None, values: Values, budget: int) -> Search:
        wanted = {lang: _most_bytes(pool) for lang, pool in self.pool.items()}
        sizes = {lang: HEAD_BYTES + int(rows.sizes.sum()) + wanted.get(lang, 0) for lang, rows in self._rows()}
        allotted = allot(sizes, budget)
        known = {row["lang"]: row for row in values["languages"]}
        parts: dict[str, str] = {}
        within = beside = file_bytes = 0
        has_sources = False
        for lang, rows in self._rows():
            room = max(allotted[lang] - HEAD_BYTES, 0)
            for_texts = min(wanted.get(lang, 0), int(room * EXAMPLES_SHARE))
            ends = np.cumsum(rows.sizes)
            cut = int(np.searchsorted(ends, room - for_texts, side="right"))
            left, size = len(rows.ids) - cut, 0
            if left and folder and _FILE.fullmatch(f"{lang}.js"):
                entries = {"id": values["run"]["id"], "lang": lang}
                held = _texts(self.pool.get(lang, ()), rows.ids[cut:], FILE_TEXTS_BYTES)
                content = f"headtailEntries({_object(entries, rows.json(cut, len(rows.ids)), held)});\n".encode()
                storage.write_bytes(storage.join(folder, f"{lang}.js"), content)
                size = len(content)
            head = {"lang": lang, "name": known[lang]["name"], "t": known[lang]["t"], "left": left, "bytes": size}
            texts = _texts(self.pool.get(lang, ()), rows.ids[:cut], room - (int(ends[cut - 1]) if cut else 0))
            parts[lang] = _object(head, rows.json(0, cut), texts)
            has_sources |= any(rows.sources)
            within, beside, file_bytes = within + cut, beside + (left if size else 0), file_bytes + size
        languages = [(row["lang"], row["name"]) for row in values["languages"] if row["lang"] in parts]
        listed = f'"languages":[{",".join(parts[lang] for lang, _ in languages)}]'
        data = Markup(_object({"id": values["run"]["id"]}, listed))
        return Search(data, languages, within, beside, file_bytes, has_sources)

    def _rows(self) -> Iterator[tuple[str, SearchRows]]:
        for batch in self.words:
            if batch.num_rows:
                lang = batch["lang"][0].as_py()
                yield lang, SearchRows.of_batch(batch, lang, self.numbers)


def allot(sizes: Mapping[str, int], budget: int) -> dict[str, int]:
    """Return the bytes of each language: as many as it needs, or as any other that needs more than it gets.

    >>> allot({"en": 900, "de": 500, "fr": 100}, 1000)
    {'en': 450, 'de': 450, 'fr': 100}
    """
    found: dict[str, int] = {}
    for number, (lang, size) in enumerate(sorted(sizes.items(), key=lambda item: (item[1], item[0]))):
        found[lang] = min(size, budget // (len(sizes) - number))
        budget -= found[lang]
    return {lang: found[lang] for lang in sizes}


def search_settings(megabytes: float) -> dict[str, str]:
    """Return what the setting adds to the recipe of a report: at its default nothing, as before there was any."""
    return {} if megabytes == MEGABYTES else {"search_megabytes": f"{megabytes:g}"}


def _bodies(pool: Sequence[PoolText]) -> pa.StringArray:
    return json_bodies(pa.array([each.text for each in pool], pa.string()))


def _most_bytes(pool: Sequence[PoolText]) -> int:
    """Return at least as many bytes as `_texts` takes for all texts, whatever the places of their entries."""
    lengths = pc.binary_length(_bodies(pool)).to_numpy()
    return int(lengths.sum()) + sum(_MOST_PLACE * len(each.entry_ids) + len('"",[],') for each in pool)


def _texts(pool: Sequence[PoolText], ids: np.ndarray, room: int) -> str:
    """Return members `texts` and `held`: texts, and the places of the entries of each among `ids`.

    Entries beyond `ids` are not named; a text without any is left out.
    """
    places = {entry_id: place for place, entry_id in enumerate(ids.tolist())} if pool else {}
    texts: list[str] = []
    held: list[str] = []
    for each, body in zip(pool, _bodies(pool).to_pylist(), strict=True):
        found = sorted({places[entry_id] for entry_id in each.entry_ids if entry_id in places})
        if not found:
            continue
        text, listed = f'"{body}"', f"[{','.join(map(str, found))}]"
        room -= len(text.encode()) + len(listed) + len(",,")
        if room < 0:
            break
        texts.append(text)
        held.append(listed)
    return f'"texts":[{",".join(texts)}],"held":[{",".join(held)}]'


def _object(head: Values, *members: str) -> str:
    """Return a JSON object of plain values and of members that are JSON already, safe within a script."""
    plain = json.dumps(head, separators=(",", ":")).replace("<", "\\u003c")
    return f"{{{','.join([plain[1:-1], *members])}}}"
