"""Both engines against a substring scan, on generated texts; matching of batches of pairs."""

import random
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curation.core.choices import Edges, Engine
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.schemas import PAIRS
from curation.matching.engines import ENTRY_IDS, AhoCorasickMatcher, Matcher, TokenMatcher
from curation.matching.entry_lists import clean_entries
from curation.matching.entry_store import EntryStore
from curation.matching.match import (
    MATCHED,
    READ_COLUMNS,
    TASK_BYTES,
    MatchTask,
    match_batch,
    plan_matching,
    read_pairs,
)
from curation.matching.spacing import pad_entry, space_text
from curation.matching.trie import TokenTrie, compile_entries
from tests.unit.matching.test_spacing import CASES

# Alphabets that provoke: every spaced mark, blanks of all kinds, zero-width and combining marks, emoji, scripts side
# by side, NUL, characters of one to four bytes that share leading bytes.
ALPHABETS = {
    "letters": "ab ",
    "marks": "ab  ,.;:?!`",
    "blanks of all kinds": "a \t\n\r\x0b\x00\x85\u00a0\u3000\u2028",
    "zero-width and combining": "a \u200b\u200d\ufeff\u0301\u0308é",
    "emoji": "a 🐶🐱\u200d👩🚀\ufe0f",
    "Chinese beside Latin": "aB 猫黑一",
    "Japanese": "a 猫かカｶ，。」—～",
    "scripts without blanks": "a แมวດກကခកខཀཁ ",
    "Korean and Cyrillic": "a 고양이дом",
    "ASCII marks": "a()[]{}<>-_/\\\"'#@&*+=%$^|~ ",
    "four bytes": "中\U00020000\U00030000\U0002ceb0a ",
    "more letters": "abcdefgh ",
}


def scan(texts: list[str], entries: list[str | None], edges: Edges) -> list[list[int]]:
    """The definition."""
    padded = [(index, pad_entry(entry, edges)) for index, entry in enumerate(entries) if entry is not None]
    return [[index for index, entry in padded if entry in spaced] for spaced in map(space_text, texts)]


def make_matcher(engine: Engine, entries: pa.StringArray, edges: Edges, folder: Path) -> Matcher:
    if engine == Engine.ahocorasick:
        return AhoCorasickMatcher(entries, edges)
    compile_entries(entries, edges, {}, str(folder / "list.trie"))
    return TokenMatcher(TokenTrie.open(str(folder / "list.trie")))


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("edges", Edges)
def test_named_cases(engine: Engine, edges: Edges, tmp_path: Path) -> None:
    for name, text, entries, rules, ids in CASES:
        if edges in rules:
            matcher = make_matcher(engine, pa.array(entries, pa.string()), edges, tmp_path)
            assert matcher.match(pa.array([text])).to_pylist() == [ids], name


@cache
def generated(alphabet: str, edges: Edges) -> tuple[list[str], pa.StringArray, list[list[int]]]:
    """Return texts, entries, and the entries of each text."""
    draw = random.Random(f"{alphabet}{edges}")
    texts = ["".join(draw.choices(alphabet, k=draw.randrange(40))) for _ in range(300)]
    # Cut from the texts as they are spaced, so that many match, and their own prefixes, suffixes and infixes.
    raw = []
    for _ in range(150):
        spaced = space_text(draw.choice(texts))
        start = draw.randrange(len(spaced))
        piece = spaced[start : start + draw.randint(1, 12)]
        raw += [piece, piece.strip(), piece[1:], piece[:-1]]
    entries, _ = clean_entries(raw)
    return texts, entries, scan(texts, entries.to_pylist(), edges)


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("edges", Edges)
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS.keys())
def test_generated_texts(alphabet: str, edges: Edges, engine: Engine, tmp_path: Path) -> None:
    texts, entries, expected = generated(alphabet, edges)
    matcher = make_matcher(engine, entries, edges, tmp_path)
    assert matcher.match(pa.array(texts)).to_pylist() == expected
    assert any(expected)


@cache
def long_texts() -> tuple[list[str], pa.StringArray, list[list[int]]]:
    """Return texts, entries, and the entries of each text."""
    draw = random.Random(7)
    words = ["".join(draw.choices("abcde", k=draw.randint(1, 20))) for _ in range(300)]
    long = " ".join(draw.choice(words) for _ in range(12_000))[:100_000]
    texts = ["", long, "a", "." * 100_000, "猫" * 30_000, long[::-1], "x" * 100_000]
    raw = [*words[:150], *(f"{a} {b}" for a, b in pairwise(words)), "猫猫", ".", "x" * 200]
    entries, _ = clean_entries(raw)
    return texts, entries, scan(texts, entries.to_pylist(), Edges.script)


