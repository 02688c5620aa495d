"""check_shards reports each fault that would stop or mislead a trainer, none in a good set; samples can be removed."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core import tar_writer
from curation.core.errors import HeadtailError
from curation.core.receipts import merge_receipts
from curation.core.removal_lists import read_removals
from curation.shards.cautions import cautions
from curation.shards.check import check_shard, plan_checks
from curation.shards.remove import plan_removing, remove_from_shard
from curation.shards.sample_json import SampleForm
from curation.shards.shard_set import ShardSet
from tests.http_server import draw, many_scans, png_bomb
from tests.unit.shards.conftest import MakeSet
from tests.unit.shards.test_write import NEWEST_FORM, samples


@pytest.fixture
def folder(small_set: MakeSet, tmp_path: Path) -> Path:
    """Shards of 8, 8 and 4 samples."""
    return small_set(tmp_path)


def problems(folder: Path) -> list[str]:
    tasks, found = plan_checks(str(folder / "shards"))
    total = merge_receipts("check", [check_shard(task).check() for task in tasks])
    assert total.facts["problems"] == len(total.failures)
    return found + [f"{Path(failure['file']).name}: {failure['error']}" for failure in total.failures]


@pytest.mark.parametrize("form", [SampleForm(1), NEWEST_FORM], ids=["old form", "new form"])
def test_a_good_set_has_no_problem_before_and_after_a_removal(
    small_set: MakeSet, tmp_path: Path, form: SampleForm
) -> None:
    folder = small_set(tmp_path, form)
    assert problems(folder) == []
    before = [meta for meta, *_ in samples(folder)]
    shards = ShardSet(f"{folder}/shards")
    removals = read_removals((before[3]["uid"],))
    part = shards.amend([remove_from_shard(task, removals).check() for task in plan_removing(shards.parts()[0])])
    assert problems(folder) == []
    assert [meta for meta, *_ in samples(folder)] == before[:3] + before[4:]
    assert part.manifest["settings"].get("json_version", 1) == form.version
    assert ("`matched_texts`" in (folder / "shards/README.md").read_text()) == (form.version == 2)


def rewrite(path: Path, change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> None:
    """Change the members of a tar."""
    with tarfile.open(path) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in change(members):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(out.getvalue())


def without(ending: str) -> Callable:
    return lambda members: [member for k, member in enumerate(members) if k > 2 or not member[0].endswith(ending)]


def with_data(ending: str, data: bytes) -> Callable:
    return lambda members: [
        (name, data if k < 3 and name.endswith(ending) else old) for k, (name, old) in enumerate(members)
    ]


def other_caption(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    (name, data), *rest = members
    return [(name, json.dumps(json.loads(data) | {"caption": "another"}).encode()), *rest]


def eps_image() -> bytes:
    """Return an EPS, for which Pillow starts Ghostscript if it is asked for the pixels."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "EPS")
    return out.getvalue()


