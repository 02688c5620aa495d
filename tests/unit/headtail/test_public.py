"""The public names: all are there and documented, and their defaults are those of the jobs."""

from dataclasses import fields

import pytest

import headtail
from conf.schema.topics import BalanceConfig, MatchingConfig
from headtail import entry_list, goals, matching
from tests.conftest import ROOT


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


def test_defaults_are_those_of_the_jobs() -> None:
    defaults = {field.name: field.default for field in (*fields(BalanceConfig), *fields(MatchingConfig))}
    assert defaults["max_texts"] == matching.MAX_TEXTS
    assert defaults["reference"] == goals.REFERENCE == entry_list.REFERENCE
    assert goals.Goal.others == defaults["others"]
    for name in ("balance", "draw", "thresholds", "forecast"):
        given = getattr(matching.Matches, name).__kwdefaults__
        assert (given["unit"], given["others"]) == (defaults["unit"], defaults["others"])
    assert headtail.EntryList([]).edges == defaults["edges"]
