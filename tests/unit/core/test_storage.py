"""Files are written atomically, and listed from folders and globs."""

import errno
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parquet_sink import ParquetSink
from curation.core.storage import exists, open_input, remove, remove_files, write_bytes


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = pa.record_batch({"n": pa.array([1, 2])})
    sink = ParquetSink(str(tmp_path / "a.parquet"), rows.schema)
    sink.__enter__().write(rows)
    sink.__exit__(RuntimeError, RuntimeError("killed"), None)
    assert list(tmp_path.iterdir()) == []


def test_a_parquet_file_depends_on_its_rows_not_on_their_batches(tmp_path: Path) -> None:
    rows = pa.record_batch({"n": pa.array(range(200_000))})
    for name, size in (("a", 200_000), ("b", 777)):
        with ParquetSink(str(tmp_path / name), rows.schema) as sink:
            for start in range(0, rows.num_rows, size):
                sink.write(rows.slice(start, size))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_inputs_are_files_of_folders_globs_and_names(tmp_path: Path) -> None:
    for name in ("a.wat", "b.wat.gz", "c.txt", ".d.wat", "sub/e.wat", "_x/f.wat"):
        write_bytes(str(tmp_path / name), b"x")
    folder = [Path(file.path).name for file in list_files([str(tmp_path)], (".wat", ".wat.gz"))]
    assert folder == ["a.wat", "b.wat.gz", "e.wat"]
    assert [Path(file.path).name for file in list_files([f"{tmp_path}/*.txt", f"{tmp_path}/a.wat"])] == [
        "a.wat",
        "c.txt",
    ]
    with pytest.raises(HeadtailError, match="nowhere names no file"):
        list_files([str(tmp_path / "nowhere")])


@pytest.mark.parametrize("path", ["", "/*/*.gz"], ids=["folder", "glob"])
def test_a_folder_that_cannot_be_listed_is_no_empty_one(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("0/a.gz", "1/a.gz", ".Trash-0/a.gz", "lost+found/a.gz"):
        write_bytes(str(tmp_path / name), b"x")
    scan, broken = os.scandir, [".Trash-0", "lost+found"]

    def scandir(folder: str) -> Any:
        if os.path.basename(folder) in broken:
            raise OSError(errno.ESTALE, "Stale file handle", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(list_files([f"{tmp_path}{path}"])) == 2
    broken.append("1")
    with pytest.raises(HeadtailError, match=rf"cannot be listed: OSError: .*Stale file handle: '{tmp_path}/1'$"):
        list_files([f"{tmp_path}{path}"])


ODD_NAMES = [
    "a[1].txt",
    "a*.txt",
    "a?.txt",
    "{a,b}.txt",
    "[!a].txt",
    "a[.txt",
    "**.txt",
    "set[1]/b.txt",
    "*/b.txt",
    "[x]/{y}/b.txt",
]
"""Names that are globs to some program."""


@pytest.mark.parametrize("scheme", ["", "memory://"])
@pytest.mark.parametrize("name", ODD_NAMES, ids=str)
def test_a_path_that_exists_as_it_stands_is_no_glob(tmp_path: Path, scheme: str, name: str) -> None:
    for each in (*ODD_NAMES, "a1.txt", "ab.txt", "set1/b.txt", "x/b.txt", "b.txt"):
        write_bytes(f"{scheme}{tmp_path}/{each}", b"x")

    def listed(path: str) -> list[str]:
        return [file.path.partition(f"{tmp_path}/")[2] for file in list_files([f"{scheme}{tmp_path}/{path}"])]

    assert listed(name) == [name]
    if folder := name.rpartition("/")[0]:
        assert listed(folder) == [name]
        assert listed(f"{folder}/*.txt") == listed(f"{folder}/**/?.txt") == [name]


def test_what_does_not_exist_is_a_glob(tmp_path: Path) -> None:
    for name in ("a1.txt", "a2.txt", "set[1]/a1.txt"):
        write_bytes(f"{tmp_path}/{name}", b"x")
    assert [Path(file.path).name for file in list_files([f"{tmp_path}/a[12].txt"])] == ["a1.txt", "a2.txt"]
    assert [Path(file.path).name for file in list_files([f"{tmp_path}/set[[]1]/a[12].txt"])] == ["a1.txt"]
    with pytest.raises(HeadtailError, match=r"set\[1\]/b\[12\].txt names no file: nothing matches it"):
        list_files([f"{tmp_path}/set[1]/b[12].txt"])


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_only_the_named_files_are_deleted(tmp_path: Path, scheme: str) -> None:
    for name in ("run[1]/part/a", "run[1]/part/b", "run1/part/a", "run[1]/c", "run1/c"):
        write_bytes(f"{scheme}{tmp_path}/{name}", b"x")
    remove(f"{scheme}{tmp_path}/run[1]/part")
    remove_files([f"{scheme}{tmp_path}/run[1]/c"])
    found = [exists(f"{scheme}{tmp_path}/{name}") for name in ("run[1]/part/a", "run[1]/c", "run1/part/a", "run1/c")]
    assert found == [False, False, True, True]


def test_a_path_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError) as found:
        open_input(str(tmp_path / "file/below"))
    assert found.value.filename == str(tmp_path / "file/below")
