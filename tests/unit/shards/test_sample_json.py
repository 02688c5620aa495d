"""The json of a sample: its keys in both forms, the words of entries, and which form a set keeps."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe, recipe_settings
from curation.core.tables import Table
from curation.images.ranges import Ranges
from curation.matching.entry_store import EntryStore
from curation.shards.entry_words import copy_words, kept_ids, read_words, with_words
from curation.shards.origin import Origin
from curation.shards.sample_json import NEWEST, JsonForm, SampleForm, sample_json
from curation.shards.shard_set import STAGE, ShardSet
from jobs.entries import find_words
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, make_shards, samples, stored

IMAGE = {"width": 9, "height": 8, "original_width": 90, "original_height": 80, "sha256": "ab"}
KEPT = {"text": "a red kite", "lang": "en", "entry_ids": [3, 5], "kept": True}
OTHER = {"text": "ein Milan", "lang": "de", "entry_ids": [1], "kept": False}
ALSO = {"text": "kites", "lang": "en", "entry_ids": [4], "kept": True}
ROW = {
    "uid": "u", "url": "http://h.org/1", "text": "a red kite", "lang": "en", "keep_probability": 0.5,
    "texts": [OTHER, KEPT, ALSO], "entries": ["kite", "red"], "offset": 7, **IMAGE,
}  # fmt: skip


def test_the_newest_form_has_plain_texts_that_balancing_kept_and_words() -> None:
    row = ROW | {"caption_recap": None, "caption_altogether": "a bird"}
    described = json.loads(sample_json(row, NEWEST, ["caption_altogether", "caption_recap"]))
    assert described == {
        "uid": "u", "url": "http://h.org/1", "caption": "a red kite", "text": "a red kite", "lang": "en",
        "keep_probability": 0.5, "texts": ["a red kite", "kites"], "matched_texts": [OTHER, KEPT, ALSO],
        "entries": ["kite", "red"], **IMAGE, "caption_altogether": "a bird", "caption_recap": "",
    }  # fmt: skip


def test_the_first_form_is_that_of_before_byte_by_byte() -> None:
    text = '{"text":"a red kite","lang":"en","entry_ids":[3,5],"kept":true}'
    assert sample_json(ROW | {"texts": [KEPT]}, 1).decode() == (
        '{"uid":"u","url":"http://h.org/1","text":"a red kite","lang":"en","keep_probability":0.5,'
        f'"texts":[{text}],"width":9,"height":8,"original_width":90,"original_height":80,"sha256":"ab"}}'
    )


def entry_lists(folder: Path, words: dict[str, list[str]]) -> EntryStore:
    (folder / "words").mkdir(parents=True)
    for lang, listed in words.items():
        (folder / f"words/{lang}.json").write_text(json.dumps(listed))
    return EntryStore.open(f"{folder}/words", cache=f"{folder}/cache")


def entry_table(folder: Path, words: dict[str, list[str]]) -> Words:
    """The words of the table `entries` in a folder, as match_pairs leaves it."""
    store = entry_lists(folder, words)
    write_entries(f"{folder}/entries", Words.of_lists(store, []), EntryNumbers())
    found = Words.of_tables([f"{folder}/entries"], store.hash)
    assert found
    return found


def test_words_are_those_of_the_caption_in_its_own_language(tmp_path: Path) -> None:
    words = entry_table(tmp_path, {"de": [f"de{k}" for k in range(9)], "en": [f"en{k}" for k in range(9)]})
    path = copy_words([words], str(tmp_path / "work"))
    same_text = [ROW["texts"][0] | {"text": "a red kite"}, KEPT, ALSO]
    rows = pa.Table.from_pylist(
        [
            {"text": "a red kite", "lang": "en", "texts": same_text},
            {"text": "ein Milan", "lang": "de", "texts": [KEPT, OTHER | {"entry_ids": [8]}]},
            {"text": "kites", "lang": "en", "texts": [ALSO]},
        ]
    )
    # A slice and several chunks, as pieces of lists are.
    rows = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])
    told = with_words(rows, SampleForm(2, path))["entries"].to_pylist()
    assert told == [["en3", "en5"], ["de8"], ["en4"]]
    assert with_words(rows.slice(1, 1), SampleForm(2, path))["entries"].to_pylist() == [["de8"]]
    assert with_words(rows.slice(0, 0), SampleForm(2, path))["entries"].to_pylist() == []
    assert with_words(rows, SampleForm(2))["entries"].to_pylist() == [[], [], []]
    assert with_words(rows, SampleForm(1)) is rows


def test_words_of_several_row_groups_and_words_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curation.core.parquet_sink.ROW_GROUP_ROWS", 4)
    listed = {lang: [f"{lang}{k}" for k in range(10)] for lang in ("de", "en", "fr")}
    path = copy_words([entry_table(tmp_path, listed)], str(tmp_path / "work"))
    assert pq.read_metadata(path).num_row_groups > 6
    keys = [("fr", 9), ("de", 0), ("fr", 9), ("de", 9), ("fr", 0)]
    langs = pa.array(["fr", "de"])
    codes, ids = [0 if lang == "fr" else 1 for lang, _ in keys], [number for _, number in keys]
    found = read_words(path, langs, pa.array(codes).to_numpy(), pa.array(ids).to_numpy())
    assert found.to_pylist() == [f"{lang}{number}" for lang, number in keys]
    lacking = read_words(path, langs, pa.array([0, 1, 0]).to_numpy(), pa.array([10, 4, 2]).to_numpy())
    assert lacking.to_pylist() == [None, "de4", "fr2"]
    assert json.loads(sample_json(ROW | {"entries": lacking.to_pylist()}, NEWEST))["entries"] == ["de4", "fr2"]


def test_a_stopped_run_goes_on_with_the_words_that_it_began_with(tmp_path: Path) -> None:
    words, work = entry_table(tmp_path, {"en": ["a", "b"]}), str(tmp_path / "work")
    other = entry_table(tmp_path / "others", {"en": ["c", "d"]})
    path = copy_words([words], work)
    assert copy_words([other], work) == copy_words([], work) == path
    assert read_words(path, pa.array(["en"]), pa.array([0]).to_numpy(), pa.array([1]).to_numpy()).to_pylist() == ["b"]
    assert copy_words([], str(tmp_path / "without")) == copy_words([words], str(tmp_path / "without")) == ""


def test_a_caption_that_is_none_of_the_texts_is_an_error() -> None:
    with pytest.raises(AssertionError, match="not one of the texts"):
        kept_ids(pa.Table.from_pylist([ROW | {"text": "another"}]))


def test_all_samples_of_a_set_have_the_same_keys_whatever_is_known_of_them(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, curated_rows(URLS[:25]), bodies(25), ranges := Ranges(2, 0))
    words = entry_table(tmp_path, {"en": [f"word {k}" for k in range(99)]})
    path = copy_words([words], str(tmp_path / "words"))
    found = {}
    for name, form in {"with": SampleForm(2, path), "without": SampleForm(2), "old": SampleForm(1)}.items():
        part = make_shards(tmp_path, downloads, lists, ranges, form=form)
        found[name] = [meta for meta, *_ in samples(tmp_path)]
        assert len({tuple(meta) for meta in found[name]}) == 1
        assert part.manifest["settings"].get("json_version") == (None if form.version == 1 else 2)
    assert found["with"][0].keys() == found["without"][0].keys() > found["old"][0].keys()
    for new, bare, old in zip(*found.values(), strict=True):
        (kept,) = [text for text in old["texts"] if text["text"] == old["text"] and text["kept"]]
        assert new["entries"] == [f"word {k}" for k in kept["entry_ids"]]
        assert new["matched_texts"] == old["texts"]
        assert bare == new | {"entries": []}
        assert {key: new[key] for key in old if key != "texts"} == {key: old[key] for key in old if key != "texts"}


def shard_set(folder: Path, version: int, **settings: object) -> ShardSet:
    """A complete set without shards."""
    shards = ShardSet(str(folder))
    shards.publish(recipes(**settings)[version], f"{folder}/.work", [], Receipt("none"), 0)
    return shards


def recipes(**settings: object) -> dict[int, Recipe]:
    given = {"filter": "", **settings}
    inputs = [{"path": "lists", "id": "one"}]
    return {version: Recipe(STAGE, 1, given | recipe_settings(JsonForm(version)), inputs) for version in (1, 2)}


def test_a_set_keeps_the_form_by_which_it_was_begun(tmp_path: Path) -> None:
    new = ShardSet(f"{tmp_path}/new")
    assert new.json_version(None, recipes(), False) == NEWEST
    assert new.json_version(1, recipes(), False) == 1
    for begun in (1, 2):
        shards = shard_set(tmp_path / str(begun), begun)
        assert shards.json_version(None, recipes(), False) == begun
        assert shards.json_version(None, recipes(), True) == begun, "the form is no reason to write a set again"
        assert shards.json_version(None, recipes(filter="bytes > 9"), False) == begun
        assert shards.json_version(None, recipes(filter="bytes > 9"), True) == NEWEST
        assert shards.json_version(2, recipes(), False) == 2


def test_a_run_that_was_stopped_goes_on_in_its_form(tmp_path: Path) -> None:
    for begun in (1, 2):
        shards = ShardSet(f"{tmp_path}/{begun}")
        Table(shards.work_folder(recipes()[begun])).begin(0)
        (Path(shards.work_folder(recipes()[begun])) / "candidates").mkdir(parents=True)
        assert shards.json_version(None, recipes(), False) == begun
        assert shards.json_version(None, recipes(filter="bytes > 9"), False) == NEWEST


def test_another_form_of_a_finished_set_is_told(tmp_path: Path) -> None:
    shards = shard_set(tmp_path, 1)
    with pytest.raises(HeadtailError, match="json_version was 1, is 2"):
        shards.refuse_to_replace(recipes()[2], Origin({}), None)


def test_words_come_from_the_table_of_the_run_or_of_the_matches_or_from_the_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words, store = entry_table(tmp_path / "run", {"en": ["a", "b"]}), EntryStore.open(f"{tmp_path}/run/words")
    other = entry_lists(tmp_path / "other", {"en": ["c", "d"]})

    def matches(run: str, **settings: object) -> Part:
        receipt = Receipt("matches")
        return Table(f"{tmp_path}/{run}/matches").commit(0, Recipe("match_pairs", 1, settings), [receipt], 0)

    def found(path: str, parts: list[Part], lists: EntryStore | None = None) -> list[str]:
        told = find_words(STAGE, f"{tmp_path}/{path}", parts, lists)
        return [word for words in told for batch in words for word in batch["entry"].to_pylist()]

    mine, theirs = (matches(run, metadata=words.metadata, languages=[]) for run in ("run", "elsewhere"))
    assert found("run/entries", [theirs]) == found("none", [mine]) == ["a", "b"]
    assert found("none", [theirs], store) == ["a", "b"]
    assert capsys.readouterr().err == ""
    assert found("none", [theirs], other) == []
    assert found("run/entries", [mine, matches("third", metadata=other.hash)]) == []
    assert found("run/entries", [], store) == []
    assert capsys.readouterr().err.count("the samples' `entries` stay empty (docs/shards.md)") == 3


def test_words_of_matches_in_several_languages_come_from_all_their_tables(tmp_path: Path) -> None:
    store = entry_lists(tmp_path, {"de": ["a"], "en": ["b"], "fr": ["c"]})
    parts = []
    for lang in ("de", "en"):
        write_entries(f"{tmp_path}/{lang}/entries", Words.of_lists(store, [lang]), EntryNumbers())
        settings = {"metadata": store.hash, "languages": [lang]}
        made = Table(f"{tmp_path}/{lang}/matches").commit(0, Recipe("match_pairs", 1, settings), [Receipt("m")], 0)
        parts.append(made)

    def found(path: str, given: list[Part], lists: EntryStore | None = None) -> list[tuple[str, ...]]:
        return [words.languages for words in find_words(STAGE, f"{tmp_path}/{path}", given, lists)]

    assert found("none", parts) == [("de",), ("en",)]
    assert found("none", parts, store) == [("de", "en")]
    assert found("none", parts[1:], store) == found("en/entries", parts[1:]) == [("en",)]
    write_entries(f"{tmp_path}/all/entries", Words.of_lists(store, []), EntryNumbers())
    assert found("all/entries", parts) == [("de", "en", "fr")]
    path = copy_words(find_words(STAGE, f"{tmp_path}/none", parts, None), f"{tmp_path}/work")
    words = read_words(path, pa.array(["en", "de"]), pa.array([0, 1]).to_numpy(), pa.array([0, 0]).to_numpy())
    assert words.to_pylist() == ["b", "a"]
