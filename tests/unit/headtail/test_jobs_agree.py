"""The same rows, counts, thresholds and draws as the jobs had in a finished run (tests/golden)."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import headtail
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from headtail import Matches, Run
from tests.golden.finished_run import lay_out

Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that the jobs finished: `run` (unit=pair, a tail share) and `second` (unit=image, t=3, headroom 0.7)."""
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return headtail.open_run(folder / "run", folder / "crawl/entries")


@pytest.fixture(scope="module")
def matches(run: Run) -> Matches:
    return headtail.match(run.table("pairs"), run.entry_lists)


@pytest.fixture(scope="module")
def images(folder: Path) -> dict[str, tuple[dict[str, float], dict[str, Any], pa.Table]]:
    """Of each run its thresholds, the settings of `curated`, and `curated`."""
    found = {}
    for name in ("run", "second"):
        opened = headtail.open_run(folder / name)
        settings = opened._parts("curated")[0].manifest["settings"]
        found[name] = opened.thresholds, settings, opened.table("curated")
    return found


def chosen_of(curated: pa.Table) -> list[tuple]:
    names = ("uid", "text", "lang", "keep_probability")
    return sorted(zip(*(curated[name].to_pylist() for name in names), strict=True))


def kept_of(curated: pa.Table) -> set[tuple]:
    """(uid, text, probability) of each text of a kept image that is kept itself."""
    rows = zip(curated["uid"].to_pylist(), curated["texts"].to_pylist(), strict=True)
    return {(uid, text["text"], text["keep_probability"]) for uid, texts in rows for text in texts if text["kept"]}


def test_the_same_texts_match_the_same_entries(run: Run, matches: Matches) -> None:
    theirs = {
        (uid, text["text"], text["lang"]): text["entry_ids"]
        for uid, texts in zip(*(run.table("matches")[name].to_pylist() for name in ("uid", "texts")), strict=True)
        for text in texts
    }
    pairs = run.table("pairs")
    ours = zip(*(pairs[name].to_pylist() for name in ("uid", "text", "lang")), matches.ids.to_pylist(), strict=True)
    found = {(uid, text, lang): ids for uid, text, lang, ids in ours if ids}
    assert {key: ids for key, ids in found.items() if key in theirs} == theirs
    assert (matches.texts, matches.images) == (len(theirs), run.table("matches").num_rows)
    assert matches.drops.total() + matches.texts == len(matches) == pairs.num_rows


def test_the_same_counts(run: Run, matches: Matches) -> None:
    assert list(matches.counts) == list(run.counts)
    for lang, counts in run.counts.items():
        np.testing.assert_array_equal(matches.counts[lang], counts)


@pytest.mark.parametrize("name", ["run", "second"])
def test_the_same_thresholds(name: str, matches: Matches, images: dict) -> None:
    thresholds, settings, _ = images[name]
    t = settings["t"] and settings["t"] / settings["headroom"]
    assert matches.thresholds(t=t, tail_share=settings["tail_share"]) == thresholds


@pytest.mark.parametrize("name", ["run", "second"])
def test_the_same_draws(name: str, run: Run, matches: Matches, images: dict) -> None:
    thresholds, settings, curated = images[name]
    unit, seed = settings["unit"], settings["seed"]
    assert chosen_of(matches.balance(thresholds, unit=unit, seed=seed)) == chosen_of(curated)
    drawn = matches.draw(thresholds, unit=unit, seed=seed)
    rows = drawn.filter(drawn["kept"])
    ours = zip(*(rows[column].to_pylist() for column in ("uid", "text", "keep_probability")), strict=True)
    assert set(ours) == kept_of(curated)
    assert drawn.drop_columns(["entry_ids", "keep_probability", "kept", "chosen"]).equals(run.table("pairs"))
    other = matches.balance(thresholds, unit=unit, seed=seed + 1)
    assert chosen_of(other) != chosen_of(curated)


def test_the_order_of_rows_does_not_count(run: Run, images: dict) -> None:
    thresholds, settings, curated = images["run"]
    pairs = run.table("pairs").to_pandas().sample(frac=1.0, random_state=3)
    kept = headtail.match(pairs, run.entry_lists).balance(thresholds, seed=settings["seed"])
    assert chosen_of(pa.table(kept[["uid", "text", "lang", "keep_probability"]])) == chosen_of(curated)


def test_a_filter_of_rows_keeps_the_texts_that_the_job_kept(run: Run, images: dict) -> None:
    _, _, curated = images["run"]
    pairs = run.table("pairs")
    balancer = run.balancer()
    for table in (pairs, pairs.to_pydict()):
        kept = pa.array(balancer(table))
        rows = zip(pairs.filter(kept)["uid"].to_pylist(), pairs.filter(kept)["text"].to_pylist(), strict=True)
        assert set(rows) == {(uid, text) for uid, text, _ in kept_of(curated)}
    told = balancer.annotate(pairs.slice(5, 100))
    assert told["kept"] == balancer(pairs)[5:105]
    assert told["keep_probability"] == balancer.keep_probability(pairs)[5:105].tolist()