def large_image() -> bytes:
    out = io.BytesIO()
    Image.new("1", (5001, 5000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(without(".txt"), "no_txt", id="without txt"),
        pytest.param(without(".jpg"), "no_image", id="without image"),
        pytest.param(without(".json"), "no_json", id="without json"),
        pytest.param(with_data(".txt", b""), "no_txt", id="empty txt"),
        pytest.param(with_data(".txt", b"\xff\xfe"), "bad_text", id="txt that is no UTF-8"),
        pytest.param(
            with_data(".txt", b"another text"), "json_differs: uid, text or caption", id="txt other than the json"
        ),
        pytest.param(other_caption, "json_differs: uid, text or caption", id="caption other than the txt"),
        pytest.param(with_data(".json", b"{"), "bad_text", id="json that breaks off"),
        pytest.param(with_data(".json", b"[]"), "no_json", id="json that is no object"),
        pytest.param(with_data(".jpg", draw(1)[:-200]), "undecodable", id="image that breaks off"),
        pytest.param(with_data(".jpg", b"<html>"), "undecodable", id="image that is a page"),
        pytest.param(
            with_data(".jpg", draw(1, size=(9, 9))), "json_differs: width or height", id="image of another size"
        ),
        pytest.param(with_data(".jpg", large_image()), "too_many_pixels: 5001 x 5000", id="image of 25 megapixels"),
        pytest.param(with_data(".jpg", eps_image()), "undecodable: UnidentifiedImageError", id="EPS named jpg"),
        pytest.param(with_data(".jpg", draw(1, "GIF")), "undecodable: UnidentifiedImageError", id="GIF named jpg"),
        pytest.param(with_data(".jpg", many_scans(31)), "undecodable: more than 30 scans", id="JPEG of 31 scans"),
        pytest.param(with_data(".jpg", png_bomb()), "too_many_pixels", id="image of a billion pixels"),
        pytest.param(with_data(".json", b"[" * 100_000), "bad_text", id="json that nests"),
        pytest.param(with_data(".txt", b"x" * (5 << 20)), "5,242,880 bytes, more than 4,194,304", id="huge txt"),
        pytest.param(lambda members: members + members[:3], "keys that are not unique", id="sample twice"),
        pytest.param(
            lambda members: [(name.replace(".", ".x.", 1), data) for name, data in members],
            "no_image",
            id="names with two dots",
        ),
        pytest.param(lambda members: members[3:], "sizes.json says 8 samples, the tar has 7", id="sample gone"),
        pytest.param(
            lambda members: members[3:6] + members[:3] + members[6:],
            "the side-car does not list the samples",
            id="samples exchanged",
        ),
        pytest.param(
            lambda members: [*members, (members[-1][0][:25] + "note", b"x")], "sha256 is ", id="member too many"
        ),
    ],
)
def test_every_fault_of_a_sample_is_told(folder: Path, change: Callable, problem: str) -> None:
    rewrite(folder / "shards/00001.tar", change)
    found = problems(folder)
    assert any(line.startswith("00001.tar") and problem in line for line in found), found
    assert all(line.startswith("00001.tar") for line in found)


