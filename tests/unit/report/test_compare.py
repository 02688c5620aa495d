"""Runs side by side: numbers of reports, images in common, entries that moved, against plain loops."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST
from curation.core.schemas import CURATED, ENTRIES, MATCHES, THRESHOLDS
from curation.report.compare import compare
from curation.report.compare_page import MARK, comparison_page
from curation.report.compare_text import comparison_lines
from curation.report.compared_runs import ComparedRun, labels
from curation.report.uid_overlap import EXAMPLES, overlap
from jobs.compare import check_page
from tests.browser.report_example import HOSTILE, example_report
from tests.unit.report.test_page import ALLOWED, Page

Rows = list[dict[str, Any]]


def curated_rows(uids: Sequence[str], text: str) -> Rows:
    return [
        {"uid": uid, "url": f"http://a.test/{uid}", "text": f"{text} {int(uid, 16) % 3}", "lang": "en",
         "keep_probability": 0.5, "texts": []}
        for uid in sorted(uids)
    ]  # fmt: skip


def write_table(
    folder: Path, rows: Rows, schema: pa.Schema, stage: str, settings: dict[str, Any], files: int = 1
) -> None:
    """Write a table of one part, as jobs do: its rows in `files` files, and a manifest."""
    part = folder / "part-00000"
    part.mkdir(parents=True)
    listed = []
    for k in range(files):
        some = rows[k * len(rows) // files : (k + 1) * len(rows) // files]
        pq.write_table(pa.Table.from_pylist(some, schema), part / f"{k}.parquet", row_group_size=7)
        listed.append({"path": f"{k}.parquet", "rows": len(some), "bytes": 1})
    manifest = {
        "id": f"{folder}", "stage": stage, "logic_version": 1, "settings": settings, "inputs": [], "files": listed,
        "rows_in": len(rows) + 2, "rows_out": len(rows), "drops": {"not_drawn": 2}, "facts": {}, "failures": [],
        "seconds": 1.0, "versions": {},
    }  # fmt: skip
    (part / MANIFEST).write_text(json.dumps(manifest))


def make_run(
    folder: Path, uids: Sequence[str], t: float, entries: dict[tuple[str, str], int] | None = None, text: str = "a"
) -> Path:
    write_table(folder / "curated", curated_rows(uids, text), CURATED, "balance_pairs", {"t": t, "seed": -5}, files=3)
    threshold = {
        "lang": "en", "t": t, "tail_share": 0.1, "entries": 3, "matches": 9, "expected_pairs": 1.5,
        "expected_images": t,
    }  # fmt: skip
    write_table(folder / "thresholds", [threshold], THRESHOLDS, "balance_pairs", {})
    if entries is not None:
        rows = [
            dict.fromkeys(ENTRIES.names) | {"lang": lang, "entry_id": k, "entry": entry, "count": count}
            for k, ((lang, entry), count) in enumerate(sorted(entries.items()))
        ]
        write_table(folder / "entries", rows, ENTRIES, "entries", {})
    return folder


def some_uids(seed: int, count: int) -> list[str]:
    draws = random.Random(seed)
    return [f"{draws.getrandbits(96):024x}" for _ in range(count)]


@pytest.mark.parametrize("range_rows", [1000, 13, 1])
def test_the_overlap_is_that_of_sets_however_it_is_cut(tmp_path: Path, range_rows: int) -> None:
    shared, alone, others = some_uids(1, 14), some_uids(2, 7), some_uids(3, 6)
    first, second = curated_rows([*shared, *alone], "a"), curated_rows([*shared, *others], "a")
    for row in second[::2]:
        row["text"] = "another"
    write_table(tmp_path / "1", first, CURATED, "x", {}, files=2)
    write_table(tmp_path / "2", second, CURATED, "x", {})
    paths = [[str(file) for file in sorted((tmp_path / name / "part-00000").glob("*.parquet"))] for name in "12"]
    found = overlap(*paths, CURATED, range_rows)
    texts = {row["uid"]: row["text"] for row in second}
    same = sum(texts.get(row["uid"]) == row["text"] for row in first)
    assert (found.first, found.second, found.both, found.same_text) == (21, 20, 14, same)
    assert found.union == 27
    assert [row["uid"] for row in found.only_first] == sorted(alone)[:EXAMPLES]
    assert [row["uid"] for row in found.only_second] == sorted(others)[:EXAMPLES]
    assert overlap(paths[0], [], CURATED).both == 0


def test_entries_that_moved_most_are_those_of_a_loop_whatever_their_ids(tmp_path: Path) -> None:
    rng = random.Random(5)
    keys = [("de", f"w{k}") for k in range(60)] + [("en", f"w{k}") for k in range(60)]
    first = {key: rng.randrange(100) for key in keys}
    second = {key: rng.randrange(100) for key in rng.sample(keys, 100)} | {("fr", "new"): 99}
    runs = [make_run(tmp_path / name, [], t, counts) for name, t, counts in (("a", 50, first), ("b", 30, second))]
    found = compare([str(run) for run in runs]).moves
    assert found
    assert found.measure == "balanced"

    def value(counts: dict, key: tuple[str, str], t: float) -> float:
        return min(counts.get(key, 0), t) if key[0] == "en" else counts.get(key, 0)  # thresholds are of en alone

    moves = {key: (value(first, key, 50), value(second, key, 30)) for key in first | second}
    whole = {key: first.get(key, 0) + second.get(key, 0) for key in moves}
    order = sorted(moves, key=lambda key: (moves[key][0] - moves[key][1], -whole[key], key))
    gained = [(*key, *moves[key]) for key in order if moves[key][1] > moves[key][0]][:20]
    assert [tuple(row.values()) for row in found.gained[0]] == gained
    order = sorted(moves, key=lambda key: (moves[key][1] - moves[key][0], -whole[key], key))
    lost = [(*key, *moves[key]) for key in order if moves[key][1] < moves[key][0]][:20]
    assert [tuple(row.values()) for row in found.lost[0]] == lost


def test_numbers_of_manifests_are_compared_where_no_report_is(tmp_path: Path) -> None:
    uids = some_uids(1, 9)
    runs = [make_run(tmp_path / f"sweep/t={t}", uids[: 3 + t], t) for t in (1, 2, 4)]
    found = compare([str(run) for run in runs])
    assert found.labels == ["t=1", "t=2", "t=4"]
    numbers = dict(found.numbers)
    assert numbers["stages.balance_pairs.rows_out"] == [4, 5, 7]
    assert numbers["stages.balance_pairs.drops.not_drawn.count"] == [2, 2, 2]
    assert numbers["languages.en.expected_images"] == [1, 2, 4]
    assert found.settings == [("balance_pairs.t", ["1", "2", "4"])], "the drawn seed is the same"
    assert [each.both for each in found.overlaps["curated"]] == [4, 4]
    assert "shards" not in found.overlaps
    assert found.moves is None
    assert found.notes[0].startswith("no report in t=1, t=2, t=4: only what manifests and thresholds tell")
    lines = comparison_lines(found, 100)
    assert max(map(len, lines)) <= 100
    assert "balance_pairs.rows_out  4  5     +1  7     +3" in lines


def test_a_variant_of_a_sweep_is_compared_in_what_it_has(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", some_uids(1, 5), 20)
    write_table(run / "matches", [], MATCHES, "match_pairs", {"edges": "script", "languages": "en"})
    variant = make_run(run / "sweep/5", some_uids(1, 3), 5)
    found = compare([str(run), str(variant)])
    assert found.settings == [("balance_pairs.t", ["20", "5"])]
    assert "settings of match_pairs are not compared with 5: no table is there" in found.notes
    assert found.notes[0] == (
        "no report in run, 5: only what manifests and thresholds tell is compared, until report_stats writes it"
    )
    assert found.notes[1].startswith(f"the report of a sweep's variant: headtail report_stats output={run} thresholds=")
    assert f" report={variant}/report entry_lists=..." in found.notes[1]
    assert f"report={variant}/report" in " ".join(comparison_lines(found, 400))
    other = make_run(tmp_path / "other", some_uids(1, 3), 20)
    write_table(other / "matches", [], MATCHES, "match_pairs", {"edges": "blank", "languages": "en"})
    found = compare([str(run), str(variant), str(other)])
    assert found.settings == [("match_pairs.edges", ["script", "", "blank"]), ("balance_pairs.t", ["20", "5", "20"])]


@pytest.fixture
def reported(tmp_path: Path) -> list[str]:
    uids = some_uids(1, 8)
    paths = []
    for name, change in (("a", 0), ("b", 5)):
        entries = {("en", HOSTILE[1]): 5 + change, ("en", "dog"): 9}
        run = make_run(tmp_path / name, uids[change // 5 :], 100, entries, HOSTILE[0])
        report = example_report()
        report["languages"][0]["samples"] += change
        report["benchmarks"][0]["stages"]["in_shards"]["kl_counted"] += change
        report["domains"]["rows"][1]["images"] += change
        (run / "report").mkdir()
        (run / "report/report.json").write_text(json.dumps(report))
        paths.append(str(run))
    return paths


def test_numbers_of_reports_are_compared_by_the_names_of_their_items(reported: list[str]) -> None:
    found = compare(reported)
    before = example_report()["languages"][0]
    differing = dict(found.differing)
    assert differing.pop(f"languages.{before['lang']}.samples") == [before["samples"], before["samples"] + 5]
    assert differing.pop("benchmarks.pets en.stages.in_shards.kl_counted") == [8.055, 13.055]
    assert list(differing) == [f"domains.rows.{HOSTILE[0]}.images"]
    paths = [path for path, _ in found.numbers]
    assert "run.inputs.files" in paths
    assert not [path for path in paths if path.startswith(("samples", "format")) or "settings" in path]
    assert found.notes == [], "curated is older than the report"


def test_numbers_that_one_run_alone_has_are_not_shown_on_the_terminal(reported: list[str], tmp_path: Path) -> None:
    variant = make_run(tmp_path / "a/sweep/7", some_uids(1, 2), 7)
    lines = comparison_lines(compare([reported[0], str(variant)]), 200)
    numbers = [line for line in lines if line.startswith(("en.", "pets", "Images", "balance_pairs.", "Records"))]
    assert any(line.startswith("balance_pairs.rows_out") for line in numbers)
    assert any(line.startswith("en.t ") for line in numbers)
    assert not any(line.startswith(("pets", "Images", "Records", "en.samples")) for line in numbers)


def test_the_page_is_one_file_in_which_texts_stay_texts(reported: list[str], tmp_path: Path) -> None:
    found = compare([*reported, reported[0]])
    html = comparison_page(found)
    assert html.startswith(MARK)
    page = Page(html)
    assert page.tags <= {*ALLOWED.split()}
    addresses = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert addresses == ["data:,"]
    assert HOSTILE[0] in page.text
    assert HOSTILE[1][:40] in page.text
    for path, _ in found.numbers:
        assert path.partition(".")[2].replace("\x00", "\ufffd") in page.text, path
    assert str(tmp_path) not in html
    for line in comparison_lines(found, 80):
        assert not any(ord(character) < 32 for character in line)


def test_short_names_are_as_long_as_they_must_be(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, [], 1) for name in ("x/run", "y/run")]
    opened = [ComparedRun.open(str(run)) for run in runs]
    assert labels(opened) == ["x/run", "y/run"]
    same = labels([opened[0], opened[0]])
    assert same == ["run (1)", "run (2)"]


def test_what_cannot_be_compared_is_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", [], 1)
    with pytest.raises(HeadtailError, match="holds no table of headtail: expected the folder of a run"):
        compare([str(run), str(tmp_path / "none")])
    (run / "report").mkdir()
    (run / "report/report.json").write_text("{")
    with pytest.raises(HeadtailError, match=r"report.json is damaged"):
        compare([str(run), str(run)])
    mine = tmp_path / "mine.html"
    mine.write_text("<html>mine")
    with pytest.raises(HeadtailError, match=r"mine.html is there, and no comparison of headtail"):
        check_page(str(mine))
    mine.write_text(MARK)
    check_page(str(mine))
    check_page(str(tmp_path / "new.html"))
    with pytest.raises(HeadtailError, match="cannot be written"):
        check_page(str(tmp_path))
