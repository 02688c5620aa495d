"""The targets that a user gives: a Parquet or CSV file with a row for each entry that has one, checked row by row.

| column | is |
|---|---|
| `lang` | the language of the entry's list |
| `entry` or `entry_id` | the entry, as its list has it, or its place there: one of the two columns |
| `namespace` | the namespace of a concept, without a lang; `entries`, or nothing: the row is of an entry |
| `t`, `weight` | its threshold, in counts of survivors; or the factor to that of its language. A row has one of them |
"""

import csv
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.concept_tables import ENTRIES
from curation.balancing.entry_table import Words, by_language
from curation.balancing.targets import NAMESPACE, EntryTargets
from curation.core import storage
from curation.core.amounts import counted
from curation.core.bounded_parquet import ERRORS, BoundedParquet
from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.kept_targets import TARGETS
from curation.core.parquet_sink import ROW_GROUP_ROWS
from curation.core.text_lists import open_list
from curation.matching.entry_lists import EntryList

KINDS = {
    "namespace": pa.string(), "lang": pa.string(), "entry": pa.string(), "entry_id": pa.int32(), "t": pa.float64(),
    "weight": pa.float64(),
}  # fmt: skip
NAMES = ("entry", "entry_id")
EXAMPLES = ("birds",)
"""Lists that the package holds, for the preset `domain`."""
LEAST, MOST = 1e-9, {"t": 1e18, "weight": 1e9}
MAX_ROWS = 50_000_000
MAX_TEXT_BYTES = 4096
"""Maximum size of an entry or a language: a value of megabytes, which rows repeat, takes next to nothing in a file."""
MAX_BYTES = 4 << 30
"""Maximum size of all rows in memory: 27 million with entries of 20 bytes take 1.4 GB."""
SHOWN = 5


