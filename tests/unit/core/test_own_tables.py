"""The tables of runs are inputs only where a path names them."""

import json
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.storage import write_bytes

MANIFEST = json.dumps({"id": "a", "stage": "extract_pairs"}).encode()
FILES = {
    "captions/a.parquet": b"x",
    "captions/more/b.parquet": b"x",
    "captions/_manifest.json": b'{"files": []}',  # of another program
    "run/pairs/part-00000/00000.parquet": b"x",
    "run/pairs/part-00000/_manifest.json": MANIFEST,
    "run/pairs/part-00001/00000.parquet": b"x",
    "run/shards/00000.parquet": b"x",
    "run/shards/_manifest.json": MANIFEST,
    "run2/shards/00000.parquet": b"x",
    "run2/shards/_manifest.json": MANIFEST,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        write_bytes(str(tmp_path / name), data)
    return tmp_path


def listed(folder: Path, path: str) -> list[str]:
    files = list_files([f"{folder}/{path}".rstrip("/")], (".parquet",), own=[f"{folder}/run/pairs"])
    return [str(Path(file.path).relative_to(folder)) for file in files]


CAPTIONS = ["captions/a.parquet", "captions/more/b.parquet"]
PAIRS = ["run/pairs/part-00000/00000.parquet", "run/pairs/part-00001/00000.parquet"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("", CAPTIONS, id="a folder that holds runs"),
        pytest.param("*/*/*.parquet", CAPTIONS[1:], id="a glob of folders"),
        pytest.param("**/*.parquet", CAPTIONS, id="a glob of all folders"),
        pytest.param("run/pairs", PAIRS, id="a table"),
        pytest.param("run/pairs/part-00000", PAIRS[:1], id="a part"),
        pytest.param("run/pairs/part-*/*.parquet", PAIRS, id="a glob of parts"),
        pytest.param("run/shards", ["run/shards/00000.parquet"], id="a set of shards"),
        pytest.param("run/shards/*.parquet", ["run/shards/00000.parquet"], id="a glob of shards"),
        pytest.param(
            "*/shards/*.parquet", ["run/shards/00000.parquet", "run2/shards/00000.parquet"], id="sets by name"
        ),
        pytest.param("run/shards/00000.parquet", ["run/shards/00000.parquet"], id="a file"),
    ],
)
def test_a_table_is_an_input_where_it_is_named(folder: Path, path: str, expected: list[str]) -> None:
    assert listed(folder, path) == expected


def test_an_error_says_that_tables_were_left_out(folder: Path) -> None:
    with pytest.raises(
        HeadtailError, match=r"run is a folder and names no file .*, but 3 in tables .*: name the folder"
    ):
        listed(folder, "run")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("", CAPTIONS, id="folder"),
        pytest.param("*/*.parquet", CAPTIONS[:1], id="glob"),
        pytest.param("**/*.parquet", CAPTIONS, id="all folders"),
        pytest.param("run/pairs", PAIRS, id="table"),
        pytest.param("run/shards/*.parquet", ["run/shards/00000.parquet"], id="glob of shards"),
    ],
)
def test_tables_in_a_folder_with_brackets_are_left_out(tmp_path: Path, path: str, expected: list[str]) -> None:
    for name, data in FILES.items():
        write_bytes(f"{tmp_path}/[run]/{name}", data)
        write_bytes(f"{tmp_path}/r/{name}", data)  # the glob `[run]` matches this folder
    assert listed(tmp_path / "[run]", path) == expected
