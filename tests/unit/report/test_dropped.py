"""Examples that jobs kept of what they dropped, as the report reads them from files and manifests."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curation.core.dropped import DroppedExamples, DroppedRow, dropped_path, write_dropped
from curation.core.parts import Part
from curation.report.dropped import DroppedTask, plan_dropped, read_kept_examples, shard_examples
from curation.report.examples import EXAMPLES, LOOKED_UP, Example, smallest

UID = "0123456789abcdef01234567"


def write_examples(path: Path, reason: str, texts: list[str]) -> str:
    dropped, draws = DroppedExamples(0), np.linspace(0.1, 0.9, len(texts))
    rows = [DroppedRow(drawn, UID, "http://a/", text) for drawn, text in zip(draws.tolist(), texts, strict=True)]
    dropped.offer(reason, draws, lambda at: [rows[k] for k in at.tolist()])
    write_dropped(dropped_path(str(path)), dropped)
    return dropped_path(str(path))


@pytest.mark.parametrize("max_tasks", [1, 7])
def test_the_smallest_of_all_files_whatever_the_tasks(tmp_path: Path, max_tasks: int) -> None:
    files = [f"{k:05d}.parquet" for k in range(9)]
    for k, name in enumerate(files[:-1]):  # the last one has no examples
        write_examples(tmp_path / name, "short_text", [f"{k} {n}" for n in range(12)] + ["in all files"])
    part = Part(str(tmp_path), {"files": [{"path": name} for name in files]})
    tasks = plan_dropped([part], max_tasks)
    receipts = [read_kept_examples(task).check() for task in tasks]
    found = smallest(Example(**output) for receipt in receipts for output in receipt.outputs)
    assert [one.text for one in found] == [*(f"{k} 0" for k in range(8)), *(f"{k} 1" for k in range(2))]
    assert {(one.stage, one.reason, one.uid) for one in found} == {("extract_pairs", "short_text", UID)}
    assert len(tasks) <= max_tasks
    assert len(found) == EXAMPLES
    assert sum(len(task.files) for task in tasks) == len(files) - 1
    assert plan_dropped([Part(f"{tmp_path}/gone", part.manifest)], max_tasks) == []


@pytest.mark.parametrize("max_tasks", [1, 2, 9])
def test_images_that_are_hidden_later_make_room_whatever_the_tasks(tmp_path: Path, max_tasks: int) -> None:
    files = [f"{k:05d}.parquet" for k in range(4)]
    for k, name in enumerate(files):
        write_examples(tmp_path / name, "short_text", [f"{k} {n}" for n in range(12)])
    tasks = plan_dropped([Part(str(tmp_path), {"files": [{"path": name} for name in files]})], max_tasks)
    found = [Example(**output) for task in tasks for output in read_kept_examples(task).outputs]
    seen = [one for one in smallest(found, LOOKED_UP) if int(one.text[2:]) % 2]
    assert [one.text for one in smallest(seen)] == [f"{k} {n}" for n in (1, 3, 5) for k in range(4)][:EXAMPLES]


def test_texts_of_a_hostile_file_are_masked_and_hidden_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    shown = {"text": "mail me@example.org now", "url": "javascript:alert(1)", "note": "</a>"}
    rows = [{"draw": 0.5, "uid": "../..", **shown}]
    nothing = [{"draw": 0.5, "uid": "no uid"}]
    listed = {"short_text": rows, "email": rows, "no such reason": rows, "no_text": nothing}
    Path(dropped_path(str(file))).write_text(json.dumps(listed))
    outputs = read_kept_examples(DroppedTask([dropped_path(str(file))])).outputs
    assert [output["reason"] for output in outputs] == ["short_text", "no such reason"]
    assert Example(**outputs[0]).value() == shown | {"text": "mail [email] now"}


def test_a_task_holds_no_more_than_what_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write_examples(tmp_path / f"{k}.parquet", "short_text", [f"{k} {n}" for n in range(12)]) for k in range(6)]
    held: list[int] = []

    def counted(examples: Iterable[Example], count: int) -> list[Example]:
        given = list(examples)
        held.append(len(given))
        return smallest(given, count)

    monkeypatch.setattr("curation.report.dropped.smallest", counted)
    receipt = read_kept_examples(DroppedTask(files)).check()
    assert held == [EXAMPLES * k for k in (1, 2, 3, 4, 5, 5)]
    assert (receipt.rows_in, len(receipt.outputs)) == (6 * EXAMPLES, LOOKED_UP)


def test_a_damaged_file_does_not_end_the_report(tmp_path: Path) -> None:
    good = write_examples(tmp_path / "a.parquet", "short_text", ["x"])
    bad = dropped_path(f"{tmp_path}/b.parquet")
    Path(bad).write_text("{")
    receipt = read_kept_examples(DroppedTask([bad, good])).check()
    assert [output["text"] for output in receipt.outputs] == ["x"]
    assert [failure["file"] for failure in receipt.failures] == [bad]


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ({"filter": [UID, UID[::-1]]}, [("filter", UID), ("filter", UID[::-1])]),
        ({"filter": [UID] * 20}, [("filter", UID)] * 10),
        ({"filter": ["zz", 7, None, UID.upper(), f"{UID}\n"]}, []),
        ([UID], []),
        ({"filter": 7, "x": {"y": 1}, "z": UID}, []),
        (None, []),
    ],
    ids=["uids", "many", "no uids", "a list", "no lists", "nothing"],
)
def test_uids_in_manifests(listed: Any, found: list[tuple[str, str]]) -> None:
    part = Part("shards", {"files": [], "examples": listed})
    assert [(one.reason, one.uid) for one in shard_examples([part])] == found
    assert not list(shard_examples([Part("shards", {"files": []})]))
