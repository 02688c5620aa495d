"""A thousand corrupted variants of real archives; tests/fuzz/corrupt.py makes any number of them."""

from pathlib import Path

import pytest

from tests.conftest import needs_shared
from tests.fuzz import charsets, codings, pages
from tests.fuzz.corrupt import main


@needs_shared
def test_nothing_that_stood_before_the_damage_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where a variant that fails is left
    kinds = main(variants=1000, seed=2)
    assert kinds["rows_before_damage"] > 10_000
    assert len(kinds) == 8 + 2


def test_nasty_pages_take_neither_time_nor_memory() -> None:
    counts = pages.main(variants=500, seed=2)
    assert counts["faults"] > 100
    assert counts["record_faults"] > 50


def test_pages_in_every_charset_are_read_right_or_counted() -> None:
    counts = charsets.main(variants=300, seed=2)
    assert counts["alts"] > 2000
    assert counts["guessed"] > 100


def test_pages_in_random_codings_are_right_or_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = codings.main(variants=400, seed=2)
    assert min(kinds["whole"], kinds["untrue"], kinds["damaged, counted"]) > 40
