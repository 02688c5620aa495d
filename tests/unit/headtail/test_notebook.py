"""The notebook runs from its first cell to its last, and what it says about its numbers is so."""

import ast
import json
from typing import Any

import pytest

import headtail
from tests.conftest import ROOT

NOTEBOOK = ROOT / "docs" / "first_set.ipynb"


def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; returns the value of its last line if that is an expression, as a notebook shows it."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), NOTEBOOK.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names) if last else None


def test_the_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)  # made afresh by who opens it
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [execute("".join(cell["source"]), names) for cell in cells]
    (forecast,) = [each for each in shown if isinstance(each, headtail.Forecast)]
    assert forecast._repr_svg_().startswith("<svg ")
    balanced, wish, both = names["balanced"], names["wish"], names["both"]
    assert abs(len(balanced) - wish) < 0.05 * wish
    assert set(balanced["url"]) < set(names["captions"]["url"])
    assert both["kept_share"].iloc[0] < 0.5  # the head is thinned
    assert both["kept_share"].iloc[-1] == 1.0  # the tail is whole
    assert names["matches"].drops["unmatched"] > 1000  # file names
    told = capsys.readouterr().out
    assert told.count("keep_probability  ") == 2
    assert "keep_probability  1: " in told.splitlines()[-1]
