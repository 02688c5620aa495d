"""A part of the sitting that measures figures.json, in a process of its own."""

from pathlib import Path

import pytest

from tests.benchmarks.figures.__main__ import measure


def test_a_part_that_ends_with_an_error_has_no_figures(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"it has ended with 1: (?s:.*)KeyError: 'no_part'"):
        measure("no_part", 1, str(tmp_path))
    assert not list(tmp_path.iterdir())