@pytest.mark.parametrize("engine", Engine)
def test_long_texts_many_matches_and_slices(engine: Engine, tmp_path: Path) -> None:
    texts, entries, expected = long_texts()
    matcher = make_matcher(engine, entries, Edges.script, tmp_path)
    array = pa.array(texts)
    assert matcher.match(array).to_pylist() == expected
    assert matcher.match(array.slice(2, 3)).to_pylist() == expected[2:5]
    assert matcher.match(array.cast(pa.large_string()).slice(1)).to_pylist() == expected[1:]
    assert matcher.match(pa.array([None, "a", None])).to_pylist() == [[], expected[2], []]
    assert matcher.match(pa.array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize(
    "entries", [[], [None], ["dog"], [None, "dog"], ["猫"]], ids=["empty", "null", "dog", "null and dog", "cat"]
)
def test_tiny_lists(engine: Engine, entries: list[str | None], tmp_path: Path) -> None:
    matcher = make_matcher(engine, pa.array(entries, pa.string()), Edges.script, tmp_path)
    texts = ["a dog", "猫", "", "."]
    assert matcher.match(pa.array(texts)).to_pylist() == scan(texts, entries, Edges.script)


def test_more_than_a_million_entries(tmp_path: Path) -> None:
    words = 550_000
    names = pc.binary_join_element_wise("w", pa.array(range(words + 1)).cast(pa.string()), "")
    pairs = pc.binary_join_element_wise(names[:-1], names[1:], " ")
    entries = pa.concat_arrays([names[:-1], pairs])
    matcher = make_matcher(Engine.tokens, entries, Edges.script, tmp_path)
    texts = ["w5 w6", "w549999 w550000 x", "W7", "w550000", f"{'w3 ' * 10} w4"]
    expected = [[5, 6, words + 5], [549_999, 2 * words - 1], [], [], [3, 4]]
    assert matcher.match(pa.array(texts)).to_pylist() == expected


def test_bytes_that_are_no_utf8_do_no_harm(tmp_path: Path) -> None:
    matcher = make_matcher(Engine.tokens, pa.array(["dog", "猫"]), Edges.script, tmp_path)
    draw = random.Random(3)
    rows = [bytes(draw.randrange(256) for _ in range(draw.randrange(30))) + b" dog " for _ in range(500)]
    rows += [b"dog \xe7\x8c", b"dog \xe7", b"dog \xf0\xa0", b"\xff dog"]
    data = b"".join(rows)
    ends = [0]
    for row in rows:
        ends.append(ends[-1] + len(row))
    texts = pa.StringArray.from_buffers(len(rows), pa.array(ends, pa.int32()).buffers()[1], pa.py_buffer(data))
    found = matcher.match(texts).to_pylist()
    assert found[-4:] == [[0], [0], [0], [0]]
    assert all(set(ids) <= {0, 1} for ids in found)


def test_two_lists_do_not_see_each_other(tmp_path: Path) -> None:
    for name, entries in (("one", "dog\ncat"), ("two", "cat")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "en.txt").write_text(entries)
    one, two = EntryStore.open(str(tmp_path / "one")), EntryStore.open(str(tmp_path / "two"))
    for engine in Engine:
        first, second = one.matcher("en", engine), two.matcher("en", engine)
        assert first.match(pa.array(["a cat, a dog"])).to_pylist() == [[0, 1]]
        assert second.match(pa.array(["a cat, a dog"])).to_pylist() == [[0]]
        assert first.match(pa.array(["a cat, a dog"])).to_pylist() == [[0, 1]]


def make_pairs(rows: list[tuple[str, str]]) -> pa.RecordBatch:
    table = pa.Table.from_pylist(
        [
            {"uid": f"{k:024x}", "url": f"http://host/{k}", "text": text, "text_key": "alt", "lang": lang,
             "lang_score": 0.5, "page_url": None, "crawl": "c", "source_file": "f"}
            for k, (lang, text) in enumerate(rows)
        ],
        schema=PAIRS,
    )  # fmt: skip
    (batch,) = table.to_batches()
    return batch


@pytest.fixture
def store(tmp_path: Path) -> EntryStore:
    (tmp_path / "en.txt").write_text("dog\na dog\ncat")
    (tmp_path / "de.txt").write_text("Hund\ndog")
    (tmp_path / "other.txt").write_text("hello")
    return EntryStore.open(str(tmp_path))


@pytest.mark.parametrize("engine", Engine)
def test_a_text_meets_only_the_list_of_its_language(store: EntryStore, engine: Engine) -> None:
    rows = [("en", "a dog"), ("de", "ein Hund"), ("fr", "dog hello"), ("en", "Hund hello"), ("de", "a dog"),
            ("other", "hello"), ("en", "cat"), ("en", "a dog"), ("other", "dog")]  # fmt: skip
    matched, drops, facts = match_batch(make_pairs(rows), store, engine)
    assert matched.schema == MATCHED
    found = [(int(row["uid"], 16), row["entry_ids"]) for row in matched.to_pylist()]
    assert found == [(0, [0, 1]), (1, [0]), (4, [1]), (5, [0]), (6, [2]), (7, [0, 1])]
    assert drops == Counter(no_metadata=1, unmatched=2)
    assert facts == {
        "matched.en": 3, "matched.de": 2, "matched.other": 1, "unmatched.en": 1, "unmatched.other": 1,
        "no_metadata.fr": 1, "matches": 8, "matches_per_text.1": 4, "matches_per_text.2": 2,
    }  # fmt: skip


def test_languages_limit(store: EntryStore) -> None:
    rows = [("en", "a dog"), ("de", "ein Hund"), ("fr", "dog")]
    matched, drops, _ = match_batch(make_pairs(rows), store, Engine.tokens, ["en", "fr"])
    assert matched.num_rows == 1
    assert drops == Counter(language=1, no_metadata=1)


def test_each_distinct_text_is_matched_once(store: EntryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = store.matcher("en")

    class Spy:
        def match(self, texts: pa.StringArray) -> pa.ListArray:
            seen.extend(texts.to_pylist())
            return real.match(texts)

    monkeypatch.setattr(store, "matcher", lambda *_: Spy())
    matched, _, _ = match_batch(make_pairs([("en", "a dog"), ("en", "cat"), ("en", "a dog")]), store, Engine.tokens)
    assert seen == ["a dog", "cat"]
    assert matched.column("entry_ids").to_pylist() == [[0, 1], [2], [0, 1]]


def test_a_batch_of_nothing(store: EntryStore) -> None:
    matched, drops, facts = match_batch(make_pairs([("en", "x")]).slice(0, 0), store, Engine.tokens)
    assert (matched.num_rows, drops, facts) == (0, Counter(), Counter())
    matched, _, _ = match_batch(make_pairs([("en", "x")]), store, Engine.tokens)
    assert matched.column("entry_ids").type == ENTRY_IDS


def test_a_slice_of_a_batch(store: EntryStore) -> None:
    pairs = make_pairs([("en", "x"), ("de", "Hund"), ("en", "dog"), ("en", "x")]).slice(1, 2)
    assert [row["uid"][-1] for row in match_batch(pairs, store, Engine.tokens)[0].to_pylist()] == ["1", "2"]


def test_pairs_may_have_further_columns_and_no_wrong_ones(tmp_path: Path) -> None:
    path = str(tmp_path / "pairs.parquet")
    pairs = pa.Table.from_batches([make_pairs([("en", "a dog"), ("de", "Hund")])])
    pq.write_table(pairs.append_column("users", pa.array([1, 2])), path)
    receipt = Receipt("m")
    (batch,) = read_pairs(MatchTask((path,)), receipt)
    assert batch.schema.names == READ_COLUMNS
    assert (receipt.rows_in, receipt.rows_out) == (2, 2)
    pq.write_table(pairs.drop_columns("text").set_column(0, "uid", pa.array([1, 2])), path)
    with pytest.raises(
        HeadtailError,
        match=r"pairs.parquet has other columns than expected: .*uid is int64, expected string; text is missing",
    ):
        list(read_pairs(MatchTask((path,)), receipt))


def test_small_files_share_a_task() -> None:
    sizes = [TASK_BYTES // 2, TASK_BYTES // 2, 1, 2 * TASK_BYTES, 5]
    tasks = plan_matching([{"path": f"{k}.parquet", "bytes": size} for k, size in enumerate(sizes)], "pairs")
    assert [[path[-9] for path in task.inputs] for task in tasks] == [["0", "1"], ["2"], ["3"], ["4"]]
