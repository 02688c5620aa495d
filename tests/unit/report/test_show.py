"""What `headtail show` tells: a run's state and rows of tables, in lines that fit and cannot command the terminal."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.schema.jobs import ShowConfig
from curation.balancing.entry_table import EntryNumbers, Words, write_entries
from curation.balancing.targets import EntryTargets, write_targets
from curation.core import storage
from curation.core.cleaned import mark_cleaned
from curation.core.errors import HeadtailError
from curation.core.lease_files import Lease
from curation.core.owners import Owner
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CONCEPT_COUNTS, ENTRY_COUNTS, MATCHES, THRESHOLDS
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.report.aligned_text import places
from jobs import show

HOSTILE = "a \x1b]0;owned\x07 dog\r\n\x1b[2J\u202eback\tend"


def commit(folder: Path, stage: str, rows: list[dict], schema: pa.Schema, *sources: Part, **settings: object) -> Part:
    """A finished table of one part, made from other parts."""
    table = Table(str(folder))
    file = write_rows(f"{table.begin(0)}/rows.parquet", pa.Table.from_pylist(rows, schema))
    recipe = Recipe(stage, 1, dict(settings), [part.input() for part in sources])
    return table.commit(0, recipe, [Receipt("x", len(rows), len(rows), outputs=[file])], 1.0)


def text(words: str, ids: list[int]) -> dict:
    return {"text": words, "text_key": "alt", "lang": "en", "lang_score": 0.5, "entry_ids": ids}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has come to `curated`, with words of its entries, and of its lists: to be copied."""
    made = tmp_path_factory.mktemp("made")
    folder = made / "run"
    pairs = commit(folder / "pairs", "extract_pairs", [{"uid": "a"}], pa.schema([("uid", pa.string())]), source="wat")
    images = [
        {"uid": f"{k:024x}", "url": f"https://x.org/{k}", "texts": [text(HOSTILE, [0, 2]), text("写真 " * 30, [1])]}
        for k in range(30)
    ]
    settings = {"metadata": "1234567890", "edges": "script", "languages": ["en"]}
    matches = commit(folder / "matches", "match_pairs", images, MATCHES, pairs, **settings)
    counts = [{"lang": "en", "entry_id": k, "count": 30} for k in range(3)]
    commit(folder / "entry_counts", "count_entries", counts, ENTRY_COUNTS, matches)
    row = dict.fromkeys(THRESHOLDS.names, 7) | {"lang": "en", "t": 20_000.0, "tail_share": 0.0625}
    commit(folder / "thresholds", "balance_pairs", [row], THRESHOLDS, matches, unit="pair", t=20000)
    commit(folder / "curated", "balance_pairs", images, MATCHES, matches, unit="pair", t=20000)
    lists = made / "lists"
    lists.mkdir()
    (lists / "en.txt").write_text("dog\nred kite\n\x1b[1mzebra\n\nzebra\n")
    write_entries(str(folder / "entries"), Words.of_lists(EntryStore.open(str(lists)), []), EntryNumbers())
    return made


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def shown(capsys: pytest.CaptureFixture[str], width: int, output: object, table: str = "", rows: int = 20) -> list[str]:
    os.environ["COLUMNS"] = str(width)
    try:
        show.run(ShowConfig(output=str(output), table=table, rows=rows))
    finally:
        del os.environ["COLUMNS"]
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_rows_fit_and_command_nothing(run: Path, capsys: pytest.CaptureFixture[str], width: int) -> None:
    title, header, *lines = shown(capsys, width, run, "matches", rows=3)
    assert "30 rows" in title
    assert len(lines) == 3
    assert max(map(places, [header, *lines])) <= width
    assert not re.search(r"[\x00-\x1f\x7f\u202e]", "".join([title, header, *lines]))


