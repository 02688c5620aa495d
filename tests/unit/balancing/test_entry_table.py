"""The table of entries: words of the lists, carried from job to job, with the numbers that are known."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import EXPECTED_UNIT, EntryNumbers, Words, is_free, read_words, write_entries
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import MATCHES
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.matching.parts import MatchesTables
from jobs.entries import write_counts


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EntryStore:
    """Three lists: of text with a hole, of Parquet with sources and a licence, and one that is longer than a batch."""
    lists = tmp_path_factory.mktemp("lists")
    (lists / "en.txt").write_text("dog\n\nred kite\n")
    columns = {"text": ["Hund", "Katze"], "source": ["wordnet", None]}
    pq.write_table(pa.table(columns).replace_schema_metadata({"licence": "CC BY-SA 4.0"}), lists / "de.parquet")
    (lists / "fr.txt").write_text("".join(f"mot {k}\n" for k in range(70_000)))
    return EntryStore.open(str(lists))


def arrays(folder: Path, **counts: list[int]) -> CountFiles:
    for lang, values in counts.items():
        save_array(f"{folder}/{lang}.npy", np.array(values, np.int64))
    return CountFiles(str(folder))


def rows(path: Path) -> list[dict]:
    return pa.concat_tables([pq.read_table(file) for file in Table(str(path)).files()]).to_pylist()


def test_rows_are_the_usable_entries_with_the_numbers_that_are_known(store: EntryStore, tmp_path: Path) -> None:
    path = tmp_path / "entries"
    write_entries(str(path), Words.of_lists(store, ["en", "de"]), EntryNumbers(arrays(tmp_path / "c", en=[3, 0, 9])))
    unknown = {"expected": None, "in_shards": None}
    assert rows(path) == [
        {"lang": "de", "entry_id": 0, "entry": "Hund", "source": "wordnet", "count": 0, **unknown},
        {"lang": "de", "entry_id": 1, "entry": "Katze", "source": None, "count": 0, **unknown},
        {"lang": "en", "entry_id": 0, "entry": "dog", "source": None, "count": 3, **unknown},
        {"lang": "en", "entry_id": 2, "entry": "red kite", "source": None, "count": 9, **unknown},
    ]
    (part,) = Table(str(path)).parts()
    assert part.manifest["licence"] == "CC BY-SA 4.0"
    assert pq.read_schema(part.files[0]).metadata[b"licence"] == b"CC BY-SA 4.0"
    assert pq.ParquetFile(part.files[0]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_words_of_a_table_give_the_bytes_of_the_lists(store: EntryStore, tmp_path: Path) -> None:
    counts = arrays(tmp_path / "c", fr=list(range(69_000)), en=[5])
    numbers = EntryNumbers(counts, arrays(tmp_path / "e", en=[EXPECTED_UNIT * 3 // 2]), arrays(tmp_path / "s", fr=[1]))
    of_lists, carried = str(tmp_path / "a"), str(tmp_path / "b")
    write_entries(of_lists, Words.of_lists(store, []), numbers, [{"path": "x", "id": "1"}])
    write_entries(carried, Words.of_lists(store, []), EntryNumbers())
    words = Words.of_tables([str(tmp_path / "none"), carried], store.hash)
    assert words is not None
    assert max(batch.num_rows for batch in words) <= 65_536
    for t in ("0", "1"):  # of another t, then of this one
        write_entries(carried, words, numbers, [{"path": "x", "id": t}])
    digests = {hashlib.sha256(Path(Table(path).files()[0]).read_bytes()).hexdigest() for path in (of_lists, carried)}
    assert len(digests) == 1
    assert {row["expected"] for row in rows(Path(carried)) if row["entry"] == "dog"} == {1.5}
    assert [part.manifest["inputs"] for part in Table(carried).parts()] == [[{"path": "x", "id": "1"}]]


def test_a_finished_table_is_not_written_again(store: EntryStore, tmp_path: Path) -> None:
    path, words = str(tmp_path / "entries"), Words.of_lists(store, ["en"])
    (file,) = write_entries(path, words, EntryNumbers()).files
    before = Path(file).stat().st_mtime_ns
    write_entries(path, words, EntryNumbers())
    assert Path(file).stat().st_mtime_ns == before


def test_words_of_other_lists_are_none(store: EntryStore, tmp_path: Path) -> None:
    write_entries(str(tmp_path / "entries"), Words.of_lists(store, ["en"]), EntryNumbers())
    assert Words.of_tables([str(tmp_path / "entries")], "other lists") is None


@pytest.mark.parametrize("things", ["lists", "another table", "a file", "nothing", "a stopped part"])
def test_only_a_free_folder_becomes_the_table(tmp_path: Path, things: str) -> None:
    path = tmp_path / "entries"
    if things == "lists":
        path.mkdir()
        (path / "en.txt").write_text("dog\n")
    elif things == "another table":
        Table(str(path)).commit(0, Recipe("extract_pairs", 1, {}), [], 0)
    elif things == "a file":
        path.write_text("dog\n")
    elif things == "a stopped part":
        (path / "part-00000").mkdir(parents=True)
    assert is_free(str(path)) == (things in ("nothing", "a stopped part"))


def test_words_are_read_by_language_and_id(store: EntryStore, tmp_path: Path) -> None:
    part = write_entries(str(tmp_path / "entries"), Words.of_lists(store, []), EntryNumbers())
    wanted = {("en", 2), ("fr", 2), ("fr", 69_999), ("de", 7), ("xx", 0)}
    found = {("en", 2): "red kite", ("fr", 2): "mot 2", ("fr", 69_999): "mot 69999"}
    assert read_words(part.files, wanted) == found


@pytest.mark.parametrize("damage", ["truncated", "lost", "zeros within"])
def test_damaged_words_stop_no_balance(
    store: EntryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = tmp_path / "run" / "entries"
    part = write_entries(str(path), Words.of_lists(store, []), EntryNumbers())
    file = Path(part.files[0])
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[:100])
    elif damage == "lost":
        file.unlink()
    else:
        file.write_bytes(content[:4] + bytes(2000) + content[2004:])
    matches, counts = Table(str(tmp_path / "run/matches")), Table(str(tmp_path / "run/entry_counts"))
    matched = write_rows(f"{matches.part_path(0)}/bucket-00000.parquet", MATCHES.empty_table())
    settings = {"metadata": store.hash, "max_texts": 9}
    matches.commit(0, Recipe("match_pairs", 1, settings), [Receipt("x", outputs=[matched])], 0)
    counts.commit(0, Recipe("count_entries", 1, {}), [], 0)
    numbers, balance = arrays(tmp_path / "c", en=[1]), Recipe("balance_pairs", 1, {})
    write_counts("test", str(path), MatchesTables([matches.path]), numbers, counts.path, "thresholds", balance)
    assert "writes no" in capsys.readouterr().err
    assert [each.id for each in Table(str(path)).parts()] == [part.id]
    assert {each.name for each in path.rglob("*.*")} <= {"_manifest.json", "entries.parquet"}
