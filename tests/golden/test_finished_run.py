"""A run that commit 0452625 finished is finished for every later version: each stage says that it is done."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from jobs import extract_pairs
from tests.golden.finished_run import SESSION, laid_out, run_all

RUNS = ("run", "second", "webdataset")
STAGES = (
    "extract_pairs", "match_pairs", "count_entries", "balance_pairs", "download_images", "write_shards", "report_stats",
)  # fmt: skip


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".npy", ".trie") and ".compiled" not in path.parts
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    with laid_out() as folder:
        yield folder


def test_every_stage_of_an_old_run_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(folder)
    monkeypatch.chdir(folder)
    run_all()
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().err.splitlines()]
    told: dict[str, dict[str, str]] = {}
    for stage, text in lines:
        if stage == "run":
            run = text
        elif stage not in told.setdefault(run, {}):
            told[run][stage] = text
    assert {run: list(stages) for run, stages in told.items() if run in RUNS} == {
        run: [*STAGES, "curate"] for run in RUNS
    }
    done = {(run, stage): text for run, stages in told.items() for stage, text in stages.items() if stage != "curate"}
    assert len(done) == len(RUNS) * len(STAGES) + 3
    assert [key for key, text in done.items() if not text.startswith("is done: ")] == []
    assert files_of(folder) == before


@pytest.mark.parametrize(
    ("run", "given"),
    [
        ("warc-run", ["source=warc", "source.paths=warc"]),
        ("table", ["source=table", "source.paths=captions", "source.names=url,text", "source.limit=7"]),
    ],
)
def test_overwriting_a_later_stage_makes_no_pairs_again(
    folder: Path, run: str, given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer rules are no other settings: `overwrite=true` is also how curate replaces shards."""
    before = files_of(folder)
    monkeypatch.chdir(folder)
    config = [f"output=./{run}", *SESSION, *given, "overwrite=true"]
    extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, config))
    assert "is done: " in capsys.readouterr().err
    assert files_of(folder) == before
