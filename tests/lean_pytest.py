"""What pytest does for thousands of short tests, done once or not at all: a third of what the shortest tests cost."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

HIDDEN_SECONDS = 0.005
"""Shorter steps are not among the slowest that `--durations` names."""
MARKS_OF_TIME = ("logstart", "logfinish")
"""Messages of workers at the beginning and at the end of a test, of which nothing is shown."""


class _Imported(pytest.File):
    """A module without examples: it is imported, and not searched."""

    def collect(self) -> list[pytest.Item]:
        importlib.import_module(".".join(self.path.relative_to(self.config.rootpath).with_suffix("").parts))
        return []


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, list[pytest.Collector]]:
    """Look for examples where there are any: pytest would look at each function of each module."""
    found: list[pytest.Collector] = yield
    if file_path.suffix != ".py" or b">>>" in file_path.read_bytes():
        return found
    tests = [each for each in found if type(each) is pytest.Module]
    return tests or [_Imported.from_parent(parent, path=file_path) for _ in found]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let workers tell less of a test: messages cost both sides more than a short test.

    Its set-up and its end are of interest if they failed or took long, and its keywords if it did not pass.
    """
    for plugin in session.config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.sendevent = _with_few_words(plugin.sendevent)


def _with_few_words(send: Any) -> Any:
    def sendevent(name: str, **given: Any) -> None:
        if name == "testreport" and given["data"]["outcome"] == "passed":
            given["data"]["keywords"] = {}
        if name not in MARKS_OF_TIME and (name != "testreport" or not _is_short_step(given["data"])):
            send(name, **given)

    return sendevent


def _is_short_step(report: dict[str, Any]) -> bool:
    is_step = report["when"] != "call" and report["outcome"] == "passed"
    return is_step and not report["sections"] and report["duration"] < HIDDEN_SECONDS
