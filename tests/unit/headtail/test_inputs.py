"""Tables of every kind give the same rows, and what cannot be matched is refused in one line."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import headtail
from curation.core.uids import uid_of
from headtail import Counts, EntryList, HeadtailError

TEXTS = ["a dog", "red kite, red kite", None, "Dog", "a dog and a cat", ""]
URLS = [f"https://example.org/{number}.jpg" for number in range(6)]
ENTRIES = EntryList(["dog", "cat", "red kite"])
IDS = [[0], [2], [], [], [0, 1], []]
KEPT = [False, True, False, False, True, False]


class Stream:
    """A table or column of another library: only Arrow's stream interface tells what it holds."""

    def __init__(self, table: pa.Table | pa.ChunkedArray) -> None:
        self._table = table

    def __arrow_c_stream__(self, schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(schema)


class Dataset:
    """What `datasets.Dataset` has of it: rows by selection, in a format."""

    column_names = ("text", "url")

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def with_format(self, name: str) -> pa.Table:
        assert name == "arrow"
        return self._table


TABLE = pa.table({"text": TEXTS, "url": URLS})
FRAME = pd.DataFrame({"text": TEXTS, "url": URLS}, index=[f"row {number}" for number in range(6)])
TABLES = {
    "Arrow": TABLE,
    "record batch": TABLE.to_batches()[0],
    "chunks": pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)]),
    "slice": pa.concat_tables([TABLE, TABLE]).combine_chunks().slice(6),
    "large strings": TABLE.cast(pa.schema([("text", pa.large_string()), ("url", pa.large_string())])),
    "string views": TABLE.cast(pa.schema([("text", pa.string_view()), ("url", pa.string_view())])),
    "dictionary": TABLE.set_column(0, "text", TABLE["text"].combine_chunks().dictionary_encode()),
    "bytes": TABLE.cast(pa.schema([("text", pa.binary()), ("url", pa.string())])),
    "DataFrame": FRAME,
    "DataFrame of Arrow": FRAME.astype("string[pyarrow]"),
    "DataFrame with NaN": FRAME.fillna({"text": np.nan}),
    "categories": FRAME.assign(text=FRAME["text"].astype("category")),
    "mapping": {"text": TEXTS, "url": URLS, "image": [object()] * 6},
    "list of mappings": TABLE.to_pylist(),
    "another library": Stream(TABLE),
    "views within lists": TABLE.append_column("tags", pa.array([["a"]] * 6, pa.list_(pa.string_view()))),
    "Dataset": Dataset(TABLE),
}
BARE = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "Series": FRAME["text"],
    "Index": pd.Index(TEXTS),
    "Categorical": pd.Categorical(TEXTS),
    "Arrow": pa.array(TEXTS),
    "chunks": TABLE["text"],
    "numpy": np.array(TEXTS, dtype=object),
    "another library": Stream(TABLE["text"].cast(pa.string_view())),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_kind_of_table_gives_the_same_rows(table: Any) -> None:
    found = headtail.match(table, ENTRIES)
    assert found.ids.to_pylist() == IDS
    assert dict(found.drops) == {"unmatched": 3}
    if isinstance(table, dict):  # the pictures are no Arrow column, and nothing asks for them
        assert found.balancer(t=1, seed=3)(table) == KEPT
        return
    kept, told = found.balance(t=1, seed=3), found.draw(t=1, seed=3)
    if isinstance(table, pd.DataFrame):
        assert list(kept.index) == ["row 1", "row 4"]
        pd.testing.assert_frame_equal(told[["text", "url"]], table)
        kept, told = (pa.Table.from_pandas(each, preserve_index=False) for each in (kept, told))
    assert kept["url"].to_pylist() == [URLS[1], URLS[4]]
    assert told["kept"].to_pylist() == KEPT
    assert told["keep_probability"].to_pylist() == [0.5, 1.0, None, None, 1.0, None]
    assert told["entry_ids"].to_pylist() == IDS


@pytest.mark.parametrize("texts", BARE.values(), ids=BARE)
def test_texts_alone_are_a_table(texts: Any) -> None:
    found = headtail.match(texts, ENTRIES)
    assert found.ids.to_pylist() == ENTRIES.match(texts).to_pylist() == IDS
    assert len(found.balance(t=1, seed=2)) == len(headtail.match(TEXTS, ENTRIES).balance(t=1, seed=2))


