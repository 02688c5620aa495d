"""Images that are no examples for any reason: on removal lists, opted out, or perhaps dropped for what they show."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.parts import Part
from curation.images.downloads import RANGES
from curation.images.ranges import Ranges
from curation.report.examples import Example
from curation.report.unseen import Unseen, find_statuses, plan_statuses, removal_settings
from curation.shards.shard_set import ShardSet
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, stored

RED, SHA = "a" * 24, "c" * 64
PHASH = "d" * 16


def shard_set(folder: Path, settings: dict[str, Any], **facts: Any) -> ShardSet:
    (folder / "shards").mkdir()
    manifest = {"id": "1", "settings": settings, "files": [], **facts}
    (folder / "shards/_manifest.json").write_text(json.dumps(manifest))
    return ShardSet(str(folder / "shards"))


def test_given_lists_tell_where_those_of_the_manifest_lie(tmp_path: Path) -> None:
    """The manifest of a set has names without folders, addresses without queries, and sizes and times of files."""
    listed, address = tmp_path / "optout.txt", "https://h.org/a.jpg?key=1"
    listed.write_text(f"{RED}\n")
    (info,) = list_files([str(listed)])
    removals = [{**vars(info), "path": "optout.txt"}, "https://h.org/a.jpg"]
    shards = shard_set(tmp_path, {"removals": removals}, settings_sha256="1")
    found = Unseen.of_tables([], shards, [str(listed), address])
    assert found.lists == (str(listed), address)
    assert shown(found) == "b"
    listed.write_text(f"{RED}\n{RED}\n")
    with pytest.raises(HeadtailError, match=r"removals=optout\.txt: give it to report_stats"):
        Unseen.of_tables([], shards, [str(listed), address])


def test_given_lists_decide_the_report(tmp_path: Path) -> None:
    listed = tmp_path / "optout.txt"
    listed.write_text(f"{RED}\n")
    assert removal_settings([]) == {}, "the recipe of reports without lists stays"
    before = removal_settings([str(listed), SHA])
    assert before["removals"][1] == SHA
    listed.write_text(f"{RED}\n{SHA}\n")
    assert removal_settings([str(listed), SHA]) != before
    listed.write_text("what?\n")
    with pytest.raises(HeadtailError, match="line 1: expected a uid"):
        removal_settings([str(listed)])


def test_the_lists_of_sets_by_cluster_hide_their_images(tmp_path: Path) -> None:
    one = shard_set(tmp_path, {"removals": [RED]})
    (tmp_path / "sets").mkdir()
    Path(one.path).rename(tmp_path / "sets/coarse-0")
    assert shown(Unseen.of_tables([], ShardSet(str(tmp_path / "sets")))) == "b"


def shown(unseen: Unseen, statuses: Sequence[dict[str, Any]] = ()) -> str:
    examples = [Example("extract_pairs", "same_text", 0.1, letter * 24, "text") for letter in "ab"]
    return "".join(example.uid[0] for example in unseen.without(examples, statuses))


def test_the_lists_of_all_jobs_hide_their_images(tmp_path: Path) -> None:
    listed = tmp_path / "optout.txt"
    listed.write_text(f"{RED}\n")
    nothing = shard_set(tmp_path, {})
    assert shown(Unseen.of_tables([], nothing)) == "ab"
    pairs = Part("pairs", {"settings": {"urls": {"removals": [str(listed)]}}})
    assert shown(Unseen.of_tables([pairs], nothing)) == "b"
    (tmp_path / "more").mkdir()
    given = [{"path": str(listed), "size": 25}, SHA]
    unseen = Unseen.of_tables([], shard_set(tmp_path / "more", {"removals": given}))
    assert shown(unseen) == "b"
    assert shown(unseen, [{"uid": "b" * 24, "status": "success", "sha256": SHA}]) == "", "by the hash of its file"


@pytest.mark.parametrize(
    ("removals", "facts"),
    [
        ([{"path": "optout.txt"}], {"settings_sha256": "1"}),
        (["https://h.org/a.jpg"], {"settings_sha256": "1"}),
        ([{"path": "/gone/optout.txt"}], {}),
    ],
    ids=["without its folder", "without its query", "gone"],
)
def test_a_list_that_cannot_be_read_any_more_leaves_no_examples(tmp_path: Path, removals: Any, facts: Any) -> None:
    with pytest.raises(HeadtailError):
        Unseen.of_tables([], shard_set(tmp_path, {"removals": removals}, **facts))


@pytest.mark.parametrize("settings", [{"faces": "drop"}, {"removals": [PHASH]}], ids=["faces", "hashes"])
def test_images_that_may_have_been_dropped_for_what_they_show_are_hidden(tmp_path: Path, settings: Any) -> None:
    statuses = [
        {"uid": letter * 24, "status": status, "sha256": None}
        for letter, status in zip("ab", ("success", "http_error"), strict=True)
    ]
    assert shown(Unseen.of_tables([], shard_set(tmp_path, settings)), statuses) == "b"


@pytest.mark.parametrize("planned", [True, False])
def test_images_are_looked_up_in_the_table_of_downloads(tmp_path: Path, planned: bool) -> None:
    rows, ranges = curated_rows(URLS[:12]), Ranges(4, 5)
    names = ("opted_out", "robots_txt", "ai_txt", "tdm_reservation", "private_address", "http_error")
    refused = dict(zip(URLS[: len(names)], names, strict=True))
    images = {url: refused.get(url, bodies()[url]) for url in URLS[:12]}
    downloads, _ = stored(tmp_path, rows, images, ranges)
    if planned:
        (tmp_path / "downloads" / RANGES).write_text(json.dumps({"count": 4, "seed": 5}))
    examples = [Example("extract_pairs", "same_text", 0.1, row["uid"], row["url"]) for row in rows]
    uids = [example.uid for example in examples]
    one = plan_statuses(downloads, uids[:1], 9)
    assert (len(one) == 1) == planned, "only the file of its range"
    tasks = plan_statuses(downloads, uids, 2)
    assert len(tasks) == 2
    statuses = [output for task in tasks for output in find_statuses(task).check().outputs]
    found = Unseen.of_tables([], ShardSet(str(tmp_path / "none"))).without(examples, statuses)
    assert {example.text for example in found} == set(URLS[5:12])