@dataclass(frozen=True)
class TargetTable:
    """The rows of a file: columns lang, `entry` or `entry_id`, t, weight, ordered by (lang, entry).

    For a concept `lang` is `concepts.<name>`, with the name of its namespace. Of an example (`is_example`), entries
    that the lists of a run do not hold are passed over.
    """

    path: str
    rows: pa.Table
    is_example: bool = False

    @property
    def name(self) -> str:
        """The column that names entries."""
        return self.rows.column_names[1]

    @property
    def langs(self) -> list[str]:
        """The languages of the rows, sorted."""
        return [lang for lang in self._owners if not lang.startswith(NAMESPACE)]

    @property
    def namespaces(self) -> list[str]:
        """The namespaces of the rows that are of concepts, sorted."""
        return [name.removeprefix(NAMESPACE) for name in self._owners if name.startswith(NAMESPACE)]

    @property
    def _owners(self) -> list[str]:
        return sorted(pc.unique(self.rows["lang"]).to_pylist())

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of the rows, whatever their order and the path and form of the file."""
        digest = hashlib.sha256(self.name.encode())
        for name in ("lang", self.name):
            digest.update(b"\0\0" + "\0".join(map(str, self.rows[name].to_pylist())).encode())
        for name in ("t", "weight"):
            digest.update(self.rows[name].fill_null(0.0).to_numpy().astype("<f8").tobytes())
        return digest.hexdigest()

    def hash_with(self, concepts: Mapping[str, EntryList | None]) -> str:
        """SHA-256 in hex of the rows, and of the names of the concepts that they name: these decide the ids."""
        digest = hashlib.sha256(self.hash.encode())
        for name in self.namespaces:
            names = concepts.get(name)
            digest.update(f"\0{name}\0{names.hash if names else ''}".encode())
        return digest.hexdigest()

    def resolve(self, words: Words | None, concepts: Mapping[str, EntryList | None] | None = None) -> EntryTargets:
        """Return the targets by the ids of entries, and of concepts.

        `concepts` has the namespaces of the run, with the names of their concepts where these are known. Raises
        HeadtailError for a language without an entry list, for an entry that its list does not hold, and for a
        namespace or concept that is unknown. Without `words` the rows of entries have to name ids, which are taken as
        they are.
        """
        self._check_namespaces(concepts or {})
        if words is None and self.langs and self.name == "entry":
            raise HeadtailError(
                f"{self.path} names entries by their words, and no table tells the words of these matches: give "
                "entry_lists=..., or a column entry_id"
            )
        unknown = [lang for lang in self.langs if words and lang not in words.languages]
        if unknown and words and not self.is_example:
            raise HeadtailError(
                f"{self.path} has targets for {', '.join(unknown[:SHOWN])}, and the languages with an entry list are "
                f"{', '.join(words.languages[:20])}: leave the others out"
            )
        ids = self._ids(words, concepts or {})
        known = ids >= 0
        if self.is_example and known.any():
            rows = self.rows.set_column(1, "entry_id", pa.array(ids)).filter(pa.array(known))
            return EntryTargets.of_rows(rows.cast(TARGETS))
        if not known.all():
            self._refuse_unknown(self.rows.filter(pa.array(~known)))
        return EntryTargets.of_rows(self.rows.set_column(1, "entry_id", pa.array(ids)).cast(TARGETS))

    def _refuse_unknown(self, lost: pa.Table) -> NoReturn:
        """Raise HeadtailError for rows of entries that no list holds; without any, for concepts of one namespace."""
        is_concept = pc.starts_with(lost["lang"], NAMESPACE)
        things, where, do = "entries", "the entry lists do", "the lists do"
        if is_of_concepts := pc.all(is_concept).as_py():
            owner = lost["lang"][0].as_py()
            lost = lost.filter(pc.equal(lost["lang"], owner))
            do = f"concept_names.{owner.removeprefix(NAMESPACE)} does"
            things, where = "concepts", do
        else:
            lost = lost.filter(pc.invert(is_concept))
        first = zip(lost["lang"].to_pylist()[:SHOWN], lost[self.name].to_pylist()[:SHOWN], strict=True)
        named = ", ".join(f"{'' if is_of_concepts else f'{lang} '}{str(entry)[:80]!r}" for lang, entry in first)
        raise HeadtailError(
            f"{self.path} has targets for {counted(len(lost), things)} that {where} not hold: "
            f"{named}{', ...' if len(lost) > SHOWN else ''}: leave them out, or name them as {do}"
        )

    def _check_namespaces(self, concepts: Mapping[str, EntryList | None]) -> None:
        """Raise HeadtailError for a namespace that is not among `concepts`, or whose concepts have no names."""
        for name in self.namespaces:
            if name not in concepts:
                raise HeadtailError(
                    f"{self.path} has targets for concepts of {name[:100]}, and there is no concepts.{name[:100]}, the "
                    "table of the images' concepts"
                )
            if self.name == "entry" and concepts[name] is None:
                raise HeadtailError(
                    f"{self.path} names concepts of {name} by their words: give concept_names.{name}, or a column "
                    "entry_id"
                )

    def _ids(self, words: Words | None, concepts: Mapping[str, EntryList | None]) -> np.ndarray:
        """Return the id of each row's entry, int32; -1 where the list has no such entry."""
        ids = np.full(len(self.rows), -1, np.int32)
        langs = self.rows["lang"].to_numpy(zero_copy_only=False)
        starts = {lang: int(np.searchsorted(langs, lang)) for lang in self._owners}
        wanted = {lang: self.rows.filter(pc.equal(self.rows["lang"], lang))[self.name] for lang in self._owners}
        lists = itertools.chain(words_of(words, self.langs) if words else (), names_of(concepts))
        for lang, listed in lists:
            if lang in wanted:
                places = pc.index_in(listed[self.name], wanted[lang].combine_chunks())
                met = places.is_valid()
                ids[starts[lang] + places.filter(met).to_numpy()] = listed["entry_id"].filter(met).to_numpy()
        without = [f"{NAMESPACE}{name}" for name in self.namespaces if concepts[name] is None]
        for lang in [*(self.langs if words is None else ()), *without]:  # ids of no list are taken as they are
            ids[starts[lang] : starts[lang] + len(wanted[lang])] = wanted[lang].to_numpy()
        return ids