def test_images_that_trainers_see_otherwise_and_mixed_formats_are_cautions(folder: Path) -> None:
    def mixed(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        images = [name for name, _ in members if name.endswith(".jpg")]
        (out_grey, out_alpha), size = (io.BytesIO(), io.BytesIO()), (8, 8)
        Image.new("I;16", size, 30_000).save(out_grey, "PNG")
        Image.new("RGBA", size, (200, 0, 0, 0)).save(out_alpha, "PNG")
        changed = {images[0]: out_grey.getvalue(), images[1]: out_alpha.getvalue()}
        return [
            (name.replace(".jpg", ".png") if name in changed else name, changed.get(name, data))
            for name, data in members
        ]

    def found() -> list[str]:
        return cautions(merge_receipts("check", map(check_shard, plan_checks(str(folder / "shards"))[0])).facts)

    assert found() == []
    rewrite(folder / "shards/00001.tar", mixed)
    spoiled, formats = found()
    assert "2 images (I;16 1, RGBA 1) look otherwise" in spoiled
    assert "several formats (jpg 18, png 2)" in formats


def test_a_path_that_is_no_folder_of_shards_is_one_line(folder: Path) -> None:
    tar = folder / "shards/00000.tar"
    for path, message in (
        (tar, f"{tar} is one file: name the folder of the whole set of shards, such as {folder}/shards"),
        (folder, f"{folder} holds no tar itself, but its folder shards does: name {folder}/shards"),
        (folder / "no", f"{folder}/no does not exist"),
    ):
        with pytest.raises(HeadtailError, match=re.escape(message)):
            plan_checks(str(path))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(lambda data: data[: len(data) // 2], "breaks off", id="half of it"),
        pytest.param(lambda data: data.rstrip(b"\0") + bytes(600), "does not end in two empty blocks", id="no end"),
        pytest.param(
            lambda data: data[: len(data) // 2] + b"\xff" * 2000 + data[len(data) // 2 + 2000 :],
            "00001.tar",
            id="noise in the middle",
        ),
        pytest.param(lambda _: b"", "breaks off", id="empty"),
    ],
)
def test_every_fault_of_a_tar_is_told(folder: Path, damage: Callable[[bytes], bytes], problem: str) -> None:
    path = folder / "shards/00001.tar"
    path.write_bytes(damage(path.read_bytes()))
    assert any(problem in line for line in problems(folder))


@pytest.mark.parametrize("form", ["GNU", "pax"])
def test_sparse_members_are_refused(folder: Path, form: str) -> None:
    # 512 bytes that stand for eight terabytes of zeros, which tarfile reads into memory.
    name = "0" * 24 + ".txt"
    head = tarfile.TarInfo(name)
    if form == "GNU":
        head.type, head.size = tarfile.GNUTYPE_SPARSE, 0
        block = bytearray(head.tobuf(tarfile.GNU_FORMAT))
        block[386 : 386 + 24] = b"%011o\0%011o\0" % (1 << 32, 0)
        block[483 : 483 + 12] = b"%011o\0" % ((1 << 33) - 1)
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        data = bytes(block)
    else:
        head.pax_headers = {"GNU.sparse.size": str(1 << 43), "GNU.sparse.numblocks": "0"}
        data = head.tobuf(tarfile.PAX_FORMAT)
    path = folder / "shards/00001.tar"
    path.write_bytes(data + path.read_bytes())
    found = problems(folder)
    assert any("breaks off after 0 samples: ValueError: a sparse member" in line for line in found), found


def test_a_tar_with_a_member_without_end_breaks_off(folder: Path) -> None:
    # In stream mode tarfile would go on reading behind the end of the file, block by block.
    head = tarfile.TarInfo("0" * 24 + ".note")
    head.size = 1 << 62
    path = folder / "shards/00001.tar"
    path.write_bytes(path.read_bytes().rstrip(b"\0") + bytes(512) + head.tobuf(tarfile.GNU_FORMAT))
    assert any("breaks off" in line for line in problems(folder))


def test_every_fault_of_the_folder_is_told(folder: Path) -> None:
    shards = folder / "shards"
    (shards / "00001.tar").rename(shards / "00007.tar")
    found = "\n".join(problems(folder))
    assert "tars are not numbered without gaps: see 00001.tar, 00007.tar" in found
    assert "sizes.json does not list the tars" in found
    assert "_manifest.json does not list the tars" in found
    assert "00007.tar: there is no side-car" in found
    (shards / "sizes.json").write_text("{")
    (shards / "_manifest.json").unlink()
    found = "\n".join(problems(folder))
    assert "sizes.json is not JSON" in found
    assert "_manifest.json is missing" in found
    for path in shards.glob("*.tar"):
        path.unlink()
    assert "there is no tar" in problems(folder)


@pytest.mark.parametrize(
    "files", ["5", "[5]", '[{"tar": [1]}]', "[" * 100_000], ids=["number", "numbers", "list", "nest"]
)
def test_manifests_of_other_shapes_are_told(folder: Path, files: str) -> None:
    (folder / "shards" / "_manifest.json").write_text(f'{{"files": {files}}}')
    found = plan_checks(str(folder / "shards"))[1]
    assert any(line.startswith("_manifest.json") for line in found)


def test_sizes_that_are_no_object_are_told(folder: Path) -> None:
    (folder / "shards" / "sizes.json").write_text("1234")
    assert "sizes.json is no JSON object" in plan_checks(str(folder / "shards"))[1]


def test_sizes_that_are_no_numbers_are_reported(folder: Path) -> None:
    sizes = dict.fromkeys(("00000.tar", "00001.tar", "00002.tar"), 8) | {"00001.tar": "8"}
    (folder / "shards" / "sizes.json").write_text(json.dumps(sizes))
    tasks, found = plan_checks(str(folder / "shards"))
    assert found == ["sizes.json has no number of samples for 00001.tar"]
    assert [task.size for task in tasks] == [8, None, 8]


def test_a_side_car_of_another_schema_is_reported(folder: Path) -> None:
    path = folder / "shards/00001.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.drop_columns(["ext"]).append_column("score", rows["width"]), path)
    (problem,) = problems(folder)
    assert problem.startswith("00001.tar: the side-car cannot be read: ")
    assert "ext is missing; score is unexpected" in problem


def test_removing_writes_only_the_shards_concerned(folder: Path) -> None:
    shards = ShardSet(str(folder / "shards"))
    before = {path.name: path.read_bytes() for path in (folder / "shards").glob("*.tar")}
    kept = samples(folder)
    victims = [kept[9][0], kept[12][0], kept[19][0]]
    removals = read_removals((victims[0]["uid"], victims[1]["sha256"], victims[2]["uid"].upper()))
    (part,) = shards.parts()
    receipts = [remove_from_shard(task, removals).check() for task in plan_removing(part)]
    manifest = folder / "shards/_manifest.json"
    manifest.write_text(json.dumps({**part.manifest, "examples": {"duplicate_image": [victims[0]["uid"]]}}))
    after = shards.amend(receipts)
    assert "examples" not in after.manifest, "duplicates may be the removed picture"
    now = {path.name: path.read_bytes() for path in (folder / "shards").glob("*.tar")}
    assert [name for name in sorted(now) if now[name] != before[name]] == ["00001.tar", "00002.tar"]
    gone = {meta["uid"] for meta in victims}
    assert samples(folder) == [sample for sample in kept if sample[0]["uid"] not in gone]
    assert problems(folder) == []
    assert (after.manifest["rows_out"], after.manifest["drops"]) == (17, {"removed": 3})
    assert after.receipt.check().rows_in == 20
    assert json.loads((folder / "shards/sizes.json").read_text()) == {"00000.tar": 8, "00001.tar": 6, "00002.tar": 3}
    listed = read_removals(tuple(shards.removal_lists()))
    assert listed.values["uid"].astype(str).tolist() == sorted(gone)
    assert listed.values["sha256"].astype(str).tolist() == sorted(meta["sha256"] for meta in victims)
    again = [remove_from_shard(task, removals).check() for task in plan_removing(after)]
    assert not any(receipt.outputs for receipt in again)


def test_a_stopped_removal_can_be_repeated(folder: Path) -> None:
    shards = ShardSet(str(folder / "shards"))
    victim = samples(folder)[1][0]
    removals = read_removals((victim["uid"],))
    (part,) = shards.parts()
    whole = (folder / "shards/00000.parquet").read_bytes()
    expected = [remove_from_shard(task, removals) for task in plan_removing(part)]
    (folder / "shards/00000.parquet").write_bytes(whole)  # stopped between tar and side-car
    for _ in range(2):  # and then between the side-car and the manifest
        listed = read_removals(tuple(shards.removal_lists()))
        assert listed.values["sha256"].astype(str).tolist() == [victim["sha256"]], "even if it is never repeated"
        receipts = [remove_from_shard(task, removals).check() for task in plan_removing(part)]
        assert receipts[0].outputs[0]["tar_sha256"] == expected[0].outputs[0]["tar_sha256"]
    shards.amend(receipts)
    assert problems(folder) == []
    assert pq.read_metadata(folder / "shards/00000.parquet").num_rows == 7
    assert (folder / "shards/removals.txt").read_text().split() == sorted([victim["uid"], victim["sha256"]])
    assert not list((folder / "shards").glob(".[!n]*"))


def test_tars_written_again_are_what_write_shards_writes(folder: Path) -> None:
    (part,) = ShardSet(str(folder / "shards")).parts()
    rewritten = remove_from_shard(replace(plan_removing(part)[0], rows=-1), read_removals(()))
    assert rewritten.outputs[0]["tar_sha256"] == part.manifest["files"][0]["tar_sha256"]
    data = (folder / "shards/00000.tar").read_bytes()
    assert hashlib.sha256(data).hexdigest() == part.manifest["files"][0]["tar_sha256"]
    assert len(data) % tar_writer.RECORD == 0
