"""The public names: all are there, importing the package costs nothing, and nothing of it needs Spark."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import headtail
from conf.schema.topics import BalanceConfig, MatchingConfig
from headtail import entry_list, goals, matching
from tests.conftest import ROOT

MODULES = sorted(f"headtail.{path.stem}" for path in (ROOT / "headtail").glob("*.py") if path.stem[0] != "_")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_public_name_is_there_and_documented() -> None:
    assert sorted(headtail.__all__) == headtail.__all__
    for name in headtail.__all__:
        assert getattr(headtail, name).__doc__, name
    assert set(headtail.__all__) <= set(dir(headtail))
    assert (ROOT / "headtail" / "py.typed").is_file()
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert [name for name in headtail.__all__ if f"`{name}" not in page] == []


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'balance_everything'"):
        _ = headtail.balance_everything


@pytest.mark.parametrize("form", ["curation/__init__.py", "curation.py"], ids=["package", "module"])
@pytest.mark.parametrize("first", ["", "import curation; "], ids=["unseen", "imported"])
def test_a_foreign_package_in_the_way_is_named(form: str, first: str, tmp_path: Path) -> None:
    (tmp_path / form).parent.mkdir(exist_ok=True)
    (tmp_path / form).write_text("MINE = 1\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {first}import headtail; headtail.EntryList"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("ImportError: headtail needs its own package curation, ")
    assert f"{tmp_path}/curation" in line


def test_importing_it_imports_nothing_else() -> None:
    """The command line imports the package first, and `--help` is to take no time."""
    told = python(
        "import sys\nbefore = set(sys.modules)\nimport headtail\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    assert told == "headtail\n"


def test_no_module_needs_spark_or_hydra_or_torch() -> None:
    assert len(MODULES) > 8
    blocked = (
        "pyspark",
        "py4j",
        "hydra",
        "omegaconf",
        "conf",
        "jobs",
        "torch",
        "datasets",
        "webdataset",
        "img2dataset",
    )
    told = python(
        f"import importlib, sys\nsys.modules.update(dict.fromkeys({blocked}))\n"
        f"for name in {MODULES}:\n    importlib.import_module(name)\n"
        "print('pandas' in sys.modules)"
    )
    assert told == "False\n"  # only who has a DataFrame pays for pandas


def test_defaults_are_those_of_the_jobs() -> None:
    defaults = {field.name: field.default for field in (*fields(BalanceConfig), *fields(MatchingConfig))}
    assert defaults["max_texts"] == matching.MAX_TEXTS
    assert defaults["reference"] == goals.REFERENCE == entry_list.REFERENCE
    assert goals.Goal.others == defaults["others"]
    for name in ("balance", "draw", "thresholds", "forecast"):
        given = getattr(matching.Matches, name).__kwdefaults__
        assert (given["unit"], given["others"]) == (defaults["unit"], defaults["others"])
    assert headtail.EntryList([]).edges == defaults["edges"]


def test_the_type_checker_knows_the_names(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(
        "import headtail\n"
        "matches = headtail.match(['a dog'], headtail.EntryList(['dog']))\n"
        "share: float = matches.counts.tail_share(2)\n"
        "wrong: str = matches.counts.tail_share(2)\n"
        "headtail.balance_everything\n"
    )
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(tmp_path / "user.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert [line.split(": ")[0].split(":")[1] for line in done.stdout.splitlines() if ": error: " in line] == ["4"], (
        done
    )
