"""Every list of a user is read in every form in which editors and programs save texts."""

import codecs
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.removal_lists import read_removals
from curation.core.text_lists import check_list, read_lines
from curation.extraction.path_lists import listed_paths
from curation.extraction.text_rules import word_pattern
from curation.extraction.user_lists import read_hosts
from curation.matching.entry_lists import read_entries

ITEMS = ["http://h.org/é/1.jpg", "http://h.org/2.jpg", "http://h.org/3.jpg"]
TEXT = "\n".join(ITEMS) + "\n"
FORMS = {
    "plain": TEXT.encode(),
    "mark": codecs.BOM_UTF8 + TEXT.encode(),
    "mark, CR LF": codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(),
    "CR": TEXT.replace("\n", "\r").encode(),
    "no last end": TEXT.encode()[:-1],
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, big endian, CR LF": codecs.BOM_UTF16_BE + TEXT.replace("\n", "\r\n").encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
}


def words_of(path: str) -> list[str]:
    pattern = word_pattern(path.replace("en.txt", "{lang}.txt"), "en")
    assert pattern
    return [item for item in ITEMS if pattern.fullmatch(item)]


READERS: dict[str, Callable[[str], object]] = {
    "lines": lambda path: list(read_lines(path)),
    "removals": lambda path: read_removals((path,)).values["uid"].tolist(),
    "hosts": lambda path: sorted(read_hosts((path,))),
    "words": words_of,
    "paths": lambda path: listed_paths(path, "http://h.org/", absolute_paths=False),
    "entries": lambda path: read_entries(path).texts.to_pylist(),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_list_is_read_in_every_form(tmp_path: Path, reader: str, form: str) -> None:
    (tmp_path / "plain").mkdir()
    plain, path = tmp_path / "plain/en.txt", tmp_path / "en.txt"
    plain.write_bytes(FORMS["plain"])
    expected = READERS[reader](str(plain))
    assert len(expected) == 3  # type: ignore[arg-type]  # all are lists
    packed = gzip.compress(FORMS[form], mtime=0)
    for data in (FORMS[form], packed) if reader != "entries" else (FORMS[form],):
        path.write_bytes(data)
        word_pattern.cache_clear()
        read_hosts.cache_clear()
        assert READERS[reader](str(path)) == expected
        check_list(str(path))


def test_lists_that_were_joined_have_marks_within(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(FORMS["mark"] * 2)
    assert list(read_lines(str(tmp_path / "list.txt"))) == ITEMS * 2


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(gzip.compress(b"one\n" * 999, mtime=0)[:-9], "is a damaged gzip file", id="gzip cut off"),
        pytest.param("eins\n".encode("utf-16-le"), "found zero bytes", id="UTF-16 without a mark"),
        pytest.param("eins\n".encode("utf-16")[:-1], "is no text in UTF-8, or in UTF-16", id="UTF-16 cut off"),
        pytest.param(gzip.compress(b"PAR1\0\0", mtime=0), "found zero bytes", id="packed table"),
        pytest.param(b"BZh91AY&SY", "is a bzip2 file: unpack it, or pack it with gzip", id="bzip2"),
        pytest.param(b"\x28\xb5\x2f\xfd\x04\x00", "is a zstd file: unpack it", id="zstd"),
        pytest.param(b"PK\x03\x04\x14\x00", "is a zip file: unpack it", id="zip"),
    ],
)
def test_a_file_that_is_no_list_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(HeadtailError, match=f"{tmp_path}/list.txt .*{told}"):
        check_list(str(tmp_path / "list.txt"))


@pytest.mark.parametrize(
    "data", ['["a/1.wat.gz"]', pytest.param('[\n  "a/1.wat.gz"\n]', id="lines"), '{"paths": ["a/1.wat.gz"]}']
)
def test_a_list_of_paths_of_json_is_refused(tmp_path: Path, data: str) -> None:
    (tmp_path / "a.paths").write_text(data)
    with pytest.raises(HeadtailError, match=r"a.paths is JSON: expected a text file with one path per line"):
        listed_paths(str(tmp_path / "a.paths"), "http://h.org/", absolute_paths=False)


def test_a_list_of_paths_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.paths").write_bytes(b"a/caf\xe9.wat.gz\n")
    with pytest.raises(HeadtailError, match=r"a.paths is no text in UTF-8"):
        listed_paths(str(tmp_path / "a.paths"), "http://h.org/", absolute_paths=False)