def test_a_filter_draws_images_as_a_run_with_unit_image(run: Run, images: dict) -> None:
    """The texts that were taken, one of each image, are drawn by the uid alone."""
    thresholds, settings, curated = images["second"]
    balancer = headtail.Balancer(run.entry_lists, run.counts, thresholds, settings["seed"], unit="image")
    assert all(balancer(curated.select(["uid", "text", "lang"])))
    assert not all(headtail.Balancer(run.entry_lists, run.counts, thresholds, 99, unit="image")(curated))


@pytest.mark.parametrize(
    ("name", "words"),
    [("entry_counts", "entry"), ("matches", "texts"), ("curated", "texts"), ("lists", "texts")],
    ids=["entry_counts", "matches", "curated", "lists"],
)
def test_words_stand_beside_ids(name: str, words: str, folder: Path, run: Run) -> None:
    bare, told = headtail.open_run(folder / "run").table(name), run.table(name)
    entries = {lang: found.texts.to_pylist() for lang, found in run.entry_lists.items()}
    if words == "entry":
        assert told.drop_columns([words]).equals(bare)
        rows = zip(*(told[column].to_pylist() for column in ("lang", "entry_id", words)), strict=True)
        assert all(entries[lang][entry_id] == word for lang, entry_id, word in rows)
        return
    texts = [text for row in told["texts"].to_pylist() for text in row]
    assert all([entries[text["lang"]][each] for each in text["entry_ids"]] == text.pop("entries") for text in texts)
    assert texts == [text for row in bare["texts"].to_pylist() for text in row]


def test_the_words_of_a_run_are_known_by_its_table_of_entries(folder: Path, run: Run, tmp_path: Path) -> None:
    """A run that tells its words needs no lists to be read."""
    shutil.copytree(folder / "run", tmp_path / "run")
    counts = run.table("entry_counts")
    entries = counts.append_column("source", pa.nulls(counts.num_rows, pa.string()))
    table = Table(str(tmp_path / "run/entries"))
    receipt = Receipt("entries", rows_in=counts.num_rows, rows_out=counts.num_rows)
    with ParquetSink(f"{table.begin(0)}/entries.parquet", entries.schema) as sink:
        sink.write(entries.to_batches()[0])
    receipt.outputs.append(sink.output())
    table.commit(0, Recipe("entries", 1, {}, []), [receipt], 0.0)
    told = headtail.open_run(tmp_path / "run")
    for name in ("entry_counts", "matches", "curated"):
        assert told.table(name).equals(run.table(name))
    assert told.counts.table().equals(run.counts.table())


def test_a_run_is_read_table_by_table(folder: Path, run: Run) -> None:
    assert run.tables == [
        "pairs", "matches", "entry_counts", "thresholds", "curated", "lists", "downloads", "samples",
    ]  # fmt: skip
    assert run.table("samples").num_rows == sum(
        pa.parquet.read_metadata(file).num_rows for file in run.files("samples")
    )
    assert run.table("curated", ["uid"], limit=5).equals(run.table("curated").select(["uid"]).slice(0, 5))
    assert run.table("downloads", limit=0).num_rows == 0
    with pytest.raises(headtail.HeadtailError, match="has no table forecasts, it has pairs"):
        run.table("forecasts")
    with pytest.raises(headtail.HeadtailError, match=r"curated has no column word, it has uid, url"):
        run.table("curated", ["uid", "word"])
    with pytest.raises(headtail.HeadtailError, match="holds no table of a run"):
        headtail.open_run(folder / "crawl")
    with pytest.raises(headtail.HeadtailError, match=r"the entry lists of .* are needed"):
        headtail.open_run(folder / "run").balancer()


def test_the_lists_that_a_run_has_made_are_opened_by_its_folder(folder: Path) -> None:
    made = headtail.open_lists(folder / "lists")
    assert list(made) == ["ltg", "other"]
    assert headtail.EntryList.open(folder / "lists", "ltg").texts.equals(made["ltg"].texts)
    assert "Kite" in made["ltg"].texts.to_pylist()


def test_other_lists_than_those_of_the_run_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("dog\n")
    with pytest.raises(headtail.HeadtailError, match=r"made with metadata .*: give the entry lists that match_pairs"):
        headtail.open_run(folder / "run", tmp_path).table("curated")


def test_a_text_is_explained_with_the_numbers_of_the_run(run: Run) -> None:
    rows = run.table("curated")
    for uid in range(0, rows.num_rows, 9):
        row = {name: rows[name][uid].as_py() for name in ("text", "lang", "texts")}
        (text,) = (each for each in row["texts"] if (each["text"], each["lang"]) == (row["text"], row["lang"]))
        found = run.explain(row["text"], row["lang"])
        assert found.keep_probability == text["keep_probability"]
        assert [entry.entry for entry in found.entries or ()] == text["entries"]
    with pytest.raises(headtail.HeadtailError, match="lang is needed: there are entry lists of ar, de, en"):
        run.explain("a dog")


def test_a_target_is_met(matches: Matches) -> None:
    distributions = matches.counts
    for wish in (66, 75):
        t = matches.thresholds(target_images=wish)
        forecast = matches.forecast([t["en"]]).table
        (expected,) = forecast.filter(pc.equal(forecast["lang"], "all"))["expected_images"].to_pylist()
        assert expected <= wish * 1.001
        assert distributions.thresholds(t=t["en"]) == t
    with pytest.raises(headtail.HeadtailError, match=r"^target_images=1,000 is more than matches can give: at most 82"):
        matches.balance(target_images=1000)
