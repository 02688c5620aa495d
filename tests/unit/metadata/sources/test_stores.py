"""Sources on an object store: they are read as on a disk, and an outage is no damage of the file."""

import bz2
import gzip
import random
from collections.abc import Iterator
from typing import Any

import pytest

from curation.core import s3_store, storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from metadata.sources.dumps import read_pages, read_site
from metadata.sources.page_views import TitleSettings, ViewsTask, count_views
from metadata.sources.wordnet import read_names
from tests.dump_data import dump, multistream
from tests.faulty_store import Faults, FaultyStore, store_found_in

WORDS = [random.Random(number).randbytes(20_000).hex() for number in range(200)]
VIEWS = "".join(f"en {word[200 * at : 200 * at + 200]} 1 0\n" for word in WORDS for at in range(100)).encode()
PAGES = dump((f"Page {number}", word) for number, word in enumerate(WORDS))
NAMES = "".join(f"1-n\tlemma\t{word}\n" for word in WORDS).encode()


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
    ("name", "data", "read", "rows"),
    [
        pytest.param("views", VIEWS, count_rows, 20_000, id="plain_views"),
        pytest.param("views.gz", gzip.compress(VIEWS, 0), count_rows, 20_000, id="views"),
        pytest.param("d.xml.bz2", multistream(PAGES, range(0, len(PAGES), 1 << 19)), count_pages, 200, id="streams"),
        pytest.param("d.xml.bz2", bz2.compress(PAGES), count_pages, 200, id="one_stream"),
        pytest.param("d.xml.gz", gzip.compress(PAGES, 1), count_pages, 200, id="gzip"),
        pytest.param("fra.tab.gz", gzip.compress(NAMES, 1), count_names, 200, id="wordnet"),
    ],
)
def test_an_outage_is_no_damage(
    server: FaultyStore, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, read: Any, rows: int
) -> None:
    path = f"s3://bucket/{name}"
    monkeypatch.setattr(s3_store, "TRIES", 1)
    server.begin(Faults())
    storage.write_bytes(path, data)
    monkeypatch.setattr(storage.filesystem(path)[0], "default_block_size", 1 << 18)
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
    storage.write_bytes("s3://bucket/cut.gz", gzip.compress(VIEWS, 1)[:400_000])
    receipt = count_rows("s3://bucket/cut.gz")
    assert receipt.rows_out > 0
    assert len(receipt.failures) == 1
