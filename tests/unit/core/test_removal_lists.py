"""One format of removal lists: extraction, shards and the removal from finished shards read the same file."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.core.removal_lists import read_removals
from curation.core.uids import uid_of
from curation.images.ranges import Ranges
from curation.shards.perceptual_hash import IMAGEHASH, phash
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.shard_set import ShardSet
from tests.http_server import draw
from tests.shard_data import curated_rows
from tests.unit.extraction.settings import url_rules
from tests.unit.extraction.test_extract import extract_records, image, wat_record
from tests.unit.shards.settings import unique_rules
from tests.unit.shards.test_write import make_shards, samples, stored

URLS = [f"http://h.org/{index}.jpg" for index in range(6)]
WITH_HASH = "http://h.org/#/a.jpg"


def noise(seed: int) -> bytes:
    return draw(seed, size=(64, 64))


def write_list(folder: Path, images: dict[str, bytes]) -> str:
    """A list with a line of each kind: images 0 to 3 of URLS; saved by an editor that writes a byte order mark."""
    path = folder / "removals.txt"
    lines = [
        uid_of(URLS[0]),
        "# opt-outs of January",
        "",
        f"  {URLS[1]}  ",
        hashlib.sha256(images[URLS[2]]).hexdigest().upper(),
        phash(images[URLS[3]], IMAGEHASH),
        WITH_HASH,
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    return str(path)


def test_the_same_file_is_read_by_every_stage(tmp_path: Path) -> None:
    images = {url: noise(index) for index, url in enumerate(URLS)}
    path = write_list(tmp_path, images)

    links = [image(url, alt=f"kite {index}") for index, url in enumerate(URLS)]
    receipt, rows = extract_records(tmp_path, wat_record("http://h.org/", links), urls=url_rules(removals=(path,)))
    assert [row["url"] for row in rows] == URLS[2:], "no image is there yet whose hashes could be compared"
    assert receipt.drops == {"removed": 2}

    ranges = Ranges(1, 0)
    downloads, lists = stored(tmp_path, curated_rows(URLS), images, ranges)
    for near, left in ((False, URLS[3:]), (True, URLS[4:])):
        part = make_shards(tmp_path, downloads, lists, ranges, rules=unique_rules(near, (path,)))
        assert sorted(meta["url"] for meta, *_ in samples(tmp_path)) == left
        assert part.manifest["drops"] == {"removed": 6 - len(left)}

    make_shards(tmp_path, downloads, lists, ranges)
    (part,) = ShardSet(f"{tmp_path}/shards").parts()
    for task in plan_removing(part):
        assert remove_from_shard(task, read_removals((path,))).check().drops == {"removed": 3}
    assert sorted(meta["url"] for meta, *_ in samples(tmp_path)) == URLS[3:]


def test_a_line_is_of_one_of_four_kinds(tmp_path: Path) -> None:
    images = {url: noise(index) for index, url in enumerate(URLS)}
    removals = read_removals((write_list(tmp_path, images), "0" * 24, "HTTP://h.org/b.jpg"))
    uids = [uid_of(URLS[0]), uid_of(URLS[1]), uid_of(WITH_HASH), "0" * 24, uid_of("HTTP://h.org/b.jpg")]
    assert removals.values["uid"].astype(str).tolist() == sorted(uids)
    assert [removals.count(kind) for kind in ("uid", "sha256", "phash")] == [5, 1, 1]


@pytest.mark.parametrize(
    "text",
    [
        b"abc",
        b"0" * 23,
        b"g" * 24,
        b"0" * 24 + b" 1",
        b"0" * 24 + b" # a comment",
        b"ftp://h.org/a.jpg",
        b"http://",
        b"\xff",
        b"http://h.org/\xff.jpg",
    ],
    ids=["word", "23 digits", "letters", "two cells", "comment", "scheme", "no host", "no UTF-8", "URL, no UTF-8"],
)
def test_any_other_line_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "removals.txt"
    path.write_bytes(b"0" * 24 + b"\n" + text)
    with pytest.raises(HeadtailError, match=r"removals.txt, line 2: expected a uid \(24 hex digits\), a URL"):
        read_removals((str(path),))


def test_a_list_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "removals.txt"
    for digit in "12":
        path.write_text(digit * 24 + "\n" + digit * 64)
        found = read_removals((str(path), "0" * 16)).values
        assert {kind: values.astype(str).tolist() for kind, values in found.items()} == {
            "phash": ["0" * 16],
            "uid": [digit * 24],
            "sha256": [digit * 64],
        }


def test_rows_are_compared_by_the_columns_that_they_have() -> None:
    removals = read_removals(("a" * 24, "b" * 64, "c" * 16))
    uids, hashes = pa.array(["a" * 24, "d" * 24, "d" * 24]), pa.array(["d" * 64, "b" * 64, "d" * 64])
    phashes = pa.chunked_array([["d" * 16, None], ["c" * 16]], pa.string())
    assert removals.mask({"uid": uids}).tolist() == [True, False, False]
    assert removals.mask({"uid": uids, "sha256": hashes}).tolist() == [True, True, False]
    assert removals.mask({"uid": uids, "sha256": hashes, "phash": phashes}).tolist() == [True, True, True]
    assert read_removals(()).mask({"uid": uids}).tolist() == [False] * 3
    assert removals.mask({"uid": pa.array([], pa.string())}).dtype == np.bool_


def test_a_url_with_backslashes_is_removed_from_old_and_new_tables(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("http:\\\\h.org\\a.jpg\nhttp://h.org/b\\c.jpg?d\\e\n")
    removals = read_removals((str(tmp_path / "list.txt"), "http://h.org\\z.jpg"))
    for url in ("http://h.org/a.jpg", "http://h.org/b\\c.jpg?d\\e", "http://h.org/b/c.jpg?d\\e", "http://h.org/z.jpg"):
        assert removals.mask({"uid": pa.array([uid_of(url)])}).all(), url
    assert not removals.mask({"uid": pa.array([uid_of("http://h.org/b/c.jpg?d/e")])}).any()
