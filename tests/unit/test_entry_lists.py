"""`entry_lists=starter`: where the lists of a run lie, when they are made, and that they stay those it began with."""

from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, CurateConfig, ExplainConfig, MatchPairsConfig, ReportStatsConfig
from curation.core.errors import HeadtailError
from curation.matching import cache_folders
from curation.matching.entry_store import EntryStore
from jobs import curate, explain, match_pairs
from jobs.curate import folders_of
from jobs.entry_lists import with_lists, with_new_lists
from tests.word_package import install_words

WORDS = {"vi": ["là", "chó"], "de": ["haus", "hund"]}


@pytest.fixture(autouse=True)
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_words(tmp_path, monkeypatch, WORDS)


def settings(run: Path, *overrides: str) -> MatchPairsConfig:
    return compose_config("match_pairs", MatchPairsConfig, [f"output={run}", "entry_lists=starter", *overrides])


def made(run: Path, *overrides: str, has_matches: bool = False) -> EntryStore:
    """The lists of a run that matches."""
    config = settings(run, *overrides)
    return EntryStore.open(with_new_lists(config, lambda: has_matches, lambda: None).entry_lists)


def test_lists_are_made_in_the_folder_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(tmp_path / "run", "languages=[de]").languages == ("de",)
    assert f"entries in {tmp_path}/run/entry_lists" in capsys.readouterr().err
    assert (tmp_path / "run" / "entry_lists" / "README.md").exists()


def test_a_run_keeps_the_lists_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made(tmp_path / "run", "languages=[de,vi]")
    install_words(tmp_path, monkeypatch, {"de": ["other"]}, "4.0")
    capsys.readouterr()
    for languages in ("[de,vi]", "[vi]", "[]"):
        after = made(tmp_path / "run", f"languages={languages}", has_matches=True)
        assert (after.languages, after.hash) == (before.languages, before.hash)
        assert f"the lists of this run, of de, vi: {tmp_path}/run/entry_lists" in capsys.readouterr().err


def test_further_languages_replace_lists_that_nothing_was_matched_with(tmp_path: Path) -> None:
    run = tmp_path / "run"
    before = made(run, "languages=[de]").hash
    with pytest.raises(HeadtailError, match="are of de, and its matches were made with them: languages=de,vi needs"):
        made(run, "languages=[de,vi]", has_matches=True)
    assert made(run, "languages=[de]").hash == before
    assert made(run, "languages=[de,vi]").languages == ("de", "vi")
    assert made(run, "languages=[vi]", "overwrite=true", has_matches=True).languages == ("de", "vi")
    (run / "entry_lists" / "_manifest.json").unlink()  # stopped while it made them
    assert made(run, "languages=[vi]").languages == ("vi",)


@pytest.mark.parametrize("typo", ["starters", "Starter", "start"])
def test_starter_with_a_typo_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typo: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HeadtailError, match=f"entry_lists={typo} names no file: did you mean entry_lists=starter"):
        with_lists(SimpleNamespace(entry_lists=typo, output="run"))
    (tmp_path / typo).mkdir()
    assert with_lists(SimpleNamespace(entry_lists=typo, output="run")).entry_lists == typo


def test_what_cannot_be_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match=r"entry_lists=starter needs languages, for example languages=\[en\]"):
        made(tmp_path / "run")
    (tmp_path / "run" / "entry_lists").mkdir(parents=True)
    (tmp_path / "run" / "entry_lists" / "mine.txt").write_text("dog")
    with pytest.raises(HeadtailError, match=r"holds nothing of headtail, but mine.txt"):
        made(tmp_path / "run", "languages=[de]")
    (tmp_path / "run" / "entry_lists" / "_manifest.json").write_text('{"stage": "build_metadata", "lists": []}')
    with pytest.raises(HeadtailError, match="holds lists of build_metadata: give entry_lists="):
        made(tmp_path / "run", "languages=[de]")