def test_the_uid_is_that_of_the_url_or_is_given() -> None:
    by_url = headtail.match(TABLE, ENTRIES).draw(t=0.5, seed=9)
    uids = [uid_of(url) for url in URLS]
    assert (
        headtail.match(TABLE.append_column("uid", pa.array(uids)), ENTRIES).draw(t=0.5, seed=9)["kept"]
        == by_url["kept"]
    )
    renamed = pa.table({"URL": URLS, "TEXT": TEXTS})
    assert headtail.match(renamed, ENTRIES, text="TEXT", url="URL").draw(t=0.5, seed=9)["kept"] == by_url["kept"]
    seeds = {tuple(headtail.match(TABLE, ENTRIES).draw(t=0.5, seed=seed)["kept"].to_pylist()) for seed in range(9)}
    assert len(seeds) > 1


def test_the_rows_of_an_image_are_one_image() -> None:
    table = {"text": ["a dog", "a cat", "a dog", "dog"], "uid": ["a", "a", "a", "b"]}
    found = headtail.match(table, ENTRIES)
    assert (found.texts, found.images, dict(found.drops)) == (3, 2, {"same_text": 1})
    assert found.counts["en"].tolist() == [2, 1]
    kept = found.balance(t=5, seed=1).to_pydict()
    assert sorted(kept["uid"]) == ["a", "b"]
    assert found.draw(t=5)["keep_probability"].to_pylist() == [1.0, 1.0, None, 1.0]
    many = headtail.match({"text": [f"dog {number}" for number in range(70)], "uid": ["a"] * 70}, ENTRIES)
    assert (many.texts, dict(many.drops)) == (64, {"max_texts": 6})


def test_a_text_in_two_languages_counts_in_the_surer_one() -> None:
    lists = {"en": ENTRIES, "de": EntryList(["a", "dog"], "de")}
    table = {"uid": ["x", "x", "y"], "text": ["a dog"] * 3, "lang": ["en", "de", "fr"], "lang_score": [0.5, 0.75, 1.0]}
    found = headtail.match(table, lists)
    assert {lang: counts.tolist() for lang, counts in found.counts.items()} == {"de": [1, 1]}
    assert dict(found.drops) == {"no_metadata": 1, "same_text": 1}
    assert found.draw(t=1)["chosen"].to_pylist() == [False, True, False]
    assert found.words.to_pylist() == [["dog"], ["a", "dog"], []]


def test_a_single_list_with_languages_matches_its_own() -> None:
    table = {"text": ["a dog", "a dog"], "lang": ["en", "de"]}
    assert headtail.match(table, ENTRIES, lang="lang").ids.to_pylist() == [[0], []]
    assert headtail.match(table, ENTRIES).ids.to_pylist() == [[0], [0]]


def test_nothing_is_balanced_to_nothing() -> None:
    for texts in ([], ["no entry here", None]):
        found = headtail.match(texts, ENTRIES)
        assert (found.images, len(found.counts), found.counts.table().num_rows) == (0, 0, 0)
        assert found.balance(t=3).column_names == ["text", "keep_probability"]
        assert found.draw(t=3)["kept"].to_pylist() == [False] * len(texts)
        assert found.words.to_pylist() == [[]] * len(texts)
        with pytest.raises(HeadtailError, match="no text holds an entry"):
            found.forecast()


