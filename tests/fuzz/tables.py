"""Crafted tables: Parquet with false claims, lines of nasty pieces.

python -m tests.fuzz.tables variants=100000 seed=1
"""

import gzip
import io
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa

from curation.sources.archives import ReadLog
from curation.sources.caption_tables import TableReader
from curation.sources.table_columns import column_faults
from tests.fuzz.harness import command_line, run_variants
from tests.hostile_parquet import parquet, varint
from tests.unit.extraction.settings import table_columns

COLUMNS = [
    table_columns(carry=(("note", "note"),)),
    table_columns(texts=(("alt", "text"), ("note", "note")), carry=(("carried", "text"), ("note", "note"))),
    table_columns(carry=(("note", "note"),), csv_escape="backslash"),
]
GROWTH_BYTES = 1 << 30
VALUES: list[Any] = ["", "a", "http://h.org/a.jpg", "é😀", "x" * 3000, "x" * 200_000, "a\nb", None]
NOTES = [
    pa.array([1 << 62], pa.timestamp("us")), pa.array([-(1 << 62)], pa.timestamp("ns", "UTC")),
    pa.array([b"\xff\xfe"], pa.binary()).view(pa.string()), pa.array([b"\xff"]), pa.array([[1]]),
    pa.array([{"a": [1]}]), pa.array([1.5]), pa.array([None]), pa.array([True]), pa.array([1 << 30], pa.date32()),
    pa.array([b"ab"], pa.binary(2)), pa.array(["a"], pa.large_string()), pa.array([7], pa.uint8()),
    pa.array([["a", None, "x" * 5000]]), pa.array([["a", "b"]], pa.list_(pa.string(), 2)), pa.array([[["a"], None]]),
    pa.array([[{"t": "a", "n": [1.5, None]}]]), pa.array([[("k", b"\xff")]], pa.map_(pa.string(), pa.binary())),
    pa.array([[b"\xff\xfe"]]), pa.array([[1 << 62]], pa.list_(pa.timestamp("us"))), pa.array([1.5], pa.float16()),
    pa.array([["a"] * 300], pa.large_list(pa.string())), pa.array([bytes(16)], pa.uuid()),
    pa.array([Decimal("1.5")]), pa.array([1], pa.time64("ns")), pa.array([1], pa.duration("ns")),
    pa.array(["a"]).dictionary_encode(), pa.array([7]).dictionary_encode(),
]  # fmt: skip
PIECES = [
    b"url\ttext\tnote\n", b"url,text,note\n", b"http://h.org/a", b"\t", b",", b'"', b'""', b"\r\n", b"\n", b"\0",
    b"\xff",
    b"\xef\xbb\xbf", b'{"url":"http://h.org/a","text":"a","note":', b"[", b"{", b"]", b"}", b":", b"1e999",
    b"\\ud800",
    b'","', b'"\n"', b"x" * 1000, b"\t" * 300, b"[" * 500, b"\\", b"-", b"9" * 400, b"null", b"caf\xe9",
    b"\x1f\x8b\x08", b'\\"', b'\\\\', b"\r", b'a",""",', b'[{"url":"http://h.org/a","text":["a","b",7,{}]},\n', b"},",
    b'{"url":"http://h.org/a","text":"a","note":{"a":[true]}}', b'http://h.org/a,"a \\"red\\" kite",n\n',
]  # fmt: skip
MARKS = [(b"", "utf-8")] * 6 + [
    (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe\0\0", "utf-32-le"),
]  # fmt: skip


def make(rng: random.Random) -> tuple[str, bytes]:
    """Return name and bytes of a table."""
    if rng.random() < 0.6:
        return "a.parquet", _parquet(rng)
    name = rng.choice(("a.tsv", "a.csv", "a.jsonl"))
    data = b"".join(rng.choice(PIECES) * rng.choice((1, 1, 1, 2, 30)) for _ in range(rng.randrange(60)))
    if rng.random() < 0.7:
        data = (b"[" if name == "a.jsonl" else PIECES[name == "a.csv"]) + data
    mark, encoding = rng.choice(MARKS)
    data = mark + (data if encoding == "utf-8" else data.decode("latin-1").encode(encoding))
    if rng.random() < 0.3:
        name, data = f"{name}.gz", gzip.compress(data, 1, mtime=0)
        data = data[: rng.randrange(len(data))] if rng.random() < 0.2 else data
    return name, data


def _parquet(rng: random.Random) -> bytes:
    rows = rng.choice((0, 1, 3, 50))
    columns = {name: pa.array(rng.choices(VALUES, k=rows), pa.string()) for name in ("url", "text")}
    note = rng.choice(NOTES)
    columns["note"] = pa.concat_arrays([note] * rows) if rows else note[:0]
    names, arrays = list(columns), list(columns.values())
    if rng.random() < 0.1:
        names, arrays = [*names, rng.choice(names)], [*arrays, arrays[0]]
    table = pa.Table.from_arrays(arrays, names)
    plain = rng.random() < 0.5
    texts = {"text": rng.choice(("PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"))} if plain else None
    data = parquet(
        table, use_dictionary=not plain, column_encoding=texts if len(set(names)) == len(names) else None,
        compression=rng.choice(("none", "snappy", "zstd", "gzip", "lz4", "brotli")), store_schema=rng.random() < 0.5,
        data_page_version=rng.choice(("1.0", "2.0")), row_group_size=rng.choice((1, 7, 1000)),
        data_page_size=rng.choice((1, 1000, 1 << 20)), write_statistics=rng.random() < 0.5,
    )  # fmt: skip
    return _damaged(data, rng) if rng.random() < 0.8 else data


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """Change some bytes of the footer or of the pages; a footer that grows keeps its length right."""
    size = int.from_bytes(data[-8:-4], "little")
    body, footer = bytearray(data[: -8 - size]), bytearray(data[-8 - size : -8])
    for _ in range(rng.choice((1, 1, 2, 5))):
        part = rng.choice((body, footer))
        at = rng.randrange(len(part))
        match rng.randrange(4):
            case 0:
                part[at] ^= 1 << rng.randrange(8)
            case 1:
                part[at] = rng.randrange(256)
            case 2:
                number = rng.choice((-1, 0, 1 << 20, (1 << 31) - 1, 1 << 40, (1 << 63) - 1))
                part[at : at + rng.choice((0, 1, 2))] = varint(number)
            case 3:
                del part[at : at + rng.choice((1, 2, 50))]
        if not part:
            break
    return bytes(body) + bytes(footer) + len(footer).to_bytes(4, "little") + b"PAR1"


def read(name: str, data: bytes) -> str:
    """Read a table by both versions of the rules, count it, and return what came of it."""
    columns = COLUMNS[len(data) % len(COLUMNS)]
    for _ in TableReader(io.BytesIO(data), ReadLog(max_bytes=1 << 28), name, columns, rules=1):
        pass
    assert isinstance(column_faults(io.BytesIO(data), name, columns), list)
    log = ReadLog(max_bytes=1 << 28)
    reader = TableReader(io.BytesIO(data), log, name, columns)
    rows = 0
    for links in reader:
        for values in (links.urls, *links.texts.values(), *links.carry.values()):
            assert len(values) == len(links)
            values.validate(full=True)
        rows += len(links)
    lost = reader.drops["bad_row"] + reader.drops["reader_error"]
    assert rows >= reader.counts["records_read"] - lost
    assert all("a quote that never closes" in error for _, error in log.record_faults), log.record_faults
    assert TableReader(io.BytesIO(data), ReadLog(), name, columns).count() >= 0
    kind = "parquet" if name == "a.parquet" else "lines"
    return (
        f"{kind}_faults"
        if log.faults or log.faulty_records or reader.drops
        else f"{kind}_rows"
        if rows
        else f"{kind}_empty"
    )


def main(variants: int = 1000, seed: int = 1) -> dict[str, int]:
    """Check so many variants; returns the outcomes."""
    return run_variants(make, read, variants, seed, GROWTH_BYTES)


if __name__ == "__main__":
    command_line(main)