@pytest.mark.parametrize(("job", "kind"), [("report_stats", ReportStatsConfig), ("balance_pairs", BalancePairsConfig)])
def test_later_jobs_take_the_lists_of_the_run(tmp_path: Path, job: str, kind: type) -> None:
    config = compose_config(job, kind, [f"output={tmp_path}/run", "entry_lists=starter"])
    with pytest.raises(HeadtailError, match="run/entry_lists has no starter lists"):
        with_lists(config)
    made(tmp_path / "run", "languages=[de]")
    assert with_lists(config).entry_lists == f"{tmp_path}/run/entry_lists"
    given = compose_config(job, kind, [f"output={tmp_path}/run", "entry_lists=./starter"])
    assert with_lists(given) is given  # a folder of that name


def test_the_lease_is_held_only_where_lists_may_be_made(tmp_path: Path) -> None:
    for lists, held in (("starter", True), (f"{tmp_path}/starter", False)):
        given = [f"output={tmp_path}/run", f"entry_lists={lists}", "source.paths=/x"]
        assert (f"{tmp_path}/run/entry_lists" in folders_of(compose_config("curate", CurateConfig, given))) == held


def explained(*overrides: str) -> None:
    explain.run(compose_config("explain", ExplainConfig, ["entry_lists=starter", *overrides]))


def test_explain_takes_the_lists_of_the_run_or_makes_some_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folders.user_cache.cache_clear()
    for told in ("starts: lists of de", ""):
        explained("text=Ein Hund", "lang=de")
        done = capsys.readouterr()
        assert "Hund" in done.out.splitlines()[-1]
        assert told in done.err
        assert bool(told) == bool(done.err)
    with pytest.raises(HeadtailError, match=r"the language of the text is not known: give lang"):
        explained("text=123", "lang=other")
    with pytest.raises(HeadtailError, match="run/entry_lists has no starter lists"):
        explained("text=Hund", "lang=de", f"output={tmp_path}/run")
    made(tmp_path / "run", "languages=[vi]")
    capsys.readouterr()
    explained("text=chó", "lang=vi", f"output={tmp_path}/run")
    assert "chó" in capsys.readouterr().out.splitlines()[-1]
    cache_folders.user_cache.cache_clear()


MISTAKES = {
    "missing": ("source.paths=RUN/none.parquet", "none.parquet"),
    "wrong kind": ("source.paths=RUN/text.parquet", "text.parquet"),
    "missing column": ("source.url_column=link", "link"),
    "removals": ("removals=RUN/none.txt", "none.txt"),
    "scores": ("scores=RUN/none.parquet", "none.parquet"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_before_lists_are_made_or_a_seed_is_told(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    pq.write_table(pa.table({"url": ["http://h.org/1.jpg"], "text": ["Hund"]}), tmp_path / "table.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    mistake, told = MISTAKES[name]
    given = {
        "source.paths": f"{tmp_path}/table.parquet",
        "source": "table",
        "languages": "de",
        "language.model": "none",
    }
    key, value = mistake.replace("RUN", str(tmp_path)).split("=")
    overrides = [f"output={run}", "entry_lists=starter", *(f"{k}={v}" for k, v in (given | {key: value}).items())]
    with pytest.raises(HeadtailError, match=told):
        curate.run(compose_config("curate", CurateConfig, overrides))
    assert not run.exists() or [path for path in run.rglob("*") if path.is_file()] == []
    assert capsys.readouterr().err == ""


def test_a_language_is_called_as_its_list(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="no list would be called DE: write languages=de"):
        made(tmp_path / "run", "languages=DE")
    assert not (tmp_path / "run").exists()


def test_match_pairs_makes_no_lists_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="pairs holds no complete table: run extract_pairs first"):
        match_pairs.run(settings(tmp_path / "run", "languages=de"))
    assert not (tmp_path / "run/entry_lists").exists()


def test_the_table_of_entries_is_held_unless_a_user_wrote_it(tmp_path: Path) -> None:
    given = [f"output={tmp_path}", "source.paths=/x", "entry_lists=/x"]
    entries = f"{tmp_path}/entries"
    assert entries in folders_of(compose_config("curate", CurateConfig, given))
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries/en.txt").write_text("a list of the user")
    assert entries not in folders_of(compose_config("curate", CurateConfig, given))
