"""The files of targets that users give: read, refused in a line, and resolved by the words of the lists."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.balancing import target_table
from curation.balancing.concept_tables import read_names
from curation.balancing.entry_table import Words
from curation.balancing.target_table import TargetTable, read_target_table
from curation.balancing.targets import EntryTargets
from curation.core.errors import HeadtailError
from curation.matching.entry_lists import EntryList
from curation.matching.entry_store import EntryStore

ROWS = [
    {"lang": "en", "entry": "robin", "t": None, "weight": 3.0},
    {"lang": "de", "entry": "Rotkehlchen", "t": 500.0, "weight": None},
    {"lang": "en", "entry": "auk", "t": None, "weight": 0.5},
]


def _parquet(path: Path, rows: list[dict[str, Any]]) -> str:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def _words(folder: Path) -> Words:
    folder.mkdir()
    (folder / "en.txt").write_text("cat\nrobin\nauk\n")
    (folder / "de.txt").write_text("Hund\nKatze\nRotkehlchen\n")
    return Words.of_lists(EntryStore.open(str(folder)), [])


def test_rows_of_parquet_and_csv_are_the_same_targets_in_whatever_order(tmp_path: Path) -> None:
    text = "lang,entry,weight,t\nen,auk,0.5,\nde,Rotkehlchen,,500\n\nen,robin,3,\n"
    (tmp_path / "a.csv").write_text("\ufeff" + text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    large = pa.Table.from_pylist(ROWS[::-1]).set_column(
        1, "entry", pa.array([r["entry"] for r in ROWS[::-1]], pa.large_string())
    )
    pq.write_table(large, tmp_path / "c.parquet")
    found = [
        read_target_table(path)
        for path in (_parquet(tmp_path / "d.parquet", ROWS), *map(str, sorted(tmp_path.glob("[abc].*"))))
    ]
    assert len(found) == 4
    assert len({each.hash for each in found}) == 1
    words = _words(tmp_path / "lists")
    for each in found:
        assert each.langs == ["de", "en"]
        assert each.resolve(words).rows().to_pylist() == [
            {"lang": "de", "entry_id": 2, "t": 500.0, "weight": None},
            {"lang": "en", "entry_id": 1, "t": None, "weight": 3.0},
            {"lang": "en", "entry_id": 2, "t": None, "weight": 0.5},
        ]
    changed = [dict(row, weight=row["weight"] and 3.5) for row in ROWS]
    assert read_target_table(_parquet(tmp_path / "e.parquet", changed)).hash != found[0].hash


def _names(folder: Path) -> EntryList:
    (folder / "names.txt").write_text("red\nblue\n")
    return read_names({"colours": str(folder / "names.txt")})["colours"]


def test_a_namespace_stands_in_the_place_of_a_language(tmp_path: Path) -> None:
    """Rows of concepts beside those of entries, by name or id; without any the hash is that of before."""
    names, words = _names(tmp_path), _words(tmp_path / "lists")
    rows = [{"namespace": "colours", "lang": "", "entry": "blue", "t": 7.0, "weight": None}]
    rows += [row | {"namespace": name} for row, name in zip(ROWS, ("", None, "entries"), strict=True)]
    by_name = read_target_table(_parquet(tmp_path / "a.parquet", rows))
    assert (by_name.langs, by_name.namespaces) == (["de", "en"], ["colours"])
    found = by_name.resolve(words, {"colours": names, "tags": None})
    assert found.of_concepts().rows().to_pylist() == [{"lang": "colours", "entry_id": 1, "t": 7.0, "weight": None}]
    plain = read_target_table(_parquet(tmp_path / "b.parquet", ROWS))
    assert found.of_entries().rows() == plain.resolve(words).rows()
    assert read_target_table(_parquet(tmp_path / "c.parquet", rows[1:])).hash == plain.hash != by_name.hash
    assert EntryTargets.of_rows(found.rows()).rows() == found.rows()
    (tmp_path / "a.csv").write_text("namespace,entry_id,weight\ncolours,1,0.5\ntags,9,2\n")
    by_id = read_target_table(str(tmp_path / "a.csv"))
    for given in (None, words):
        one = by_id.resolve(given, {"colours": names, "tags": None}).of_concepts()
        assert one.rows()["entry_id"].to_pylist() == [1, 9]
        assert one.with_own(lambda ts: ts / 0.5).rows() == one.rows()
    assert found.with_own(lambda ts: ts / 0.5).of_concepts().rows()["t"].to_pylist() == [14.0]
    weights = EntryTargets({"concepts.a": (np.array([0], np.int32), np.array([9.0]))})
    assert weights.largest_weight == 1.0  # of entries


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"entry": "blue", "lang": "en"}, "is of a concept, and has a lang: leave it empty"),
        ({"entry": "green"}, "targets for 1 concept that concept_names.colours does not hold: 'green': leave"),
        ({"entry": "blue", "namespace": "taggs"}, "targets for concepts of taggs, and there is no concepts.taggs"),
        ({"entry": "blue", "namespace": "tags"}, "names concepts of tags by their words: give concept_names.tags"),
        ({"entry_id": 2}, "targets for 1 concept that concept_names.colours does not hold: '2': leave"),
        (
            {"entry": "a", "namespace": "entries"},
            "row 1 (namespace entries, lang , entry a, t 1.0) is of an entry, and",
        ),
        (
            {"entry": "a", "namespace": None, "lang": "concepts.colours"},
            "has a lang that is none: a concept has its namespace in the column namespace",
        ),
    ],
    ids=["lang", "no such name", "no such namespace", "no names", "no such id", "entry", "namespace as lang"],
)
def test_concepts_that_are_not_there_are_refused(row: dict[str, Any], line: str, tmp_path: Path) -> None:
    path = _parquet(tmp_path / "a.parquet", [{"lang": "", "namespace": "colours", "t": 1.0} | row])
    with pytest.raises(HeadtailError, match=re.escape(line)) as refusal:
        read_target_table(path).resolve(None, {"colours": _names(tmp_path), "tags": None})
    assert str(refusal.value).startswith(path)


def test_long_entries_and_rows_that_take_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_row(entry="é" * 2048), _row(entry="a" * 4097)]
    path = _parquet(tmp_path / "a.parquet", rows)
    with pytest.raises(HeadtailError, match="column entry is no column of string: a value has 4,097 bytes, expected"):
        read_target_table(path)
    (tmp_path / "a.csv").write_text("lang,entry,t\n" + "".join(f"en,{row['entry']},1\n" for row in rows))
    with pytest.raises(HeadtailError, match="line 3 has entry of 4,097 bytes, expected at most 4,096"):
        read_target_table(str(tmp_path / "a.csv"))
    path = _parquet(tmp_path / "b.parquet", rows[:1])
    assert len(read_target_table(path).rows) == 1
    monkeypatch.setattr(target_table, "MAX_BYTES", 4000)
    with pytest.raises(HeadtailError, match=r"b\.parquet is not a Parquet file of targets, .* more than 4,000 bytes"):
        target_table._read_parquet(path)
    (tmp_path / "b.csv").write_text("lang,entry,t\n" + f"en,{'a' * 4000},1\n")
    with pytest.raises(HeadtailError, match="or 4,000 characters"):
        read_target_table(str(tmp_path / "b.csv"))


def test_a_folder_of_one_file_is_read_and_of_two_refused(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    first = read_target_table(_parquet(tmp_path / "targets/0.parquet", ROWS))
    assert read_target_table(str(tmp_path / "targets")).hash == first.hash
    _parquet(tmp_path / "targets/1.parquet", ROWS)
    with pytest.raises(HeadtailError, match="targets, which holds 2 files: give one file"):
        read_target_table(str(tmp_path / "targets"))


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    found = [read_target_table(_parquet(tmp_path / "a.parquet", ROWS[:count])).hash for count in (1, 2, 3, 3)]
    assert len(set(found)) == 3


def test_ids_are_taken_with_and_without_words(tmp_path: Path) -> None:
    table = read_target_table(_parquet(tmp_path / "a.parquet", [{"lang": "en", "entry_id": 2, "weight": 3}]))
    for words in (None, _words(tmp_path / "lists")):
        assert table.resolve(words).rows().to_pylist() == [{"lang": "en", "entry_id": 2, "t": None, "weight": 3.0}]


def _row(**changes: Any) -> dict[str, Any]:
    return {**ROWS[0], **changes}


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        pytest.param([_row(t=5.0)], "row 1 (lang en, entry robin, t 5.0, weight 3.0) has both t and weight", id="both"),
        pytest.param(
            [ROWS[1], _row(weight=None)], "row 2 (lang en, entry robin) has neither t nor weight", id="neither"
        ),
        pytest.param(
            [_row(weight=0.0)], "row 1 (lang en, entry robin, weight 0.0) has a weight that is not", id="zero"
        ),
        pytest.param([_row(weight=-1.0)], "has a weight that is not a number from 1e-09 to 1e+09", id="negative"),
        pytest.param([_row(weight=float("nan"))], "has a weight that is not a number", id="nan"),
        pytest.param([_row(weight=None, t=float("inf"))], "has a t that is not a number from 1e-09 to 1e+18", id="inf"),
        pytest.param([*ROWS, _row(weight=2.0)], "row 4 (lang en, entry robin, weight 2.0) is a second one", id="twice"),
        pytest.param([_row(lang=None)], "row 1 (entry robin, weight 3.0) lacks lang or entry", id="no lang"),
        pytest.param([_row(entry=None), _row(entry=None)], "lacks lang or entry (2 rows are so)", id="no entry"),
        pytest.param([{"lang": "en", "entry_id": -1, "t": 1.0}], "has an entry_id below 0", id="negative id"),
        pytest.param([{"lang": "en", "entry_id": 1 << 40, "t": 1.0}], "column entry_id is no column of int32", id="id"),
        pytest.param([_row(weight="3")], "column weight is no column of double: it is string", id="text"),
        pytest.param([{"lang": "en", "entry": "a"}], "has the columns lang, entry, expected lang or", id="no target"),
        pytest.param([_row(entry_id=1)], "has the columns lang, entry, t, weight, entry_id, expected", id="both names"),
        pytest.param([_row(wieght=1)], "has the columns lang, entry, t, weight, wieght, expected", id="unknown column"),
        pytest.param(
            [{"entry": "a", "t": 1.0}], "has the columns entry, t, expected lang or namespace", id="no language"
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file(rows: list[dict[str, Any]], line: str, tmp_path: Path) -> None:
    path = _parquet(tmp_path / "targets.parquet", rows)
    with pytest.raises(HeadtailError, match=re.escape(line)) as refusal:
        read_target_table(path)
    assert str(refusal.value).startswith(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        pytest.param("a.csv", "lang,entry,t\nen,dog\n", "line 2 has 2 fields, expected 3", id="fields"),
        pytest.param("a.csv", "lang,entry,t\nen,dog,many\n", "line 2 has t 'many', expected a number", id="number"),
        pytest.param("a.csv", "lang,entry_id,t\nen,1.5,2\n", "line 2 has entry_id '1.5', expected a number", id="id"),
        pytest.param(
            "a.csv", "lang,entry_id,t\nen,99999999999,2\n", "has entry_id '99999999999', expected", id="large id"
        ),
        pytest.param("a.csv", "lang,entry,t\n", "holds no target", id="no row"),
        pytest.param("a.csv", "", "has the columns (none), expected lang", id="empty"),
        pytest.param("a.csv", 'lang,entry,t\nen,"dog"x,2\n', "is no CSV file of targets", id="quotes"),
        pytest.param("a.parquet", "lang,entry,t\n", "is not a Parquet file of targets", id="csv as parquet"),
        pytest.param("none.csv", None, "and there is no such file", id="no file"),
    ],
)
def test_a_file_that_is_none_is_one_line(name: str, content: str | None, line: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(HeadtailError, match=re.escape(line)) as refusal:
        read_target_table(str(path))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        pytest.param(
            [ROWS[0], _row(entry="wren"), _row(entry="x" * 200)],
            f"2 entries that the entry lists do not hold: en 'wren', en '{'x' * 80}': leave",
            id="words",
        ),
        pytest.param(
            [{"lang": "de", "entry_id": 3, "t": 1.0}], "1 entry that the entry lists do not hold: de '3'", id="id"
        ),
        pytest.param([_row(lang="fr")], "targets for fr, and the languages with an entry list are de, en", id="lang"),
    ],
)
def test_entries_that_the_lists_do_not_hold_are_refused(rows: list[dict], line: str, tmp_path: Path) -> None:
    table = read_target_table(_parquet(tmp_path / "targets.parquet", rows))
    with pytest.raises(HeadtailError, match=re.escape(line)) as refusal:
        table.resolve(_words(tmp_path / "lists"))
    assert table.path in str(refusal.value)


def test_of_the_example_the_entries_that_the_lists_hold_are_taken(tmp_path: Path) -> None:
    config = compose_config("balance_pairs", BalancePairsConfig, ["output=x", "balance=domain"])
    birds = read_target_table(config.balance.targets)
    assert len(birds.rows) == len(set(birds.rows["entry"].to_pylist())) > 150
    words = _words(tmp_path / "lists")
    assert birds.resolve(words).rows().to_pylist() == [
        {"lang": "en", "entry_id": 1, "t": None, "weight": 3.0},
        {"lang": "en", "entry_id": 2, "t": None, "weight": 3.0},
    ]
    (tmp_path / "lists/en.txt").write_text("cat")
    with pytest.raises(HeadtailError, match="entries that the entry lists do not hold"):
        birds.resolve(Words.of_lists(EntryStore.open(str(tmp_path / "lists")), []))


def test_words_need_lists() -> None:
    table = TargetTable("targets.csv", pa.Table.from_pylist(ROWS))
    with pytest.raises(HeadtailError, match=r"targets.csv names entries by their words.*give entry_lists"):
        table.resolve(None)
