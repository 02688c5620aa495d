"""clean on a finished run: room is freed, the run stays finished, and what can no longer be done is one line."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import CleanConfig, CurateConfig, WriteShardsConfig
from curation.core.errors import HeadtailError
from jobs import clean, curate, write_shards
from tests.jobs.conftest import Sample, tar_bytes

ALL = "what=pairs,matches,curated,lists,downloads"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def cleaned(run: Path, *settings: str) -> None:
    clean.run(compose_config("clean", CleanConfig, [f"output={run}", *settings]))


def size(run: Path) -> int:
    return sum(path.stat().st_size for path in run.rglob("*") if path.is_file())


def images(run: Path) -> list[Path]:
    return sorted(run.glob("downloads/part-*/*.tar"))


def test_a_cleaned_run_stays_finished_and_refuses_what_needs_the_files(
    sample: Sample, run: Path, capsys: pytest.CaptureFixture
) -> None:
    shards, before = tar_bytes(run), size(run)
    cleaned(run, ALL, "yes=true")
    told = capsys.readouterr().err
    number, unit = told.splitlines()[-1].split(" done: ")[1].split(" are free")[0].split(" ")
    freed = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
    assert before - size(run) == pytest.approx(freed, rel=0.02), "but for three digits, and the notes in the manifests"
    assert [line.split()[1] for line in told.splitlines()[:-1]] == [
        "pairs:", "matches:", "curated:", "lists:", "downloads:",
    ]  # fmt: skip
    assert tar_bytes(run) == shards

    sample.curate(run)
    done = [line.split()[0] for line in capsys.readouterr().err.splitlines() if " is done: " in line]
    assert len(done) == 7

    for changed, needed in (
        (["balance.tail_share=0.5", "overwrite=true"], "matches"),
        (["samples_per_shard=7", "overwrite=true"], "lists"),
        (["download.retry_failed=true"], "downloads"),
    ):
        config = compose_config("curate", CurateConfig, sample.overrides(run, *changed))
        with pytest.raises(HeadtailError, match=f"{needed}/part-00000 was cleaned on .* by clean, and its files are"):
            curate.run(config)
        assert tar_bytes(run) == shards
    cleaned(run, ALL, "yes=true")
    assert "is done: nothing is left to delete" in capsys.readouterr().err.splitlines()[-1]


def test_without_images_other_shards_are_refused_and_the_finished_ones_stay(sample: Sample, run: Path) -> None:
    shards = tar_bytes(run)
    cleaned(run, "what=downloads", "yes=true")
    tables = {path: path.read_bytes() for path in run.glob("*/part-*/_manifest.json")}
    for changed in ("samples_per_shard=7", "balance.tail_share=0.5", "matching.max_texts=1", "text.min_chars=9"):
        config = compose_config("curate", CurateConfig, sample.overrides(run, changed, "overwrite=true"))
        with pytest.raises(HeadtailError, match="downloads/part-00000 was cleaned"):
            curate.run(config)
        assert tar_bytes(run) == shards
        assert {path: path.read_bytes() for path in run.glob("*/part-*/_manifest.json")} == tables
    assert (run / "shards/_manifest.json").exists()


def test_shards_without_a_table_of_downloads_are_refused_by_its_path(run: Path, tmp_path: Path) -> None:
    given = [f"output={run}", f"downloads={tmp_path}/none", "overwrite=true"]
    with pytest.raises(HeadtailError, match="none holds no complete table: run download_images first"):
        write_shards.run(compose_config("write_shards", WriteShardsConfig, given))


@pytest.mark.parametrize(("answer", "deleted"), [("y", True), ("", False), ("no", False), (None, False)])
def test_on_a_terminal_it_asks(run: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None, deleted: bool) -> None:
    terminal = io.StringIO("" if answer is None else f"{answer}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    if deleted:
        cleaned(run, "what=downloads")
    else:
        with pytest.raises(HeadtailError, match=r"^nothing is deleted"):
            cleaned(run, "what=downloads")
    assert bool(images(run)) != deleted


def test_without_a_terminal_it_deletes_nothing(run: Path) -> None:
    command = [sys.executable, "-m", "jobs.clean", f"output={run}", "what=downloads"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1
    assert "headtail clean: there is no terminal to ask on, so nothing is deleted: set yes=true" in done.stderr
    assert images(run)
    assert not list(run.rglob(".lease"))
