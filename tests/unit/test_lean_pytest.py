"""Workers keep no report to themselves that says something; modules without examples are imported."""

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.lean_pytest import _Imported, _with_few_words, pytest_collect_file

QUICK = {"when": "setup", "outcome": "passed", "sections": [], "duration": 0.001}


@pytest.mark.parametrize(
    ("name", "report", "is_sent"),
    [
        pytest.param("testreport", {}, False, id="a short set-up"),
        pytest.param("testreport", {"when": "teardown"}, False, id="a short end"),
        pytest.param("testreport", {"when": "call"}, True, id="the test"),
        pytest.param("testreport", {"outcome": "failed"}, True, id="a failed set-up"),
        pytest.param("testreport", {"outcome": "skipped"}, True, id="a skipped test"),
        pytest.param("testreport", {"when": "teardown", "outcome": "failed"}, True, id="a failed end"),
        pytest.param("testreport", {"duration": 0.01}, True, id="a long set-up"),
        pytest.param("testreport", {"sections": [("Captured stdout setup", "x")]}, True, id="a set-up that prints"),
        pytest.param("collectreport", {}, True, id="another report"),
        pytest.param("logstart", {}, False, id="the beginning"),
        pytest.param("logfinish", {}, False, id="the end"),
    ],
)
def test_only_what_says_nothing_is_left_out(name: str, report: dict, is_sent: bool) -> None:
    send = Mock()
    _with_few_words(send)(name, data=QUICK | report)
    assert send.called == is_sent


def _collected(path: Path, found: list, parent: pytest.Collector) -> list:
    collecting = pytest_collect_file(path, parent)
    next(collecting)
    with pytest.raises(StopIteration) as ended:
        collecting.send(found)
    return ended.value.value


def test_modules_without_examples_are_imported(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "with.py").write_text("'''\n>>> 1\n1\n'''\n")
    (tmp_path / "without.py").write_text("")
    parent, found = request.session, [Mock()]
    assert _collected(tmp_path / "with.py", found, parent) is found
    path = request.path.parent.parent / "lifeline.py"
    (only,) = _collected(path, found, parent)
    assert isinstance(only, _Imported)
    assert only.collect() == []
    assert "tests.lifeline" in sys.modules
    tests = request.node.parent
    assert _collected(tmp_path / "without.py", [Mock(), tests], parent) == [tests]
