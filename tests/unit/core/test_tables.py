"""A part exists if it has a manifest; if its recipe has changed, a stage refuses or runs again."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curation.core import storage
from curation.core.attempts import failure_of_given_up
from curation.core.credentials import failed_place
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import check_failed_share, describe_growth, last_failures
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import ENTRY_COUNTS
from curation.core.storage import read_json, write_bytes, write_json
from curation.core.table_reader import read_rows
from curation.core.tables import Table
from curation.shards.shard_set import ShardSet

ROWS = pa.record_batch(
    {"lang": ["en", "de"], "entry_id": pa.array([1, 2], pa.int32()), "count": pa.array([3, 4], pa.int64())}
)


def recipe(inputs: int = 3, **settings: object) -> Recipe:
    files = [{"path": f"/in/{index}", "size": 10, "version": "1"} for index in range(inputs)]
    return Recipe("stage", 1, {"t": 20.0, "text": {"min_chars": None}} | settings, files)


def make_part(table: Table, number: int, plan: Recipe) -> None:
    folder = table.begin(number)
    with ParquetSink(f"{folder}/00000.parquet", ENTRY_COUNTS) as sink:
        sink.write(ROWS.cast(ENTRY_COUNTS))
    receipt = Receipt("a", rows_in=5, rows_out=2, drops=Counter(blank=3), outputs=[sink.output()])
    table.commit(number, plan, [receipt], seconds=1.0)


def test_a_part_exists_when_its_manifest_does(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "counts"))
    make_part(table, 0, recipe())
    (part,) = table.parts()
    assert [read_rows(file, ENTRY_COUNTS).num_rows for file in part.files] == [2]
    assert part.receipt.drops == {"blank": 3}
    (tmp_path / "counts" / "part-00000" / "_manifest.json").unlink()
    assert table.parts() == []
    with pytest.raises(HeadtailError, match="run count_entries first"):
        table.require("count_entries")


def test_a_required_table_has_the_columns_of_its_schema(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "counts"), ENTRY_COUNTS)
    make_part(table, 0, recipe())
    assert [part.path for part in table.require("count_entries")] == [table.part_path(0)]
    make_part(table, 1, recipe())
    path = f"{table.part_path(1)}/00000.parquet"
    found = pa.table({"lang": ["en"], "count": pa.array([1], pa.int32()), "note": ["x"]})
    with ParquetSink(path, found.schema) as sink:
        sink.write(found.to_batches()[0])
    message = "entry_id is missing; count is int32, expected int64; note is unexpected"
    with pytest.raises(HeadtailError, match=f"{path} has other columns than expected: {message}"):
        table.require("count_entries")
    with pytest.raises(HeadtailError, match="count is int64, expected int32; note is missing"):
        Table(table.path, found.schema, None).require("count_entries")


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "part-00000").mkdir()
    (tmp_path / "part-00000/_manifest.json").write_text('{"id": "a')
    with pytest.raises(HeadtailError, match=r"part-00000/_manifest.json is damaged .*: delete it"):
        Table(str(tmp_path)).parts()


def test_begin_deletes_what_an_unfinished_run_left(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    write_bytes(f"{table.part_path(0)}/00007.parquet", b"half")
    assert list((tmp_path / "part-00000").iterdir())
    assert not Path(table.begin(0)).exists()


def test_a_row_that_vanished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="1 unaccounted for"):
        Table(str(tmp_path)).commit(0, recipe(), [Receipt("a", rows_in=2, rows_out=1)], seconds=0)


def test_inputs_are_split_into_parts_and_a_second_run_does_the_rest(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    _, plans = table.plan_parts(recipe(5), per_part=2, overwrite=False)
    assert [len(plan.inputs) for _, plan in plans] == [2, 2, 1]
    make_part(table, *plans[0])
    make_part(table, *plans[2])  # the one between was lost
    done, plans = table.plan_parts(recipe(7), per_part=2, overwrite=False)
    assert len(done) == 2
    assert [(number, [entry["path"] for entry in plan.inputs]) for number, plan in plans] == [
        (1, ["/in/2", "/in/3"]),
        (3, ["/in/5", "/in/6"]),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param(recipe(t=30.0), "t was 20.0, is 30.0", id="number"),
        pytest.param(recipe(text={"min_chars": 5}), "text.min_chars was not given, is 5", id="setting of a group"),
        pytest.param(replace(recipe(), logic_version=2), "logic_version was 1, is 2", id="logic"),
        pytest.param(
            replace(recipe(), inputs=[{"path": "/in/0", "size": 11, "version": "1"}]), "/in/0 has changed", id="input"
        ),
    ],
)
def test_finished_work_is_not_overwritten_because_a_setting_changed(tmp_path: Path, changed: Recipe, told: str) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, recipe())
    with pytest.raises(HeadtailError, match=told):
        table.plan_parts(changed, 2, overwrite=False)
    parts, plans = table.plan_parts(changed, 2, overwrite=True)
    assert parts == []
    assert plans
    assert table.parts() == []


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(recipe(3, t=50.0), id="settings"),
        pytest.param(
            replace(recipe(), inputs=[{**entry, "size": 9} for entry in recipe().inputs]), id="changed_inputs"
        ),
        pytest.param(recipe(2), id="fewer_inputs"),
    ],
)
def test_a_kill_while_a_part_is_deleted_leaves_no_manifest_without_files(
    tmp_path: Path, again: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(str(tmp_path / "pairs"))
    make_part(table, 0, recipe())
    remove = storage.remove

    def killed(path: str) -> None:
        if Path(path).is_dir():
            raise KeyboardInterrupt
        remove(path)

    monkeypatch.setattr(storage, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        table.plan_parts(again, 9, overwrite=True)
    assert table.parts() == []


def wrong_and_right(count: int) -> Recipe:
    """Inputs of which the first two are those of `recipe()`, and the rest are others."""
    return replace(recipe(), inputs=[*recipe(2).inputs, *recipe(count + 10).inputs[10:]])


def test_inputs_that_are_not_named_any_more_are_kept_only_on_demand(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    for number, inputs in enumerate((recipe().inputs[:2], recipe().inputs[2:])):
        make_part(table, number, replace(recipe(), inputs=inputs))
    told = "holds 3 inputs, 1 of which this call does not name, such as /in/2: set add=true to keep them and add 4 more"
    with pytest.raises(HeadtailError, match=told):
        table.plan_parts(wrong_and_right(4), 9, overwrite=False)
    with pytest.raises(HeadtailError, match="set add=true to keep them, overwrite=true to make"):
        table.plan_parts(recipe(2), 9, overwrite=False)
    parts, plans = table.plan_parts(wrong_and_right(4), 9, overwrite=False, add=True)
    assert (len(parts), [len(plan.inputs) for _, plan in plans]) == (2, [4])
    assert describe_growth(parts, plans, table.path, "files") == f"adds 4 files to the 3 in {tmp_path}"
    parts, plans = table.plan_parts(wrong_and_right(4), 9, overwrite=True)
    assert ([len(part.inputs()) for part in parts], [len(plan.inputs) for _, plan in plans]) == ([2], [4])
    assert len(table.parts()) == 1


def test_where_only_new_inputs_came_they_are_added(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    assert describe_growth(*table.plan_parts(recipe(), 9, overwrite=False), table.path, "files") == ""
    make_part(table, 0, recipe())
    parts, plans = table.plan_parts(recipe(5), 9, overwrite=False)
    assert describe_growth(parts, plans, table.path, "files") == f"adds 2 files to the 3 in {tmp_path}"
    assert describe_growth(*table.plan_parts(recipe(), 9, overwrite=False), table.path, "files") == ""


def unread_part(table: Table, number: int, plan: Recipe) -> None:
    """A part of nothing but failures, as older versions finished it."""
    failures = [{"file": entry["path"], "offset": 0, "error": "no column URL"} for entry in plan.inputs]
    table.begin(number)
    table.commit(number, plan, [Receipt("a", failures=failures)], seconds=1.0)


@pytest.mark.parametrize(
    "corrected",
    [
        pytest.param(recipe(t=30.0), id="a setting"),
        pytest.param(replace(recipe(), inputs=[{"path": "/in/9", "size": 1, "version": "1"}]), id="other inputs"),
        pytest.param(replace(recipe(1), inputs=[{"path": "/in/0", "size": 11, "version": "2"}]), id="a mended input"),
    ],
)
def test_a_part_of_nothing_but_failures_is_in_nobodys_way(tmp_path: Path, corrected: Recipe) -> None:
    table = Table(str(tmp_path))
    unread_part(table, 0, recipe())
    done, plans = table.plan_parts(recipe(), 5, overwrite=False)
    assert (len(done), plans) == (1, []), "what older versions finished stays finished"
    done, plans = table.plan_parts(corrected, 5, overwrite=False)
    assert done == table.parts() == []
    assert [(number, plan.inputs) for number, plan in plans] == [(0, corrected.inputs)]


def test_a_part_with_a_row_is_no_part_of_nothing_but_failures(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, recipe())
    failures = [{"file": entry["path"], "offset": 0, "error": "x"} for entry in recipe().inputs]
    table.commit(1, recipe(), [Receipt("a", rows_in=1, drops=Counter(x=1), failures=failures)], seconds=0)
    table.commit(2, recipe(), [Receipt("a", failures=failures[1:])], seconds=0)
    ranges = replace(recipe(), inputs=[{"path": f"en:/in/0#{start}-", "size": 1, "version": ""} for start in (0, 9)])
    table.commit(3, ranges, [Receipt("a", failures=failures[:1])], seconds=0)
    assert [part.is_unread() for part in table.parts()] == [False, False, False, True]


def test_a_cheap_stage_runs_again_and_an_expensive_one_refuses(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, recipe())
    assert table.done(recipe()) is not None
    assert table.done(recipe(t=50.0)) is None
    with pytest.raises(HeadtailError, match=r"t was 20.0, is 50.0.*overwrite=true"):
        table.done(recipe(t=50.0), overwrite=False)
    assert table.done(recipe(t=50.0), overwrite=True) is None


def test_many_inputs_go_to_a_file_of_their_own(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, recipe(150))
    (part,) = table.parts()
    assert part.manifest["inputs"]["count"] == 150
    assert part.inputs() == recipe(150).inputs


def test_upstream_parts_are_known_by_what_they_hold(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, replace(recipe(), inputs=[{"path": "/a/part-00000", "id": "1"}]))
    moved = replace(recipe(), inputs=[{"path": "/b/part-00000", "id": "1"}])
    assert table.plan_parts(moved, 1, overwrite=False)[1] == []
    made_again = replace(recipe(), inputs=[{"path": "/a/part-00000", "id": "2"}])
    with pytest.raises(HeadtailError, match="/a/part-00000 has changed"):
        table.plan_parts(made_again, 1, overwrite=False)
    further = replace(recipe(), inputs=[{"path": "/c/part-00000", "id": "3"}])
    assert len(table.plan_parts(further, 1, overwrite=False, add=True)[1]) == 1


def test_failures_beyond_the_share_fail_the_job(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    table.begin(0)
    failure = {"file": "/in/1", "offset": 7, "error": "cut off", "records_read": 2}
    part = table.commit(0, recipe(4), [Receipt("a", failures=[failure])], seconds=0)
    check_failed_share([part], 0.25)
    with pytest.raises(HeadtailError, match=r"1 of 4 inputs.*/in/1: cut off"):
        check_failed_share([part], 0.2)


@pytest.mark.parametrize(
    "name",
    ["../part-00001/00000.parquet", "/etc/passwd", "sub/00000.parquet", "..", "", "zip::a", "s3://b/a", "a\\b", None],
    ids=lambda name: "backslash" if name == "a\\b" else name,
)
@pytest.mark.parametrize("key", ["path", "tar", "inputs"])
def test_a_manifest_names_files_of_its_own_folder_only(tmp_path: Path, key: str, name: str | None) -> None:
    table = Table(str(tmp_path / "counts"))
    make_part(table, 0, recipe())
    path = f"{table.part_path(0)}/_manifest.json"
    manifest = read_json(path)
    if key == "inputs":
        manifest["inputs"] = {"file": name, "sha256": "", "count": 1}
    else:
        manifest["files"][0][key] = name
    write_json(path, manifest)
    for folder in (table, ShardSet(table.part_path(0))):
        with pytest.raises(HeadtailError, match=r"_manifest.json names the file .* headtail has not written this"):
            folder.parts()


@pytest.mark.parametrize("value", [[], 7, None, {"files": 3}, {"files": [1]}, {"files": [{}]}], ids=repr)
def test_a_manifest_of_another_kind_is_one_line(tmp_path: Path, value: object) -> None:
    write_json(f"{tmp_path}/counts/part-00000/_manifest.json", value)
    with pytest.raises(HeadtailError, match=r"is damaged .* delete it to make the part again"):
        Table(str(tmp_path / "counts")).parts()


def signed(key: str, count: int = 3) -> Recipe:
    """A recipe whose addresses hold a password and a signature, and differ in nothing else."""
    files = [
        {"path": f"https://me:{key}@h.org/get?file={index}&key={key}", "size": 10, "version": "1"}
        for index in range(count)
    ]
    return Recipe("stage", 1, {"lists": [{"path": f"https://h.org/list?key={key}"}]}, files)


@pytest.mark.parametrize("count", [3, 150], ids=["inline", "in a file"])
def test_no_secret_of_an_address_is_written(tmp_path: Path, count: int) -> None:
    table, plan = Table(str(tmp_path / "counts")), signed("secret", count)
    folder = table.begin(0)
    failure = {"file": plan.inputs[0]["path"], "offset": 0, "error": f"{plan.inputs[0]['path']}: 404"}
    part = table.commit(0, plan, [Receipt("a", failures=[failure, {**failure, "file": plan.inputs[1]["path"]}])], 1.0)
    written = b"".join(file.read_bytes() for file in Path(folder).iterdir())
    assert b"secret" not in written
    assert part.id == plan.id == signed("secret", count).id
    assert {entry["path"] for entry in part.inputs()} == {"https://h.org/get"}
    with pytest.raises(HeadtailError, match=f"2 of {count} inputs could not be read"):
        check_failed_share([part], 0.001)


def test_runs_with_cut_addresses_are_compared_as_before(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "counts"))
    make_part(table, 0, signed("secret"))
    assert table.done(signed("secret"))
    parts, plans = table.plan_parts(signed("secret", 4), 10, overwrite=False)
    assert (len(parts), [[entry["path"][-17:] for entry in plan.inputs] for _, plan in plans]) == (
        1, [["file=3&key=secret"]],
    )  # fmt: skip
    with pytest.raises(HeadtailError, match=r"with other settings .*an address in its settings") as error:
        table.plan_parts(signed("other"), 10, overwrite=False)
    assert "secret" not in str(error.value)
    changed = signed("secret")
    changed.inputs[1]["size"] = 11
    with pytest.raises(HeadtailError, match=r"https://h.org/get has changed since"):
        table.plan_parts(changed, 10, overwrite=False)


def test_older_manifests_hold_whole_addresses(tmp_path: Path) -> None:
    table, plan = Table(str(tmp_path / "counts")), signed("secret")
    make_part(table, 0, plan)
    path = f"{table.part_path(0)}/_manifest.json"
    older = read_json(path) | {"settings": plan.settings, "inputs": plan.inputs}
    del older["settings_sha256"]
    write_json(path, older)
    assert table.done(plan)
    parts, plans = table.plan_parts(plan, 10, overwrite=False)
    assert (len(parts), plans) == (1, [])


def test_faults_of_records_do_not_fail_the_job(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    table.begin(0)
    failure = {"file": "/in/1", "offset": 7, "error": "reader_error: x", "records_read": 2, "reason": "reader_error"}
    check_failed_share([table.commit(0, recipe(4), [Receipt("a", failures=[failure])], seconds=0)], 0.0)


def test_files_that_were_given_up_are_read_again_into_a_further_part(tmp_path: Path) -> None:
    table, failure = Table(str(tmp_path)), failure_of_given_up("/in/0")
    table.begin(0)
    first = table.commit(0, recipe(2), [Receipt("a", failures=[failure])], seconds=0)
    assert table.plan_parts(recipe(2), 1, overwrite=False)[1] == []
    for attempt, failures in ((2, [failure]), (3, [])):
        parts, ((number, plan),) = table.plan_parts(recipe(2), 1, overwrite=False, retry=["/in/0"])
        assert [entry["path"] for entry in plan.inputs] == ["/in/0"]
        assert plan.inputs[0]["attempt"] == attempt
        assert plan.id not in {part.id for part in parts}
        table.begin(number)
        table.commit(number, plan, [Receipt("a", failures=failures)], seconds=0)
        assert last_failures(table.parts()) == failures
    assert table.parts()[0].id == first.id
    assert table.plan_parts(recipe(2), 1, overwrite=False)[1] == []
    check_failed_share(table.parts(), 0.0)


def test_of_files_whose_cut_addresses_are_alike_the_one_that_was_given_up_is_read_again(tmp_path: Path) -> None:
    table, plan = Table(str(tmp_path)), signed("secret")
    table.begin(0)
    lost = failure_of_given_up(plan.inputs[1]["path"])
    table.commit(0, plan, [Receipt("a", failures=[lost])], seconds=0)
    (failure,) = last_failures(table.parts())
    with pytest.raises(HeadtailError, match="1 of 3 inputs could not be read"):
        check_failed_share(table.parts(), 0.0)
    for attempt, failures in ((2, [lost]), (3, [])):
        _, ((number, again),) = table.plan_parts(plan, 10, overwrite=False, retry=[failed_place(failure)])
        assert again.inputs == [{**plan.inputs[1], "attempt": attempt}]
        table.begin(number)
        table.commit(number, again, [Receipt("a", failures=failures)], seconds=0)
    assert last_failures(table.parts()) == []


def test_a_long_list_of_inputs_keeps_the_keys_that_only_some_have(tmp_path: Path) -> None:
    entries = [{"path": f"/in/{number}", "size": 1, "version": ""} for number in range(150)]
    entries[120]["attempt"] = 2
    table = Table(str(tmp_path))
    plan = replace(recipe(), inputs=entries)
    make_part(table, 0, plan)
    (part,) = table.parts()
    assert [entry for entry in part.inputs() if entry.get("attempt")] == [entries[120]]
    named = replace(recipe(), inputs=[{key: entry[key] for key in ("path", "size", "version")} for entry in entries])
    assert table.plan_parts(named, 200, overwrite=False)[1] == []


def test_unread_parts_of_inputs_that_are_not_named_stay_where_inputs_are_added(tmp_path: Path) -> None:
    table = Table(str(tmp_path))
    unread_part(table, 0, recipe())
    further = replace(recipe(), inputs=[{"path": "/in/9", "size": 1, "version": "1"}])
    done, plans = table.plan_parts(further, 5, overwrite=False, add=True)
    assert [part.inputs() for part in done] == [recipe().inputs]
    assert [plan.inputs for _, plan in plans] == [further.inputs]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_table_of_another_stage_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    table = Table(str(tmp_path))
    make_part(table, 0, recipe())
    other = replace(recipe(), stage="extract_pairs")
    with pytest.raises(
        HeadtailError, match=r"is of a table of .*, and extract_pairs would replace it: give this table"
    ):
        table.plan_parts(other, 2, overwrite=overwrite)
    with pytest.raises(HeadtailError, match="give this table another path"):
        table.done(other, overwrite)
    assert len(table.parts()) == 1