REFUSED = {
    "no table": (lambda: headtail.match(7, ENTRIES), "expected a pandas DataFrame, .* got int"),
    "one text": (lambda: headtail.match("a dog", ENTRIES), "got str"),
    "no column": (lambda: headtail.match(TABLE, ENTRIES, text="caption"), "no column 'caption', it has text, url"),
    "one text as a column": (lambda: headtail.match({"text": "dog"}, ENTRIES), "column text is a single text"),
    "numbers": (lambda: headtail.match([1, 2], ENTRIES), "column text holds int64, expected strings"),
    "no text": (
        lambda: headtail.match({"url": ["u"], "caption": ["a"]}, ENTRIES),
        "no column 'text', it has url, caption: name the column of texts with text=...",
    ),
    "mixed": (lambda: headtail.match(["a", 2], ENTRIES), "column text is no column of one type"),
    "surrogate": (lambda: headtail.match(["a \ud800"], ENTRIES), "column text is no column of one type"),
    "no UTF-8": (lambda: headtail.match([b"\xff"], ENTRIES), "column text cannot be read as UTF-8"),
    "a URL is missing": (
        lambda: headtail.match({"text": ["a", "b"], "url": ["u", None]}, ENTRIES),
        "column url has no value in 1 row, the first is row 1: drop them",
    ),
    "an empty URL": (lambda: headtail.match({"text": ["a"], "url": [""]}, ENTRIES), "column url holds empty URLs"),
    "lengths": (lambda: headtail.match({"text": ["a"], "url": []}, ENTRIES), "columns differ in length"),
    "a name twice": (
        lambda: headtail.match(pa.table([TEXTS, TEXTS], names=["text", "text"]), ENTRIES),
        "several columns of the name text",
    ),
    "a name twice in pandas": (
        lambda: headtail.match(pd.concat([FRAME, FRAME], axis=1), ENTRIES),
        "several columns of the name url|several columns of the name text",
    ),
    "no language": (lambda: headtail.match(TABLE, {"en": ENTRIES}), "no column 'lang'"),
    "no list": (lambda: headtail.match(TABLE, ["dog"]), "expected an EntryList, or a mapping"),
    "no lists": (lambda: headtail.match(TABLE, {}), "expected an EntryList, or a mapping"),
    "scores": (
        lambda: headtail.match({"text": ["dog"], "lang_score": ["high"]}, ENTRIES),
        "column lang_score holds no numbers",
    ),
    "no goal": (lambda: headtail.match(TABLE, ENTRIES).balance(), "give one of t, tail_share, target_images: got none"),
    "two goals": (lambda: headtail.match(TABLE, ENTRIES).balance(1, tail_share=0.5), "got t and tail_share"),
    "t of 0": (lambda: headtail.match(TABLE, ENTRIES).balance(0), "t must be above 0, got 0"),
    "t is text": (lambda: headtail.match(TABLE, ENTRIES).balance("5"), "t must be a number of at least 0, got '5'"),
    "t is NaN": (lambda: headtail.match(TABLE, ENTRIES).forecast([1, float("nan")]), "t must be a number"),
    "share": (lambda: headtail.match(TABLE, ENTRIES).balance(tail_share=6), "tail_share must be .* at most 1, got 6"),
    "too much": (
        lambda: headtail.match(TABLE, ENTRIES).thresholds(target_images=4),
        "^target_images=4 is more than matches can give: at most 3.0 are expected",
    ),
    "reference": (
        lambda: headtail.match(TABLE, ENTRIES).balance(1, reference="de"),
        "in the reference language de: set reference to one of: en",
    ),
    "others": (
        lambda: headtail.match(TABLE, ENTRIES).balance(1, others="none"),
        "others must be one of tail_share, same_t",
    ),
    "unit": (lambda: headtail.match(TABLE, ENTRIES).balance(1, unit="text"), "unit must be one of pair, image"),
    "seed": (lambda: headtail.match(TABLE, ENTRIES).balance(1, seed=1.5), "seed must be a whole number, got 1.5"),
    "t of a language": (lambda: headtail.match(TABLE, ENTRIES).balance({"de": 1}), "t has no threshold of en"),
    "no key of draws": (
        lambda: headtail.match(TEXTS, ENTRIES).balancer(1).keep(TEXTS),
        "name the column of its url or uid",
    ),
    "explain": (lambda: headtail.match(TABLE, ENTRIES).explain(None), "text must be a string, got NoneType"),
    "half a pair": (lambda: headtail.match(TABLE, ENTRIES).explain("\ud800"), "column text is no column of one type"),
    "one t": (lambda: headtail.match(TABLE, ENTRIES).forecast(5), "ts must be a list of thresholds, got 5"),
    "no counts": (lambda: headtail.Balancer(ENTRIES, np.array([1, 2]), 1), "counts must be a mapping .* got ndarray"),
    "counts of words": (lambda: headtail.Balancer(ENTRIES, {"en": {"dog": 1}}, 1), "counts of en must be an array"),
    "counts below 0": (lambda: Counts({"en": np.array([-1])}), "counts of en must be an array"),
    "edges": (lambda: EntryList(["a"], edges="none"), "edges must be one of blank, script, script_kana, got 'none'"),
    "entries": (lambda: EntryList([1, 2]), "column text holds int64, expected strings"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_line(call: Any, message: str) -> None:
    with pytest.raises(HeadtailError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/en.txt").write_text("dog\ncat\n\nred kite\n")
    (tmp_path / "lists/de.json").write_text('["Hund", "Katze"]')
    return tmp_path / "lists"


def test_a_list_is_opened_by_its_file_or_its_language(lists: Path) -> None:
    before = sorted(lists.iterdir())
    english = EntryList.open(lists / "en.txt")
    assert (english.lang, len(english), english[2], english[3]) == ("en", 4, None, "red kite")
    assert english.match(["a red kite"]).to_pylist() == [[3]]
    assert EntryList.open(lists, "de").match(["ein Hund"]).to_pylist() == [[0]]
    assert EntryList.open(lists / "de.json", "gsw").lang == "gsw"
    assert {lang: len(found) for lang, found in headtail.open_lists(lists).items()} == {"de": 2, "en": 4}
    (lists / "my words.txt").write_text("dog")
    assert EntryList.open(lists / "my words.txt").lang == "en"
    assert sorted({*lists.iterdir()} - {lists / "my words.txt"}) == before  # compiled forms lie elsewhere


def test_a_list_that_cannot_be_opened_is_refused(lists: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="has several lists, give lang: it has de, en"):
        EntryList.open(lists)
    with pytest.raises(HeadtailError, match="has no list of fr: it has de, en"):
        EntryList.open(lists, "fr")
    for path in (tmp_path / "gone.json", tmp_path / "gone"):
        with pytest.raises(HeadtailError, match="gone"):
            EntryList.open(path)
    (lists / "words.txt").write_text("dog")
    with pytest.raises(HeadtailError, match="a list is named by the code of its language"):
        headtail.open_lists(lists)


def test_a_pickle_holds_no_compiled_list(lists: Path) -> None:
    """`datasets` tells by the hash of a function's pickle whether it has run already."""
    for entries in (EntryList.open(lists / "en.txt"), EntryList(["dog", "cat"])):
        balancer = headtail.Balancer(entries, {"en": np.array([4, 1])}, t=2)
        before = pickle.dumps(balancer)
        batch = {"text": ["a dog", "a cat"], "uid": ["a", "b"]}
        kept = balancer(batch)
        assert pickle.dumps(balancer) == before
        assert pickle.loads(before)(batch) == kept


def test_counts_by_hand() -> None:
    counts = Counts({"en": np.array([1, 0, 4, 5]), "de": np.array([3, 7]), "fr": np.zeros(3, np.int64)})
    assert list(counts) == ["de", "en"]
    assert counts.tail_share(5, "en") == 0.5
    assert counts.tail_share(8, "de") == 1.0
    assert counts.thresholds(t=5) == {"de": 3.0, "en": 5.0}
    assert counts.thresholds(t=5, others="same_t") == {"de": 5.0, "en": 5.0}
    assert counts.thresholds(tail_share=0.1) == {"de": 3.0, "en": 1.0}
    assert counts.table().to_pydict() == {
        "lang": ["de", "en", "en", "de", "en"],
        "entry_id": [1, 3, 2, 0, 0],
        "entry": [None] * 5,
        "count": [7, 5, 4, 3, 1],
    }
    with pytest.raises(HeadtailError, match="reference language fr"):
        counts.tail_share(3, "fr")


def test_a_forecast_expects_what_is_drawn() -> None:
    generator = np.random.default_rng(5)
    words = [f"w{number}" for number in range(50)]
    texts = [" ".join(generator.choice(words, 3, p=np.arange(50, 0, -1) / 1275)) for _ in range(3000)]
    found = headtail.match(texts, EntryList(words))
    forecast = found.forecast([5, 30])
    rows = forecast.table.to_pylist()
    assert [(row["reference_t"], row["lang"]) for row in rows] == [
        (5.0, "all"),
        (5.0, "en"),
        (30.0, "all"),
        (30.0, "en"),
    ]
    for row in rows[::2]:
        kept = [len(found.balance(row["reference_t"], seed=seed)) for seed in range(20)]
        spread = row["images_deviation"]
        assert abs(np.mean(kept) - row["expected_images"]) < 4 * spread / np.sqrt(20)
    assert abs(len(found.balance(target_images=1000, seed=1)) - 1000) < 150
    assert str(forecast).splitlines()[0].split() == ["t", "tail", "share", "images", "+-"]
    assert forecast._repr_svg_().count("<polyline") == 2
