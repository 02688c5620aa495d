"""A replaced run writes nothing; a machine that does not see the fence is named."""

import errno
from pathlib import Path

import pytest

from curation.core import storage
from curation.core.errors import HeadtailError, faults_as_lines
from curation.core.fences import Fence
from curation.core.tables import sweep


def test_a_holder_writes_and_the_fence_goes(tmp_path: Path) -> None:
    with Fence(f"{tmp_path}/.writer") as fence, fence.held():
        storage.write_bytes(f"{tmp_path}/a", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_holder_that_was_replaced_writes_nothing(tmp_path: Path) -> None:
    old, new = Fence(f"{tmp_path}/.writer"), Fence(f"{tmp_path}/.writer")
    old.__enter__()
    with old.held():
        with new, pytest.raises(HeadtailError, match="another run has started"):
            storage.write_bytes(f"{tmp_path}/a", b"old")
        with pytest.raises(HeadtailError, match="another run has started"):
            storage.write_bytes(f"{tmp_path}/a", b"after the new one's end")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HeadtailError, match="this run stops"):
        old.__exit__(None, None, None)


def test_a_holder_whose_folder_was_emptied_leaves_nothing(tmp_path: Path) -> None:
    fence = Fence(f"{tmp_path}/part/.writer")
    fence.__enter__()
    file = storage.AtomicFile(f"{tmp_path}/part/a")
    file.__enter__()
    with fence.held():
        storage.remove(f"{tmp_path}/part")
        with pytest.raises(HeadtailError, match="another run has started"):
            file.__exit__(None, None, None)
    assert not (tmp_path / "part").exists()


def test_a_machine_that_does_not_see_the_folder_is_named(tmp_path: Path) -> None:
    fence = Fence(f"{tmp_path}/elsewhere/.writer")
    with pytest.raises(HeadtailError, match=r"does not see .*elsewhere/\.writer.* storage that all machines share"):
        fence.held().__enter__()


@pytest.mark.parametrize(
    ("path", "told"),
    [("run/.writer", "so give whole paths: output=/..."), ("/no/.writer", "share"), ("memory://no/.writer", "share")],
)
def test_a_relative_path_that_a_machine_does_not_see_is_to_be_absolute(path: str, told: str) -> None:
    with pytest.raises(HeadtailError) as error:
        Fence(path).held().__enter__()
    assert str(error.value).endswith(told)


def test_what_goes_wrong_in_writing_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(HeadtailError, match=rf"{tmp_path}/a: No space left on device$"),
        faults_as_lines(),
        storage.AtomicFile(f"{tmp_path}/a"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="protocol"), faults_as_lines():
        raise OSError(errno.EPROTO, "protocol error")


def test_sweeping_takes_what_killed_tasks_left(tmp_path: Path) -> None:
    for name in (".a.parquet.12345678.tmp", ".writer", ".range-000001.parquet.writer", "a.parquet", "_manifest.json"):
        (tmp_path / name).write_text("")
    (tmp_path / ".spool-x.tmp").mkdir()
    (tmp_path / ".work-1").mkdir()
    sweep(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".work-1", "_manifest.json", "a.parquet"]
