"""The sitting that measures figures.json: what each part measures, going on after a stop, and the file it writes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.report.figures import measured
from tests.benchmarks.figures import __main__ as figures
from tests.benchmarks.figures.part import MEASURES
from tests.benchmarks.figures.parts import PARTS

ALL = {name: described for part in PARTS.values() for name, described in part.items()}


def values(name: str, *_: object) -> dict[str, float]:
    """Return what a part would have found: a number for each of its figures."""
    return {figure: 1.23456 + number for number, figure in enumerate(PARTS[name])}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a sitting whose parts are `measure`, and whose files lie in the test's folder."""
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    monkeypatch.setattr(figures, "KEPT", tmp_path / "build/kept.json")
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(figures, "PAGE_COMMAND", ["true"])
    monkeypatch.setattr(figures, "machine_name", lambda: "a processor, 2 cores")

    def sit(*arguments: str, measure: Callable[..., dict[str, float]] = values) -> int:
        monkeypatch.setattr(figures, "measure", measure)
        return figures.main(list(arguments))

    return sit


def test_a_sitting_measures_all_figures_and_each_once() -> None:
    assert len(ALL) == sum(map(len, PARTS.values()))
    assert measured().keys() == ALL.keys()
    assert {name: figure.unit for name, figure in measured().items()} == {
        name: described.unit for name, described in ALL.items()
    }
    assert MEASURES.keys() == PARTS.keys()


def test_a_whole_sitting_writes_what_an_estimate_reads(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run() == 0
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["machine"] == "a processor, 2 cores"
    assert len(written["date"]) == len("2026-11-27")
    entry = written["figures"]["match_core_seconds"]
    assert entry["value"] == 1.23, "three significant digits"
    assert entry.keys() == {"value", "unit", "command", "is"}
    assert entry["command"] == "make bench NAME=figures ARGS=parts=match"
    assert written["figures"].keys() == ALL.keys()
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {name: each["value"] for name, each in written["figures"].items()}
    assert not (tmp_path / "build/kept.json").exists()


def test_a_part_that_fails_is_measured_again_and_nothing_else_is(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def fails(name: str, *_: object) -> dict[str, float]:
        if name == "growth":
            raise RuntimeError("it has ended with 1")
        return values(name)

    seen: list[str] = []

    def counted(name: str, *_: object) -> dict[str, float]:
        seen.append(name)
        return values(name)

    assert run(measure=fails) == 1
    assert "growth: FAILED: it has ended with 1" in capsys.readouterr().out
    assert not (tmp_path / "figures.json").exists()
    assert run(measure=counted) == 0
    assert seen == ["growth"]
    assert (tmp_path / "figures.json").exists()


@pytest.mark.parametrize("arguments", [["scale=0.5"], ["parts=match,growth"], ["parts=match", "scale=1"]], ids=" ".join)
def test_less_than_a_whole_sitting_writes_no_figures(
    run: Callable[..., int], tmp_path: Path, arguments: list[str]
) -> None:
    assert run(*arguments) == 0
    assert not (tmp_path / "figures.json").exists()


def test_a_sitting_at_another_scale_takes_nothing_from_the_one_before(run: Callable[..., int]) -> None:
    seen: list[str] = []

    def counted(name: str, *_: object) -> dict[str, float]:
        seen.append(name)
        return values(name)

    assert run("scale=0.5") == 0
    assert run(measure=counted) == 0
    assert seen == list(PARTS)
    assert run("fresh=true", measure=counted) == 0
    assert seen == list(PARTS) * 2


@pytest.mark.parametrize(
    ("argument", "told"),
    [("part=match", "no such argument: part"), ("parts=matches", "no such part: matches; the parts")],
)
def test_a_mistake_is_told_before_anything_is_measured(run: Callable[..., int], argument: str, told: str) -> None:
    with pytest.raises(SystemExit, match=told):
        run(argument)