def test_ids_have_their_words(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, first, *_ = shown(capsys, 300, run, "matches")
    assert "[dog, 2]" in first  # entry 2 is no usable entry
    assert "[red kite]" in first
    _, header, *lines = shown(capsys, 80, run, "entry_counts")
    assert header.split() == ["lang", "entry_id", "entry", "count"]
    assert [line.split()[2] for line in lines] == ["dog", "red", "-"]


def test_a_run_without_words_shows_ids(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage.remove(str(run / "entries"))
    assert "[0, 2]" in shown(capsys, 300, run, "matches")[2]
    (run / "entries").mkdir()
    (run / "entries/en.txt").write_text("lists of the user")
    assert "[0, 2]" in shown(capsys, 300, run, "matches")[2]
    assert not any(line.startswith("entries") for line in shown(capsys, 300, run))


def test_a_table_is_found_by_its_folder_its_part_and_its_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        tuple(shown(capsys, 100, run / name)[1:])
        for name in ("entry_counts", "entry_counts/", "entry_counts/part-00000", "entry_counts/part-00000/rows.parquet")
    }
    assert len(rows) == 2  # above a file within a part, the words are not looked for
    assert {len(lines) for lines in rows} == {4}


DAMAGES = {
    "no JSON": "{",
    "another object": '{"id": "x", "stage": "match_pairs"}',
    "other types": '{"id": "x", "stage": 1, "files": [], "inputs": [], "facts": {}, "settings": []}',
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_manifest_hides_no_other_table(run: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (run / "matches/part-00000/_manifest.json").write_text(DAMAGES[name])
    (run / "entries/part-00000/_manifest.json").write_text("[")
    told = "\n".join(shown(capsys, 200, run))
    assert re.search(r"^matches +damaged$", told, re.MULTILINE)
    assert re.search(r"^damaged +.*/matches.*damaged|^damaged +.*settings of .*/matches", told, re.MULTILINE)
    assert re.search(r"^damaged +.*/entries/part-00000/_manifest.json is damaged", told, re.MULTILINE)
    assert re.search(r"^pairs +finished +1 +1 ", told, re.MULTILINE)
    assert re.search(r"^curated +(finished|behind matches) +1 +30 +1 ", told, re.MULTILINE)
    assert told.endswith("next      headtail match_pairs")
    assert len(shown(capsys, 200, run, "curated")) == 22, "rows of another table, without words"


def test_rows_of_any_parquet_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    columns = [
        pa.array([None, 1.5, float("nan")]),
        pa.array([[], None, [[1], [2, None]]]),
        pa.array([b"\0", b"", None]),
    ]
    table = pa.Table.from_arrays([*columns, columns[0]], ["a", "lists", "binary", "a"])
    pq.write_table(table, folder / "1.parquet", row_group_size=1)
    pq.write_table(pa.table({"b": [{"x": 1, "y": True}]}), folder / "2.parquet")
    _, header, *lines = shown(capsys, 200, folder, rows=4)
    assert header.split() == ["a", "0", "lists", "binary", "a", "3", "b"]
    assert [line.split() for line in lines] == [
        ["-", "1", "byte", "-"],
        ["1.5", "-", "0", "bytes", "1.5"],
        ["nan", "1,", "2,", "-", "-", "nan"],
        ["x:", "1", "y:", "true"],
    ]
    (folder / "1.parquet").unlink()
    assert shown(capsys, 200, folder)[1:] == ["b", "x: 1 y: true"]


def test_a_damaged_file_is_one_line(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    data = bytearray((run / "entry_counts/part-00000/rows.parquet").read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(data)
    with pytest.raises(HeadtailError, match=r"rows\.parquet is damaged"):
        show.run(ShowConfig(output=str(path)))


def test_the_state_names_tables_decisions_and_what_comes_next(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "\n".join(shown(capsys, 100, run))
    assert re.search(r"^curated +finished +1 +30 +1 ", told, re.MULTILINE)
    assert re.search(r"^lists +-$", told, re.MULTILINE)
    assert re.search(r"^en +20,000 +6.25% ", told, re.MULTILINE)
    assert "t 20,000, unit pair" in told
    assert "languages: en" in told
    assert told.endswith("next      headtail download_images")


def test_targets_and_concepts_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not [line for line in shown(capsys, 300, run) if line.startswith(("targets", "concepts"))]
    path = run / "curated/part-00000/_manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"] |= {"targets": "ab" * 32, "concepts": {"colours": []}, "combine": "min"}
    path.write_text(json.dumps(manifest))
    assert any(re.match("damaged .*/_targets/targets.parquet is gone", line) for line in shown(capsys, 300, run))
    write_targets(EntryTargets({"en": (np.array([0, 2], np.int32), np.array([4.0, -2.0]))}), str(path.parent))
    counts = Table(str(run / "concept_counts"))
    receipt = Receipt("x", outputs=[write_rows(f"{counts.begin(0)}/a.parquet", CONCEPT_COUNTS.empty_table())])
    recipe = Recipe("concept_counts", 1, {"balance": manifest["id"]})
    numbers = {"t": 50.0, "images_with": 300, "concepts": 69, "images_without": 100, "count": 9_000, "kept": 800}
    counts.commit(0, recipe, [receipt], 0.0, concepts={"col\x1b[2Jours": numbers})
    told = shown(capsys, 300, run)
    assert "targets   2 entries of en (1 with a weight, 1 with a t)" in told
    (line,) = [line for line in told if line.startswith("concepts ")]
    assert "ours: t 50, 300 images with one of 69 concepts, 100 without; counted 9,000 times" in line
    assert "\x1b" not in line
    counts.commit(0, recipe, [receipt], 0.0, concepts={"colours": {"t": "x"}})
    assert any(re.match("damaged .*concept_counts.* tells no numbers", line) for line in shown(capsys, 300, run))


def test_a_run_without_images_is_told_what_makes_them(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report").mkdir()
    (run / "report/report.json").write_text("{}")
    told = shown(capsys, 100, run)[-1]
    assert told == f"next      nothing, for a run without images; for images headtail download_images output={run}"


def stop_matches(run: Path) -> None:
    (run / "matches/part-00000/_manifest.json").unlink()


def match_again(run: Path) -> None:
    path = run / "matches/part-00000/_manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id": "another"}))


def clean_pairs(run: Path) -> None:
    mark_cleaned(str(run / "pairs/part-00000"), "clean")
    (run / "pairs/part-00000/rows.parquet").unlink()


def leave_downloads(run: Path) -> None:
    part = run / "downloads/part-00000"
    part.mkdir(parents=True)
    (part / "_recipe.json").write_text('{"recipe": {}, "ranges": 8}')
    for k in range(3):
        (part / f"range-{k:06d}.json").write_text("{}")


@pytest.mark.parametrize(
    ("change", "line", "following"),
    [
        (stop_matches, "matches +unfinished$", "match_pairs"),
        (match_again, "curated +behind matches", "count_entries"),
        (clean_pairs, "pairs +cleaned", "download_images"),
        (leave_downloads, r"downloads +unfinished \(3 of 8 lists\)", "download_images"),
    ],
    ids=["stopped", "behind", "cleaned", "some lists"],
)
def test_a_table_that_is_not_simply_finished(
    run: Path, capsys: pytest.CaptureFixture[str], change: object, line: str, following: str
) -> None:
    change(run)  # type: ignore[operator]  # one of the functions above
    told = "\n".join(shown(capsys, 100, run))
    assert re.search(f"^{line}", told, re.MULTILINE)
    assert told.endswith(f"next      headtail {following}")


def test_who_works_on_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = Owner.this_process("curate")
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name, owner in {
        "pairs": mine,
        "curated": mine,
        "matches": replace(mine, id="x", pid=gone.pid, process_start="0"),
        "lists": replace(mine, id="y", machine="another", host="node\x1b7"),
    }.items():
        (run / name).mkdir(exist_ok=True)
        (run / name / ".lease").write_bytes(Lease(owner).to_bytes())
    work = [line for line in shown(capsys, 200, run) if line.startswith("work")]
    assert [line.rpartition("ago, ")[2][:11] for line in work] == ["works on it", "was stopped", "works on it"]
    assert work[0].endswith("works on it")
    assert "node\\x1b7" in work[2]
    assert "another one" in work[2]


@pytest.mark.parametrize(
    ("output", "table", "told"),
    [
        ("run", "samples", "has no table samples, it has pairs, matches, entry_counts"),
        ("nothing", "", "holds nothing of headtail"),
        ("lists/en.txt", "", "holds nothing of headtail"),
        ("run/pairs", "", "was cleaned on"),
        ("begun", "", "holds no finished part yet"),
    ],
)
def test_what_cannot_be_shown(run: Path, tmp_path: Path, output: str, table: str, told: str) -> None:
    clean_pairs(run)
    (tmp_path / "begun/part-00000").mkdir(parents=True)
    with pytest.raises(HeadtailError, match=told):
        show.run(ShowConfig(output=str(tmp_path / output), table=table))


@pytest.mark.parametrize(
    "arguments", [["RUN", "curated", "rows=2"], ["output=RUN", "curated", "rows=2"], ["RUN", "table=curated", "rows=2"]]
)
def test_the_command_takes_the_folder_and_the_table_without_keys(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    from jobs.cli import launch

    monkeypatch.setattr(sys, "argv", ["headtail"])
    launch(show.run, [each.replace("RUN", str(run)) for each in arguments], "show")
    assert "the first 2:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("column", "told"),
    [
        pytest.param(pa.array([2**62], pa.timestamp("us")), str(2**62), id="a late time"),
        pytest.param(pa.array([1], pa.timestamp("us", "Nowhere/Town")), "1", id="a time zone of nowhere"),
        pytest.param(pa.array([2**30], pa.int32()).cast(pa.date32()), str(2**30), id="a late date"),
        pytest.param(pa.array([b"a\xffb"]).view(pa.string()), "a\ufffdb", id="no UTF-8"),
        pytest.param(pa.array([[2**62]], pa.list_(pa.timestamp("us"))), "unreadable", id="a late time in a list"),
        pytest.param(pa.array([-1e300]), "-1e+300", id="a large number"),
    ],
)
def test_values_that_python_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: pa.Array, told: str
) -> None:
    pq.write_table(pa.table({"a": column, "b": ["kept"]}), tmp_path / "odd.parquet")
    assert shown(capsys, 80, tmp_path / "odd.parquet")[2].split() == [told, "kept"]


def test_damaged_words_leave_the_ids(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = Table(str(run / "entries")).files()
    Path(file).write_bytes(b"PAR1")
    assert "[0, 2]" in shown(capsys, 300, run, "matches")[2]
