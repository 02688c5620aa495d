"""Entries that a list loses are said by the job that opens it, also where the compiled form is read."""

from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import MatchPairsConfig
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.matching.entry_store import EntryStore
from jobs.match_pairs import check_kept


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    (tmp_path / "en.txt").write_text("dog\n\ncat\ndog\ndog\n")
    (tmp_path / "de.txt").write_text("Hund\nHund\n")
    (tmp_path / "fr.txt").write_text("chien\n")
    return tmp_path


@pytest.mark.parametrize("compiled", [False, True])
def test_unused_entries_are_counted_by_reason_and_list(lists: Path, compiled: bool) -> None:
    if compiled:
        for lang in ("de", "en", "fr"):
            EntryStore.open(str(lists)).compile(lang)
    store = EntryStore.open(str(lists))
    line = store.describe_drops(())
    assert line == "4 entries of the lists are not used (duplicate 3, blank 1): en 3, de 1"
    assert store.describe_drops(["de"]) == "1 entry of the lists is not used (duplicate 1): de 1"
    assert store.describe_drops(["fr"]) is None
    assert bool(store._lists) == (not compiled)


def pairs(*kept: list[str]) -> list[Part]:
    return [Part("/pairs", {"settings": {"language": {"languages": each}}}) for each in kept]


def config(lists: Path, *languages: str) -> MatchPairsConfig:
    given = ["output=/runs/a", f"entry_lists={lists}", *([f"languages={','.join(languages)}"] if languages else [])]
    return compose_config("match_pairs", MatchPairsConfig, given)


def test_languages_that_were_dropped_before_are_named(lists: Path, capsys: pytest.CaptureFixture) -> None:
    store = EntryStore.open(str(lists))
    with pytest.raises(HeadtailError, match=r"/runs/a/pairs holds texts in en only .*, none in de, fr: give languages"):
        check_kept(config(lists, "de", "fr"), store, pairs(["en"]))
    check_kept(config(lists, "de", "en"), store, pairs(["en"]))
    assert "holds texts in en only (languages of extract_pairs), none in de\n" in capsys.readouterr().err
    check_kept(config(lists), store, pairs(["en"]))  # the other lists are just there
    check_kept(config(lists, "de"), store, pairs(["en"], []))
    check_kept(config(lists, "de"), store, pairs(["en"], ["de"]))
    assert capsys.readouterr().err == ""


def test_a_file_that_is_no_list_says_what_to_do_with_it(lists: Path) -> None:
    (lists / "metadata.json").write_text("[]")
    with pytest.raises(HeadtailError, match=r"'metadata' is none: rename the file, or move it to another folder"):
        EntryStore.open(str(lists)).check_languages()
