"""Lists of users may be gzip, by their bytes and not by their names."""

import gzip
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.text_lists import check_list, open_list


@pytest.mark.parametrize("name", ["list.txt", "list.gz"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_list_is_read_packed_or_plain(tmp_path: Path, name: str, packed: bool) -> None:
    data = b"one\ntwo\n"
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / name).write_bytes(gzip.compress(mark + data, mtime=0) if packed else mark + data)
        check_list(str(tmp_path / name))
        with open_list(str(tmp_path / name)) as file:
            assert file.read() == data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(gzip.compress(b"one\n" * 999, mtime=0)[:-9], "is a damaged gzip file", id="gzip cut off"),
        pytest.param("eins\n".encode("utf-16"), "expected lines of UTF-8, plain or gzip, found zero", id="UTF-16"),
        pytest.param(gzip.compress(b"PAR1\0\0", mtime=0), "found zero bytes", id="packed table"),
    ],
)
def test_a_file_that_is_no_list_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(HeadtailError, match=f"{tmp_path}/list.txt .*{told}"):
        check_list(str(tmp_path / "list.txt"))
