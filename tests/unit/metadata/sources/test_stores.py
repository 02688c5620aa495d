"""Sources on an object store: they are read as on a disk, and an outage is no damage of the file."""

import bz2
import gzip
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from curation.core import remote, s3_store, storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from metadata.sources import dumps
from metadata.sources.dumps import read_pages, read_site
from metadata.sources.page_views import TitleSettings, ViewsTask, count_views
from metadata.sources.wordnet import read_names
from tests.dump_data import dump, multistream
from tests.faulty_store import Faults, FaultyStore, store_found_in

WORDS, WORD_CHARS, ROW_CHARS = 40, 10_000, 200
ROWS = WORDS * WORD_CHARS // ROW_CHARS


@cache
def words() -> list[str]:
    return [random.Random(number).randbytes(WORD_CHARS // 2).hex() for number in range(WORDS)]


@cache
def views() -> bytes:
    starts = range(0, WORD_CHARS, ROW_CHARS)
    return "".join(f"en {word[start : start + ROW_CHARS]} 1 0\n" for word in words() for start in starts).encode()


@cache
def pages() -> bytes:
    return dump((f"Page {number}", word) for number, word in enumerate(words()))


def streams() -> bytes:
    return multistream(pages(), range(0, len(pages()), 1 << 15))


def names() -> bytes:
    return "".join(f"1-n\tlemma\t{word}\n" for word in words()).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStore]:
    with FaultyStore(tmp_path_factory.mktemp("store")) as server, store_found_in(server) as fs:
        fs.mkdir("bucket")
        yield server


def count_rows(path: str) -> Receipt:
    return count_views(ViewsTask(path, "memory://views"), TitleSettings(("en",), 0, False, {}))


def count_pages(path: str) -> Receipt:
    receipt, site = Receipt(path), read_site(path)
    receipt.rows_out = sum(1 for _ in read_pages(path, 0, None, 1 << 20, site, receipt))
    return receipt


def count_names(path: str) -> Receipt:
    return read_names("fr", [path], first_only=False).receipt


@pytest.mark.parametrize(
    ("name", "packed", "read", "rows"),
    [
        pytest.param("views", views, count_rows, ROWS, id="plain_views"),
        pytest.param("views.gz", lambda: gzip.compress(views(), 0), count_rows, ROWS, id="views"),
        pytest.param("d.xml.bz2", streams, count_pages, WORDS, id="streams"),
        pytest.param("d.xml.bz2", lambda: bz2.compress(pages()), count_pages, WORDS, id="one_stream"),
        pytest.param("d.xml.gz", lambda: gzip.compress(pages(), 1), count_pages, WORDS, id="gzip"),
        pytest.param("fra.tab.gz", lambda: gzip.compress(names(), 1), count_names, WORDS, id="wordnet"),
    ],
)
def test_an_outage_is_no_damage(
    server: FaultyStore, monkeypatch: pytest.MonkeyPatch, name: str, packed: Any, read: Any, rows: int
) -> None:
    path = f"s3://bucket/{name}"
    monkeypatch.setattr(s3_store, "TRIES", 1)
    server.begin(Faults())
    storage.write_bytes(path, packed())
    monkeypatch.setattr(storage.filesystem(path)[0], "default_block_size", 1 << 14)
    monkeypatch.setattr(remote, "BUFFER_BYTES", 1 << 16)
    monkeypatch.setattr(dumps, "_READ", 1 << 16)
    server.begin(Faults())
    receipt = read(path)
    assert (receipt.rows_out, receipt.failures) == (rows, [])
    requests = server.requests.total()
    assert requests > 4
    server.begin(Faults(down_after=requests - 2))
    with pytest.raises(HeadtailError, match=f"^{path}.*start again when the store answers"):
        read(path)


def test_a_damaged_source_is_still_a_failure(server: FaultyStore) -> None:
    server.begin(Faults())
    storage.write_bytes("s3://bucket/cut.gz", gzip.compress(views(), 1)[:20_000])
    receipt = count_rows("s3://bucket/cut.gz")
    assert receipt.rows_out > 0
    assert len(receipt.failures) == 1
