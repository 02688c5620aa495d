"""Captions that are joined while shards are written: against a dict, for any key, bucket, chunk, and after a stop."""

import hashlib
import json
import random
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.removal_lists import read_removals
from curation.core.schemas import PAIRS, SAMPLES
from curation.images.ranges import Ranges
from curation.shards import caption_join, caption_tables, companions, joined, keyed_join
from curation.shards.caption_join import join_captions, refuse_same_keys, with_samples
from curation.shards.caption_tables import open_captions
from curation.shards.check import check_shard, plan_checks
from curation.shards.joined import Joined
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.sample_json import SampleForm
from curation.shards.shard_set import ShardSet
from curation.shards.write import ShardSize, ShardTask, plan_shard_tasks, write_shard
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import URLS, bodies, samples, selected

COUNT = 20


class Shards:
    """Shards of 8, 8 and 4 samples that are to be written, from ranges of 5 or so."""

    def __init__(self, folder: Path) -> None:
        self.folder, ranges = folder, Ranges(4, 0)
        steps, lists, selection = selected(folder, curated_rows(URLS[:COUNT]), bodies(COUNT), ranges)
        texts = (lists.path, selection, ShardSize(8, 1 << 30), SampleForm(2))
        self.work, self.tasks = steps.work, plan_shard_tasks(f"{folder}/shards", steps, *texts)

    def join(self, captions: dict[str, Path], **more: Any) -> tuple[list[ShardTask], dict[str, dict[str, Any]]]:
        """The tasks with captions, and the counts; shards that are written will be written again."""
        shutil.rmtree(f"{self.work}/shards", ignore_errors=True)
        asked: dict[str, Any] = {"pairs": [], "syn_json": False, "strict": False} | more
        tables = open_captions({name: str(path) for name, path in captions.items()})
        return join_captions(self.run, self.tasks, tables, work=self.work, **asked)

    def write(self, captions: dict[str, Path], **more: Any) -> tuple[list[dict], dict[str, dict[str, Any]]]:
        """The json of each sample, and the counts."""
        tasks, counts = self.join(captions, **more)
        receipts = [write_shard(task).check() for task in tasks]
        return [meta for meta, *_ in samples(self.folder)], with_samples(counts, receipts)

    def publish(self, captions: dict[str, Path], **more: Any) -> Part:
        """The set, complete."""
        tasks, counts = self.join(captions, **more)
        receipts = [write_shard(task).check() for task in tasks]
        selection = Receipt("selected", COUNT, COUNT)
        told = {"captions": with_samples(counts, receipts)}
        recipe = Recipe("write_shards", 1, {"json_version": 2, "syn_json": more.get("syn_json", False)})
        return ShardSet(f"{self.folder}/shards").publish(recipe, f"{self.work}/none", receipts, selection, 0, **told)

    def run(self, function: Any, tasks: Sequence[Any]) -> list[Receipt]:
        return [function(task).check() for task in tasks]


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    return Shards(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The json of the samples without captions; not to be changed."""
    shards = Shards(tmp_path_factory.mktemp("plain"))
    for task in shards.tasks:
        write_shard(task)
    return [meta for meta, *_ in samples(shards.folder)]


def table(path: Path, **columns: Sequence) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def tars(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "shards").iterdir()}


def members(folder: Path) -> list[tuple[str, bytes]]:
    """The members of all tars."""
    found = []
    for path in sorted((folder / "shards").glob("*.tar")):
        with tarfile.open(path) as archive:
            found += [(each.name, archive.extractfile(each).read()) for each in archive]
    return found


def made(seed: int, plain: Sequence[dict], key: str) -> dict[str, list]:
    """Captions of some images, several of some, of no image, and faulty ones, in no order."""
    draw = random.Random(seed)
    rows: list[tuple[Any, Any]] = []
    for meta in plain:
        several = range(draw.choice((0, 1, 1, 3)))
        rows += [(meta[key], [f"text {draw.random()}"] * draw.choice((1, 2))) for _ in several]
    strangers = {"uid": "f" * 24, "sha256": "f" * 64, "url": "https://example.org/none"}
    rows += [(strangers[key], ["of none"])] * 3 + [(None, ["no key"]), ("", ["no key"]), (plain[0][key], [])]
    draw.shuffle(rows)
    return {key: [row[0] for row in rows], "caption": [row[1] for row in rows]}


def expected(given: dict[str, list], key: str) -> dict[str, str]:
    """The dumbest join: of all captions of a key the first by hash of its json."""
    found: dict[str, list] = {}
    for name, texts in zip(given[key], given["caption"], strict=True):
        if name and texts:
            found.setdefault(name, []).append(texts)

    def order(texts: list[str]) -> bytes:
        return hashlib.sha256(json.dumps({"syn_text": texts}, separators=(",", ":")).encode()).digest()

    return {name: min(several, key=order)[0] for name, several in found.items()}


@pytest.mark.parametrize("key", ["uid", "sha256", "url"])
def test_captions_are_those_of_a_dict(
    shards: Shards, plain: list[dict], tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: made(seed, plain, key) for seed, name in enumerate(("b-1", "a"))}
    paths = {name: table(tmp_path / f"{name}.parquet", **columns) for name, columns in given.items()}
    found, counts = shards.write(paths)
    assert [meta.pop("text") for meta in found] == [meta["text"] for meta in plain]
    for name, columns in given.items():
        oracle = expected(columns, key)
        assert [meta[f"caption_{name}"] for meta in found] == [oracle.get(meta[key], "") for meta in plain]
        assert list(found[0])[-2:] == ["caption_a", "caption_b-1"]
        mine, rows = counts[name], len(columns[key])
        assert mine["rows"] == rows
        assert (mine["key"], mine["faulty_rows"], mine["fits_no_image"], mine["further_keys"]) == (key, 3, 3, 0)
        with_one = sum(meta[key] in oracle for meta in plain)
        assert (mine["samples_with"], mine["samples_without"]) == (with_one, COUNT - with_one)
        assert (mine["joined"], mine["same_key"]) == (with_one, rows - 6 - with_one)

    whole = tars(tmp_path)
    for seed, (name, columns) in enumerate(given.items()):  # other files, groups, buckets, chunks, ways
        order = random.Random(seed).sample(range(len(columns[key])), len(columns[key]))
        shuffled = {column: [values[place] for place in order] for column, values in columns.items()}
        (tmp_path / name).mkdir()
        for part in range(3):
            rows = pa.table({column: values[part::3] for column, values in shuffled.items()})
            pq.write_table(rows, tmp_path / name / f"{part}.parquet", row_group_size=5)
    monkeypatch.setattr(keyed_join, "CHUNK_BYTES", 600)
    monkeypatch.setattr(keyed_join, "BUCKET_KEYS", 9)
    monkeypatch.setattr(joined, "DIRECT", 1)
    monkeypatch.setattr(caption_join, "KEYS_PER_TASK", 9)
    monkeypatch.setattr(caption_tables, "SPLIT_BYTES", 1000)
    monkeypatch.setattr(companions, "BATCH_ROWS", 3)
    _, again = shards.write({name: tmp_path / name for name in given})
    assert tars(tmp_path) == whole
    assert again == counts


def test_the_file_and_the_address_of_an_image_may_both_be_given(
    shards: Shards, plain: list[dict], tmp_path: Path
) -> None:
    """The keys of a table are of one kind, but images by DataComp's uids have several."""
    uids = [f"{number:032x}" for number in range(2 * COUNT)]
    pairs = [dict.fromkeys(PAIRS.names) | {"uid": meta["uid"]} for meta in plain for _ in range(2)]
    rows = pa.Table.from_pylist([{**row, "datacomp_uid": uid.upper()} for row, uid in zip(pairs, uids, strict=True)])
    kinds = pa.schema([*(field.with_nullable(True) for field in PAIRS), pa.field("datacomp_uid", pa.string())])
    pq.write_table(rows.cast(kinds), tmp_path / "pairs.parquet")
    given = [uids[0], uids[3], uids[4], uids[5], "f" * 32]
    path = table(tmp_path / "c.parquet", datacomp_uid=given, caption=["one", "two", "same", "same", "of none"])
    sha = table(tmp_path / "s.parquet", sha256=[plain[0]["sha256"]], caption=["by file"])
    found, counts = shards.write({"dc": path, "sha": sha}, pairs=[str(tmp_path / "pairs.parquet")])
    assert [meta["caption_dc"] for meta in found[:3]] == ["one", "two", "same"]
    assert not any(meta["caption_dc"] for meta in found[3:])
    assert [meta["caption_sha"] for meta in found] == ["by file"] + [""] * (COUNT - 1)
    mine = counts["dc"]
    assert (mine["joined"], mine["fits_no_image"], mine["samples_with"], mine["further_keys"]) == (4, 1, 3, 0)


def test_a_member_has_the_captions_of_all_names(shards: Shards, plain: list[dict], tmp_path: Path) -> None:
    one = table(tmp_path / "one.parquet", uid=[meta["uid"] for meta in plain[2:]], caption=["one"] * (COUNT - 2))
    lists = table(tmp_path / "lists.parquet", uid=[plain[0]["uid"], plain[3]["uid"]], caption=[["a", "b"], ["c"]])
    shards.publish({"z": one, "lists": lists}, syn_json=True)
    found = members(tmp_path)
    texts = [["a", "b"], [""], ["one"], ["c", "one"], *[["one"]] * (COUNT - 4)]
    joined = [json.loads(data) for name, data in found if name.endswith(".syn.json")]
    assert joined == [{"syn_text": each} for each in texts]
    assert [name.split(".", 1)[1] for name, _ in found] == ["json", "txt", "jpg", "syn.json"] * COUNT


def test_sets_with_captions_are_checked_and_cut_as_any(shards: Shards, tmp_path: Path) -> None:
    hostile = "`<b>m|1`\n# x\u202e" + "y" * 300
    uids = [row["uid"] for row in curated_rows(URLS[:COUNT])]
    given = {"uid": uids[1:], "caption": ["a"] * 19, "model": [hostile, *["m2"] * 18], "prompt": ["say"] * 19}
    part = shards.publish({"x": table(tmp_path / "c.parquet", **given)}, syn_json=True)
    readme = (tmp_path / "shards/README.md").read_text()
    assert "- `caption_x`: 19 of 20 samples. Models: `m2` (18 rows), `'<b>m|1' # xyyy" in readme
    assert "Prompts: `say` (19 rows)" in readme
    assert "`<uid>.syn.json` holds all of them" in readme
    tasks, problems = plan_checks(part.path)
    assert not problems
    assert not [failure for task in tasks for failure in check_shard(task).failures]
    removed = [remove_from_shard(task, read_removals((uids[3],))) for task in plan_removing(part)]
    ShardSet(part.path).amend(removed)
    readme = (tmp_path / "shards/README.md").read_text()
    assert "# 19 image-text samples" in readme
    assert "- `caption_x`: 19 of 20 samples." in readme  # of the day on which the set was written
    left = [name.removesuffix(".syn.json") for name, _ in members(tmp_path) if name.endswith(".syn.json")]
    assert sorted(left) == [uid for uid in uids if uid != uids[3]]
    assert len(members(tmp_path)) == 4 * (COUNT - 1)


def test_models_and_prompts_are_counted_and_bounded(shards: Shards, plain: list[dict], tmp_path: Path) -> None:
    uids = [meta["uid"] for meta in plain]
    models = ["m1", None, *["m2"] * (COUNT - 2)]
    prompts = [f"describe {number} {'x' * 400}" for number in range(COUNT - 1)] + [""]
    path = table(tmp_path / "c.parquet", uid=uids * 2, caption=["a"] * 40, model=models * 2, prompt=prompts * 2)
    counts = shards.join({"x": path})[1]["x"]
    assert counts["models"] == {"m2": 36, "m1": 2}
    assert len(counts["prompts"]) == COUNT - 1
    assert {len(prompt) for prompt in counts["prompts"]} == {caption_tables.MAX_NOTE_CHARS}
    shutil.rmtree(f"{shards.work}/captions")  # the work folder is of one recipe
    many = table(tmp_path / "d.parquet", uid=uids * 2, caption=["a"] * 40, model=[f"m{k}" for k in range(40)])
    counts = shards.join({"x": many})[1]["x"]
    assert len(counts["models"]) == caption_tables.MAX_NOTES + 1
    assert counts["models"]["others"] == 40 - caption_tables.MAX_NOTES


def test_two_rows_of_a_key_are_an_error_if_the_user_says_so(shards: Shards, plain: list[dict], tmp_path: Path) -> None:
    path = table(tmp_path / "c.parquet", uid=[plain[1]["uid"]] * 2, caption=["a", "b"])
    with pytest.raises(HeadtailError, match=f"captions_strict=true: several rows have the key {plain[1]['uid']}"):
        shards.join({"x": path}, strict=True)
    counts = shards.join({"x": path})[1]
    with pytest.raises(HeadtailError, match=r"captions_strict=true: 1 rows of captions\.x have the key of another row"):
        refuse_same_keys(counts)
    with pytest.raises(HeadtailError, match=r"captions_strict=true: 1 rows"):
        shards.join({"x": path}, strict=True)  # the join itself is done
    refuse_same_keys({"x": {"same_key": 0}})


def test_a_stopped_join_goes_on_and_other_samples_are_joined_anew(
    shards: Shards, plain: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyed_join, "BUCKET_KEYS", 6)
    path = table(tmp_path / "c.parquet", **made(3, plain, "url"))
    whole, counts = shards.write({"x": path})
    digests = tars(tmp_path)
    shutil.rmtree(f"{shards.work}/captions")
    done: list[str] = []

    def stopping(function: Any, tasks: Sequence[Any]) -> list[Receipt]:
        receipts = []
        for task in tasks:
            if done.count("join_bucket") == 2:
                raise KeyboardInterrupt
            done.append(function.__name__)
            receipts.append(function(task).check())
        return receipts

    monkeypatch.setattr(shards, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        shards.write({"x": path})
    monkeypatch.undo()
    monkeypatch.setattr(keyed_join, "BUCKET_KEYS", 6)
    path.rename(tmp_path / "moved.parquet")  # what was dealt is not read again
    monkeypatch.setattr(caption_tables, "foreign_schema", lambda path: pq.read_schema(path.replace("/c.", "/moved.")))
    shutil.copy(tmp_path / "moved.parquet", path)
    taken: list[int] = []
    slices = keyed_join.iter_slices

    def counted(folder: str, number: int) -> Any:
        taken.append(number)
        return slices(folder, number)

    monkeypatch.setattr(keyed_join, "iter_slices", counted)
    assert shards.write({"x": path}) == (whole, counts)
    assert tars(tmp_path) == digests
    assert min(taken) == 2
    shards.tasks = [replace(task, pieces=task.pieces[::-1]) for task in shards.tasks]
    found, _ = shards.write({"x": path})
    captions = {meta["uid"]: meta["caption_x"] for meta in whole}
    assert [meta["uid"] for meta in found] != [meta["uid"] for meta in whole]
    assert all(meta["caption_x"] == captions[meta["uid"]] for meta in found)


def test_memory_depends_neither_on_rows_nor_on_what_one_key_has(
    shards: Shards, plain: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each buffer that the join holds is measured: 1,000 rows of 200 bytes of one image, chunks of 4,000."""
    given = [f"{number:04d} {'word ' * 40}" for number in range(1000)]
    path = table(tmp_path / "c.parquet", url=[plain[0]["url"]] * 1000, caption=given)
    monkeypatch.setattr(keyed_join, "CHUNK_BYTES", 4000)
    monkeypatch.setattr(companions, "BATCH_ROWS", 4)
    held: list[int] = []
    write, bring, windows = keyed_join.write_slices, keyed_join._bring, Joined.windows

    def write_slices(place: str, rows: pa.Table, *more: Any) -> None:
        held.append(rows.nbytes)
        write(place, rows, *more)

    def _bring(task: Any, images: Any, rows: list[pa.RecordBatch], out: Any) -> None:
        held.append(sum(batch.nbytes for batch in rows))
        bring(task, images, rows, out)

    def counted(self: Joined) -> Any:
        for start, end, rows in windows(self):
            held.append(rows.nbytes if rows else 0)
            yield start, end, rows

    monkeypatch.setattr(keyed_join, "write_slices", write_slices)
    monkeypatch.setattr(keyed_join, "_bring", _bring)
    monkeypatch.setattr(Joined, "windows", counted)
    found, counts = shards.write({"x": path})
    assert counts["x"]["same_key"] == 999
    assert found[0]["caption_x"] in given
    assert max(held) < 3 * 4000
    assert len(held) > 50


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"id": ["a"], "caption": ["a"]},
            r"captions\.x: .*has the columns id, caption, expected uid, sha256, url or datacomp_uid, the key",
        ),
        ({"uid": ["a"], "text": ["a"]}, "has the columns uid, text, expected caption"),
        ({"uid": [1], "caption": ["a"]}, "uid is a column of the type int64, expected a string"),
        ({"uid": ["a"], "caption": [1.5]}, "caption is a column of the type double, expected a string or a list"),
        ({"uid": ["a"], "caption": ["a"], "model": [1]}, "model is a column of the type int64, expected a string"),
    ],
    ids=["no key", "no caption", "key", "caption", "model"],
)
def test_tables_that_cannot_be_joined(tmp_path: Path, columns: dict[str, list], told: str) -> None:
    with pytest.raises(HeadtailError, match=told):
        open_captions({"x": str(table(tmp_path / "c.parquet", **columns))})


def test_names_and_paths_that_cannot_be_used(tmp_path: Path) -> None:
    path = str(table(tmp_path / "c.parquet", uid=["a"], caption=["a"]))
    for name in ("A", "a b", "../a", "a" * 65, ""):
        with pytest.raises(HeadtailError, match="a name is 1 to 64 of a-z, 0-9, - and _"):
            open_captions({name: path})
    with pytest.raises(HeadtailError, match="names no file"):
        open_captions({"x": f"{tmp_path}/none.parquet"})


def test_later_files_of_a_table_must_have_its_key(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    table(tmp_path / "c/0.parquet", uid=["a"], caption=["a"])
    table(tmp_path / "c/1.parquet", url=["a"], caption=["a"])
    with pytest.raises(
        HeadtailError, match=r"1\.parquet has the columns url, caption, expected uid, the key of files before it"
    ):
        open_captions({"x": str(tmp_path / "c")})


def test_side_cars_are_those_without_captions(shards: Shards, plain: list[dict], tmp_path: Path) -> None:
    for task in shards.tasks:
        write_shard(task)
    before = {name: digest for name, digest in tars(tmp_path).items() if name.endswith(".parquet")}
    assert len(before) == 3
    shards.write({"x": table(tmp_path / "c.parquet", uid=[plain[0]["uid"]], caption=["a"])})
    assert {name: tars(tmp_path)[name] for name in before} == before
    assert pq.read_schema(tmp_path / "shards/00000.parquet").names == SAMPLES.names