def names_of(concepts: Mapping[str, EntryList | None]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the names of concepts as `words_of` does those of entries, for `concepts.<name>`."""
    for name, names in concepts.items():
        if names is not None:
            columns = [names.texts, pa.array(np.arange(len(names.texts), dtype=np.int32))]
            yield f"{NAMESPACE}{name}", pa.record_batch(columns, ["entry", "entry_id"])


def words_of(words: Words, langs: Iterable[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield (lang, rows of its entries) for some languages; a language may come in several batches."""
    wanted = set(langs)
    for batch in words:
        yield from ((lang, rows) for lang, rows in by_language(batch) if lang in wanted)


def read_target_table(path: str) -> TargetTable:
    """Read and check a file of targets, or one of EXAMPLES: CSV if its name ends in .csv or .csv.gz, else Parquet.

    Raises HeadtailError, with the path, for other columns, a row without a language, entry or target or with two of
    them, a number out of its range, an entry with two rows, and a file without rows.
    """
    is_example = path in EXAMPLES
    path = str(files(__package__) / f"{path}.csv") if is_example else path
    if not storage.exists(path):
        raise HeadtailError(
            f"balance.targets names {path}, and there is no such file: give a Parquet or CSV file, or {EXAMPLES[0]}"
        )
    found = list_files([path])
    if len(found) != 1:
        raise HeadtailError(f"balance.targets names {path}, which holds {counted(len(found), 'files')}: give one file")
    return _read(found[0], is_example)


@lru_cache(maxsize=1)
def _read(file: FileInfo, is_example: bool) -> TargetTable:
    """Read a file; the jobs of a run ask for it several times."""
    path = file.path
    raw = _read_csv(path) if path.endswith((".csv", ".csv.gz")) else _read_parquet(path)
    name = "entry" if "entry" in raw.column_names else "entry_id"
    columns = {
        each: raw[each] if each in raw.column_names else pa.chunked_array([pa.nulls(len(raw), kind)], kind)
        for each, kind in KINDS.items()
        if each == name or each not in NAMES
    }
    rows = _without_namespaces(path, pa.table(columns))
    _check_rows(path, rows, name)
    ordered = rows.sort_by([("lang", "ascending"), (name, "ascending")]).combine_chunks()
    return TargetTable(path, ordered, is_example)


def _without_namespaces(path: str, rows: pa.Table) -> pa.Table:
    """Return the rows without the column namespace: that of a concept becomes its lang, as `concepts.<name>`."""
    names, others = rows["namespace"], rows.drop_columns(["namespace"])
    is_owner = pc.fill_null(pc.starts_with(rows["lang"], NAMESPACE), False).to_numpy()
    _refuse(path, rows, is_owner, "has a lang that is none: a concept has its namespace in the column namespace")
    if names.null_count == len(names):
        return others
    names, has_lang = pc.fill_null(names, ""), pc.not_equal(pc.fill_null(rows["lang"], ""), "").to_numpy()
    is_entry = pc.is_in(names, pa.array(["", ENTRIES])).to_numpy()
    _refuse(path, rows, ~is_entry & has_lang, "is of a concept, and has a lang: leave it empty")
    _refuse(path, rows, is_entry & ~has_lang, "is of an entry, and has no lang")
    owners = pc.if_else(pa.array(is_entry), rows["lang"], pc.binary_join_element_wise(NAMESPACE, names, ""))
    return others.set_column(0, "lang", owners)


def _check_columns(path: str, names: list[str]) -> None:
    targets, entries = ({*group} & {*names} for group in (("t", "weight"), NAMES))
    if (
        len(entries) != 1
        or not targets
        or not {"lang", "namespace"} & {*names}
        or set(names) - KINDS.keys()
        or len(set(names)) < len(names)
    ):
        raise HeadtailError(
            f"{path} has the columns {', '.join(names[:20]) or '(none)'}, expected lang or namespace or both, entry or "
            "entry_id, and t or weight or both"
        )


def _check_rows(path: str, rows: pa.Table, name: str) -> None:
    if not len(rows):
        raise HeadtailError(f"{path} holds no target")
    given = {each: rows[each].is_valid().to_numpy() for each in rows.column_names}
    _refuse(path, rows, ~(given["lang"] & given[name]), f"lacks lang or {name}")
    _refuse(path, rows, given["t"] & given["weight"], "has both t and weight: leave one of them empty")
    _refuse(path, rows, ~(given["t"] | given["weight"]), "has neither t nor weight")
    for each, most in MOST.items():
        values = rows[each].fill_null(1.0).to_numpy()
        wrong = ~((values >= LEAST) & (values <= most))
        _refuse(path, rows, wrong, f"has a {each} that is not a number from {LEAST:g} to {most:g}")
    if name == "entry_id":
        _refuse(path, rows, rows[name].to_numpy() < 0, "has an entry_id below 0")
    codes = [rows[each].combine_chunks().dictionary_encode().indices.to_numpy() for each in ("lang", name)]
    order = np.lexsort(codes)
    twice = np.zeros(len(rows), bool)
    twice[order[1:]] = np.logical_and.reduce([np.diff(code[order]) == 0 for code in codes])
    _refuse(path, rows, twice, "is a second one of its entry: leave one")


def _refuse(path: str, rows: pa.Table, wrong: np.ndarray, reason: str) -> None:
    """Raise HeadtailError with the first row that is wrong, if there is one; rows are counted from 1."""
    if wrong.any():
        at = int(np.argmax(wrong))
        row = ", ".join(f"{key} {str(value)[:80]}" for key, value in rows.slice(at, 1).to_pylist()[0].items()
                        if value is not None)  # fmt: skip
        more = f" ({int(wrong.sum()):,} rows are so)" if wrong.sum() > 1 else ""
        raise HeadtailError(f"{path}: row {at + 1} ({row or 'empty'}) {reason}{more}")


def _read_parquet(path: str) -> pa.Table:
    with storage.open_input(path) as file:
        try:
            bounded = BoundedParquet(file)
            _check_columns(path, bounded.schema.names)
            if sum(bounded.group_rows) > MAX_ROWS:
                raise ValueError(f"it has more than {MAX_ROWS:,} rows")
            names = bounded.schema.names
            schema = pa.schema([(name, KINDS[name]) for name in names])
            batches: list[pa.RecordBatch] = []
            size = 0
            for group in range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, names, ROW_GROUP_ROWS):
                    batches.append(_cast(path, batch, schema))
                    size += batches[-1].nbytes
                    if size > MAX_BYTES:
                        raise ValueError(f"its rows take more than {MAX_BYTES:,} bytes")
        except ERRORS as error:
            raise HeadtailError(f"{path} is not a Parquet file of targets, or is damaged: {error}") from error
    return pa.Table.from_batches(batches, schema)


