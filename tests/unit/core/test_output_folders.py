"""Jobs write into new or empty folders, and into those that hold something of ours."""

from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from curation.core.output_folders import check_outputs
from curation.core.storage import write_bytes


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="empty"),
        pytest.param([".DS_Store", ".lease", "_SUCCESS"], id="hidden files"),
        pytest.param(["00000.tar", "_manifest.json", "mine.txt"], id="a set of shards"),
        pytest.param(["00000.tar", "00000.parquet", ".work-3f2a/selected/a.parquet"], id="shards half written"),
        pytest.param(["part-00000/00000.parquet"], id="a part half written"),
        pytest.param(["_rows/part-00000/_manifest.json"], id="rows that are counted"),
        pytest.param(["_ranges.json"], id="downloads that begin"),
        pytest.param(["en.npy", "zh.npy", "other.npy"], id="probabilities half written"),
        pytest.param(["en.npy", "repeats"], id="probabilities with repeats half written"),
        pytest.param(["index.html", ".work/00000.parquet"], id="a report half written"),
        pytest.param(["en.parquet", "_wikis/en.json"], id="entry lists half written"),
    ],
)
def test_a_folder_of_ours_may_be_written(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write_bytes(str(tmp_path / "run/table" / name), b"x")
    check_outputs([f"{tmp_path}/run/table"], None)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["00000.parquet", "00000.tar", "00000_stats.json"], id="shards of img2dataset"),
        pytest.param(["train.npy"], id="arrays"),
        pytest.param(["index.html"], id="a site"),
        pytest.param(["en.txt", ".compiled/en.trie"], id="lists of the user"),
        pytest.param(["part-00000-abc.parquet", "_SUCCESS"], id="a table of Spark"),
    ],
)
def test_a_folder_of_other_files_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write_bytes(str(tmp_path / "mine" / name), b"x")
    told = f"mine is not empty and holds nothing of headtail, but {names[0]}: choose a new or empty folder"
    with pytest.raises(HeadtailError, match=told):
        check_outputs([f"{tmp_path}/new", f"{tmp_path}/mine/"], None)
    with pytest.raises(HeadtailError, match=told):
        check_outputs([f"{tmp_path}/mine/pairs"], f"{tmp_path}/mine/")
    check_outputs([f"{tmp_path}/elsewhere/pairs"], f"{tmp_path}/mine")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(HeadtailError, match=r"notes.txt/pairs cannot be a folder: .*notes.txt is a file"):
        check_outputs([f"{tmp_path}/notes.txt/pairs"], f"{tmp_path}/notes.txt")
    with pytest.raises(HeadtailError, match=r"notes.txt cannot be a folder: .*notes.txt is a file"):
        check_outputs([f"{tmp_path}/notes.txt"], None)


def test_a_run_beside_other_files_goes_on(tmp_path: Path) -> None:
    write_bytes(str(tmp_path / "notes.txt"), b"x")
    with pytest.raises(HeadtailError, match="but notes"):
        check_outputs([f"{tmp_path}/pairs", f"{tmp_path}/matches"], str(tmp_path))
    write_bytes(str(tmp_path / "pairs/part-00000/00000.parquet"), b"x")
    check_outputs([f"{tmp_path}/pairs", f"{tmp_path}/matches"], str(tmp_path))


@pytest.mark.parametrize("name", ["sizes.json", "_manifest.json", "part-00000"])
def test_a_run_is_not_put_into_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(HeadtailError, match="is a table or a set of shards: output is the folder of a run"):
        check_outputs([f"{tmp_path}/pairs"], str(tmp_path))