def _cast(path: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        column = batch[field.name]
        is_text = any(test(column.type) for test in (pa.types.is_string, pa.types.is_large_string))
        fits = is_text if pa.types.is_string(field.type) else not is_text
        try:
            if not fits and not pa.types.is_null(column.type):
                raise ValueError(f"it is {column.type}")
            if is_text and (longest := pc.max(pc.binary_length(column)).as_py() or 0) > MAX_TEXT_BYTES:
                raise ValueError(f"a value has {longest:,} bytes, expected at most {MAX_TEXT_BYTES:,}")
            columns.append(column.cast(field.type))
        except (ValueError, pa.ArrowException) as error:
            raise HeadtailError(f"{path}: column {field.name} is no column of {field.type}: {error}") from error
    return pa.record_batch(columns, schema=schema)


def _read_csv(path: str) -> pa.Table:
    columns: dict[str, list] = {}
    with open_list(path) as text:
        lines = csv.reader(text, strict=True)
        try:
            names = [name.strip() for name in next(lines, [])]
            _check_columns(path, names)
            columns = {name: [] for name in names}
            size = 0
            for row in lines:
                if not row:
                    continue
                if len(row) != len(names):
                    raise HeadtailError(
                        f"{path}: line {lines.line_num} has {counted(len(row), 'fields')}, expected {len(names)}"
                    )
                for name, value in zip(names, row, strict=True):
                    columns[name].append(_number(path, lines.line_num, name, value))
                size += sum(map(len, row))
                if len(columns[names[0]]) > MAX_ROWS or size > MAX_BYTES:
                    raise HeadtailError(f"{path} has more than {MAX_ROWS:,} rows, or {MAX_BYTES:,} characters")
        except csv.Error as error:
            raise HeadtailError(f"{path} is no CSV file of targets: {error}") from error
    return pa.table({name: pa.array(values, KINDS[name]) for name, values in columns.items()})


def _number(path: str, line: int, name: str, value: str) -> str | float | int | None:
    """Return a field as its column has it: an empty one is null."""
    if not value:
        return None
    try:
        if pa.types.is_string(KINDS[name]):
            if len(value.encode()) > MAX_TEXT_BYTES:
                raise HeadtailError(
                    f"{path}: line {line} has {name} of {len(value.encode()):,} bytes, expected at most "
                    f"{MAX_TEXT_BYTES:,}"
                )
            return value
        return pa.scalar(int(value), KINDS[name]).as_py() if name == "entry_id" else float(value)
    except (ValueError, OverflowError, pa.ArrowException):
        raise HeadtailError(f"{path}: line {line} has {name} {value[:80]!r}, expected a number") from None
