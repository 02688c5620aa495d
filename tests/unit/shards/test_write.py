"""From downloads to shards, without Spark: the tasks of each step are run one after the other."""

import functools
import hashlib
import io
import json
import pickle
import tarfile
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core import tar_writer
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe, recipe_settings
from curation.core.schemas import DOWNLOAD_STATUS, SAMPLES
from curation.core.tables import Table
from curation.images.downloads import Downloads, download_recipe
from curation.images.ranges import Ranges
from curation.shards.duplicates import UniqueRules, drop_duplicates, find_duplicates, key_images
from curation.shards.perceptual_hash import IMAGEHASH, QUICK, hash_images, phash
from curation.shards.sample_json import NEWEST, JsonForm, SampleForm
from curation.shards.selection import ImageFilters, select_images
from curation.shards.shard_set import ShardSet
from curation.shards.steps import SURVIVORS, SelectionSteps
from curation.shards.write import ShardSize, ShardTask, plan_shard_tasks, plan_shards, shard_name, write_shard
from tests.http_server import draw
from tests.shard_data import curated_rows
from tests.unit.images.settings import download_settings
from tests.unit.images.test_download import plan
from tests.unit.shards.settings import image_filters, unique_rules

NO_FILTERS, NO_RULES = image_filters(), unique_rules()
NEWEST_FORM = SampleForm(NEWEST)


def stored(
    folder: Path, rows: list[dict], images: dict[str, bytes | str], ranges: Ranges, generations: int = 1
) -> tuple[Downloads, Part]:
    """Downloads as if fetched: `images` by URL are the body of the image, or the status that it got instead.

    With several generations the images are dealt to them, each with the failures of the ones before. Equal downloads
    are made once in a process.
    """
    _write_files(folder, _made(pickle.dumps((rows, images, ranges, generations)))[0])
    return Downloads(f"{folder}/downloads"), Table(f"{folder}/lists").parts()[0]


def selected(
    folder: Path, rows: list[dict], images: dict[str, bytes | str], ranges: Ranges, generations: int = 1
) -> tuple[SelectionSteps, Part, Receipt]:
    """Downloads as of `stored`, after all steps up to the survivors, without filters and rules.

    Returns the steps, the lists and the receipt of the steps.
    """
    files, selection = _made(pickle.dumps((rows, images, ranges, generations)), through_steps=True)
    _write_files(folder, files)
    steps, lists = _steps_of(folder, ranges)
    return steps, lists, Receipt.from_json(selection).moved_to(steps.folder(SURVIVORS))


def _steps_of(folder: Path, ranges: Ranges) -> tuple[SelectionSteps, Part]:
    lists, status = Table(f"{folder}/lists").parts()[0], Downloads(f"{folder}/downloads").status_files(ranges)
    return SelectionSteps(ranges, lists.path, f"{folder}/work", status), lists


@functools.cache
def _made(given: bytes, through_steps: bool = False) -> tuple[dict[str, bytes], str]:
    """Make downloads in a folder; return its files by their paths there, and the receipt of the steps."""
    rows, images, ranges, generations = pickle.loads(given)
    with tempfile.TemporaryDirectory() as name:
        folder, selection = Path(name), Receipt("none")
        if through_steps:
            _write_files(folder, _made(given)[0])
            selection = select(_steps_of(folder, ranges)[0])
        else:
            _fetch(folder, rows, images, ranges, generations)
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return found, selection.to_json()


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    for parent in {name.rpartition("/")[0] for name in files}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _fetch(folder: Path, rows: list[dict], images: dict[str, bytes | str], ranges: Ranges, generations: int) -> None:
    lists, downloads = plan(folder, rows, ranges, buckets=1), Downloads(f"{folder}/downloads")
    for generation in range(generations):
        recipe = download_recipe(download_settings(), [lists])
        number, receipts = downloads.begin_generation(recipe, ranges), []
        for path in lists.files:
            mine = [
                row for k, row in enumerate(pq.read_table(path).to_pylist())
                if k % generations == generation and row["url"] in images
            ]  # fmt: skip
            if mine:
                receipts.append(_store(f"{downloads.part_path(number)}/{path.rsplit('/', 1)[-1]}", mine, images))
        downloads.end_generation(number, recipe, ranges, receipts, 0)


def _store(out: str, rows: list[dict], images: dict[str, bytes | str]) -> Receipt:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    found = []
    with open(out.replace(".parquet", ".tar"), "wb") as file:
        writer = tar_writer.TarWriter(file)
        for row in rows:
            body = images[row["url"]]
            status = dict.fromkeys(DOWNLOAD_STATUS.names) | {name: row[name] for name in ("uid", "url", "order")}
            status |= {"status": "success", "redirects": 0, "attempts": 1, "seconds": 0.1}
            if isinstance(body, str):
                status["status"] = body
            else:
                width, height = Image.open(io.BytesIO(body)).size
                sides = {"width": width, "height": height, "original_width": width, "original_height": height}
                offset = writer.add(f"{row['uid']}.jpg", body)
                status |= sides | {"ext": "jpg", "offset": offset, "bytes": len(body), "source_bytes": len(body)}
                status["sha256"] = hashlib.sha256(body).hexdigest()
            found.append(status)
        writer.close()
    output = write_rows(out, pa.Table.from_pylist(found, DOWNLOAD_STATUS))
    return Receipt(out, len(rows), len(rows), outputs=[output])


def select(steps: SelectionSteps, filters: ImageFilters = NO_FILTERS, rules: UniqueRules = NO_RULES) -> Receipt:
    """The receipt of all steps up to the survivors."""
    ranges = steps.ranges
    receipts = [[select_images(task, ranges, filters).check() for task in steps.select()]]
    for task in steps.hash(rules.versions):
        hash_images(task).check()
    receipts.append([key_images(task, ranges, rules).check() for task in steps.key(filtered=False)])
    for task in steps.find():
        find_duplicates(task, ranges).check()
    receipts.append([drop_duplicates(task, ranges).check() for task in steps.drop()])
    first, second, third = (merge_receipts("step", step) for step in receipts)
    drops = first.drops + second.drops + third.drops
    return Receipt("selected", first.rows_in, third.rows_out, drops, outputs=third.outputs).check()


def make_shards(
    folder: Path,
    downloads: Downloads,
    lists: Part,
    ranges: Ranges,
    size: int = 10,
    filters: ImageFilters = NO_FILTERS,
    rules: UniqueRules = NO_RULES,
    max_bytes: int = 1 << 30,
    form: SampleForm = NEWEST_FORM,
) -> Part:
    """What the job does."""
    shards = ShardSet(f"{folder}/shards")
    recipe = Recipe(
        "write_shards",
        1,
        {
            "size": size,
            "filters": vars(filters),
            "rules": recipe_settings(rules),
            **recipe_settings(JsonForm(form.version)),
        },
        downloads.inputs(),
    )
    work, status = shards.work_folder(recipe), downloads.status_files(ranges)
    steps = SelectionSteps(ranges, lists.path, work, status)
    selection = select(steps, filters, rules)
    shards.retract()
    tasks = plan_shard_tasks(shards.path, steps, lists.path, selection, ShardSize(size, max_bytes), form)
    return shards.publish(recipe, work, [write_shard(task).check() for task in tasks], selection, 0)


def samples(folder: Path) -> list[tuple[dict, str, bytes, str]]:
    """(json, txt, image, extension) of every sample, in order, read with Python's tarfile."""
    found = []
    for path in sorted((folder / "shards").glob("*.tar")):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert all((m.mtime, m.uid, m.gid, m.mode) == (0, 0, 0, 0o644) for m in members)
            for meta, text, image in zip(members[0::3], members[1::3], members[2::3], strict=True):
                uid = meta.name.split(".")[0]
                assert (meta.name, text.name, image.name[:25]) == (f"{uid}.json", f"{uid}.txt", f"{uid}.")
                data = [archive.extractfile(member).read() for member in (meta, text, image)]
                found.append((json.loads(data[0]), data[1].decode(), data[2], image.name[25:]))
    return found


URLS = [f"http://example.org/{index}" for index in range(57)]


def bodies(count: int = 57) -> dict[str, bytes | str]:
    return {url: draw(index, size=(40 + index, 30)) for index, url in enumerate(URLS[:count])}


def test_samples_stand_in_the_final_order_with_their_own_image_text_and_facts(tmp_path: Path) -> None:
    rows, images = curated_rows(URLS), bodies()
    downloads, lists = stored(tmp_path, rows, images, Ranges(4, 0), generations=3)
    part = make_shards(tmp_path, downloads, lists, Ranges(4, 0))
    found = samples(tmp_path)
    ordered = [row for path in lists.files for row in pq.read_table(path).to_pylist()]
    assert [meta["uid"] for meta, *_ in found] == [row["uid"] for row in ordered]
    for (meta, text, image, ext), row in zip(found, ordered, strict=True):
        assert (text, image, ext) == (row["text"], images[row["url"]], "jpg")
        for name in ("uid", "url", "text", "lang", "keep_probability"):
            assert meta[name] == row[name]
        assert meta["matched_texts"] == row["texts"]
        assert meta["sha256"] == hashlib.sha256(image).hexdigest()
        assert (meta["width"], meta["height"]) == Image.open(io.BytesIO(image)).size
    folder = tmp_path / "shards"
    names = sorted(path.name for path in folder.glob("*.tar"))
    assert names == [f"{k:05d}.tar" for k in range(6)]
    sizes = json.loads((folder / "sizes.json").read_text())
    assert sizes == dict(zip(names, [10, 10, 10, 10, 10, 7], strict=True))
    for entry in part.manifest["files"]:
        table = pq.read_table(folder / entry["path"])
        assert table.schema.equals(SAMPLES)
        data = (folder / entry["tar"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (entry["tar_sha256"], entry["tar_bytes"])
        assert table.num_rows == sizes[entry["tar"]]
    uids = [uid for path in part.files for uid in pq.read_table(path)["uid"].to_pylist()]
    assert uids == [row["uid"] for row in ordered]
    assert not list(folder.glob(".[!n]*"))


def test_bytes_depend_neither_on_ranges_nor_on_generations(tmp_path: Path) -> None:
    rows, images = curated_rows(URLS[:29]), bodies(29)
    digests = {}
    for ranges, generations in ((1, 1), (2, 1), (4, 1), (1, 3), (2, 3), (4, 3)):
        folder = tmp_path / f"{ranges}-{generations}"
        downloads, lists = stored(folder, rows, images, Ranges(ranges, 0), generations)
        make_shards(folder, downloads, lists, Ranges(ranges, 0))
        tars = sorted((folder / "shards").glob("*.tar"))
        digests[ranges, generations] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in tars]
    assert len(digests[1, 1]) == 3
    assert digests == dict.fromkeys(digests, digests[1, 1])


def test_every_image_that_is_no_sample_has_a_reason(tmp_path: Path) -> None:
    images = bodies(50)
    images |= {URLS[0]: "timeout", URLS[1]: "http_error"}
    images[URLS[2]] = draw(2, size=(10, 30))
    images[URLS[3]] = draw(3, size=(300, 30))
    images[URLS[4]] = draw(4, size=(20, 20))
    images[URLS[5]] = draw(5, size=(90, 90))
    images[URLS[7]] = images[URLS[8]] = images[URLS[9]]
    removed = tmp_path / "removals.txt"
    rows = curated_rows(URLS)
    uid = next(row["uid"] for row in rows if row["url"] == URLS[20])
    digest = hashlib.sha256(images[URLS[21]]).hexdigest()
    removed.write_text(f"# opt-outs\n{uid}\n\n# a benchmark image\n{digest.upper()}\n{'0' * 24}\n")
    downloads, lists = stored(tmp_path, rows, images, Ranges(2, 0))
    filters = image_filters(min_side=15, max_aspect_ratio=5.0, min_pixels=600, max_pixels=8000)
    part = make_shards(
        tmp_path, downloads, lists, Ranges(2, 0), filters=filters, rules=unique_rules(removals=(str(removed),))
    )
    assert part.manifest["drops"] == {
        "not_attempted": 7,
        "not_downloaded": 2,
        "small_side": 1,
        "aspect_ratio": 1,
        "few_pixels": 1,
        "many_pixels": 1,
        "removed": 2,
        "duplicate_image": 2,
    }
    found = samples(tmp_path)
    assert len(found) == part.manifest["rows_out"] == 57 - 17
    kept = [meta for meta, _, image, _ in found if image == images[URLS[9]]]
    twins = [row for row in rows if row["url"] in URLS[7:10]]
    first = min(twins, key=lambda row: Ranges(1, 0).order(pa.array([row["uid"]]))[0])
    assert [meta["text"] for meta in kept] == [first["text"]], "the survivor has its own texts"


@pytest.mark.parametrize(("near", "version"), [("true", IMAGEHASH), ("hash", QUICK)], ids=["true", "hash"])
def test_near_duplicates_meet_across_sizes_and_the_largest_stays(tmp_path: Path, near: str, version: int) -> None:
    images: dict[str, bytes | str] = {}
    noise, ranges = np.random.default_rng(0), Ranges(2, 0)
    for index in range(0, 30, 3):
        pixels = noise.integers(0, 255, (6, 6, 3), np.uint8)
        picture = Image.fromarray(pixels).resize((256, 256), Image.Resampling.BICUBIC)
        for url, side, quality in zip(URLS[index : index + 3], (256, 128, 200), (95, 95, 60), strict=True):
            out = io.BytesIO()
            picture.resize((side, side)).save(out, "JPEG", quality=quality)
            images[url] = out.getvalue()
    images[URLS[30]] = images[URLS[0]]
    downloads, lists = stored(tmp_path, curated_rows(URLS[:31]), images, ranges, generations=2)
    exact = make_shards(tmp_path, downloads, lists, ranges)
    assert exact.manifest["drops"] == {"duplicate_image": 1}
    alike: dict[str, list[bytes]] = {}
    for _, _, image, _ in samples(tmp_path):
        alike.setdefault(phash(image, version), []).append(image)
    assert len(alike) < 20, "else nothing is alike"
    smaller = make_shards(tmp_path, downloads, lists, ranges, rules=unique_rules(near=near))
    assert smaller.manifest["drops"] == {"duplicate_image": 1, "near_duplicate": 30 - len(alike)}
    kept = {phash(image, version): meta["width"] for meta, _, image, _ in samples(tmp_path)}
    assert kept == {key: max(Image.open(io.BytesIO(one)).width for one in group) for key, group in alike.items()}
    gone = tmp_path / "removals.txt"
    gone.write_text(unwanted := phash(next(iter(alike.values()))[0], IMAGEHASH))  # lists hold hashes of version 1
    rules = unique_rules(near=near, removals=(str(gone),))
    part = make_shards(tmp_path, downloads, lists, ranges, rules=rules)
    assert len(alike) - 3 <= part.manifest["rows_out"] < len(alike)
    assert unwanted not in {phash(image, IMAGEHASH) for _, _, image, _ in samples(tmp_path)}


def test_a_new_set_replaces_the_old_one_whole(tmp_path: Path) -> None:
    rows, images = curated_rows(URLS[:35]), bodies(35)
    downloads, lists = stored(tmp_path, rows, images, Ranges(2, 0))
    make_shards(tmp_path, downloads, lists, Ranges(2, 0), size=5)
    (tmp_path / "shards" / "notes.md").write_text("a user's own")
    part = make_shards(tmp_path, downloads, lists, Ranges(2, 0), size=30)
    names = sorted(path.name for path in (tmp_path / "shards").iterdir())
    shards = [f"0000{number}.{kind}" for number in (0, 1) for kind in ("idx", "parquet", "tar", "tar.idx")]
    assert names == [".nv-meta", *shards, "README.md", "_manifest.json", "notes.md", "sizes.json"]
    assert len(part.files) == 2


def test_a_stopped_run_writes_no_shard_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, images = curated_rows(URLS[:35]), bodies(35)
    downloads, lists = stored(tmp_path, rows, images, Ranges(2, 0))
    written = Counter()
    real = write_shard

    def stopping(task: ShardTask, after: int) -> Receipt:
        if sum(written.values()) == after:
            raise KeyboardInterrupt
        tar = Path(task.tar)
        before = tar.exists() and tar.stat().st_ino
        receipt = real(task)
        written[task.tar] += tar.stat().st_ino != before
        return receipt

    monkeypatch.setattr(f"{__name__}.write_shard", partial(stopping, after=3))
    with pytest.raises(KeyboardInterrupt):
        make_shards(tmp_path, downloads, lists, Ranges(2, 0))
    assert not ShardSet(f"{tmp_path}/shards").parts()
    assert not (tmp_path / "shards" / "sizes.json").exists()
    monkeypatch.setattr(f"{__name__}.write_shard", partial(stopping, after=-1))
    make_shards(tmp_path, downloads, lists, Ranges(2, 0))
    assert set(written.values()) == {1}
    assert len(samples(tmp_path)) == 35


def test_a_stopped_run_goes_on_where_its_folder_was_moved_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads, lists = stored(tmp_path / "here", curated_rows(URLS[:35]), bodies(35), Ranges(2, 0))
    real, written = write_shard, []

    def stopping(task: ShardTask) -> Receipt:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(task.tar)
        return real(task)

    monkeypatch.setattr(f"{__name__}.write_shard", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_shards(tmp_path / "here", downloads, lists, Ranges(2, 0))
    monkeypatch.undo()
    (tmp_path / "here").rename(tmp_path / "there")
    lists = Table(f"{tmp_path}/there/lists").parts()[0]
    part = make_shards(tmp_path / "there", Downloads(f"{tmp_path}/there/downloads"), lists, Ranges(2, 0))
    assert [entry["path"] for entry in part.manifest["files"]] == [f"{k:05d}.parquet" for k in range(4)]
    assert sum(pq.read_metadata(path).num_rows for path in part.files) == 35


def test_the_readme_counts_and_names_what_is_there(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, curated_rows(URLS), bodies(50), Ranges(2, 0))
    make_shards(tmp_path, downloads, lists, Ranges(2, 0))
    text = (tmp_path / "shards/README.md").read_text()
    assert "\n# 50 image-text samples in 5 WebDataset shards" in text
    assert "--train-data '{00000..00004}.tar' --train-num-samples 50" in text
    assert "--siglip" in text
    assert "--json-text-key 'text;caption_<name>' --json-text-key-probs 0.85 0.15" in text
    assert "--train-data '{00000..00004}.tar::/data/other/{00000..00041}.tar' --train-data-upsampling-factors" in text
    assert "fill a batch of a worker: 00000.tar holds 10 samples: a worker that gets it alone fills no batch" in text
    assert "--batch-size 32 --workers 1" in text
    for key in ("caption", "text", "texts", "matched_texts", "entries", "kept", "keep_probability", "caption_<name>"):
        assert f"`{key}`" in text
    assert "an empty list: the words of the entries were not at hand" in text
    assert text.startswith(
        '---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: "*.tar"\n---\n'
    )
    assert str(tmp_path) not in text
    assert "not_attempted 7" in text
    make_shards(tmp_path, downloads, lists, Ranges(2, 0), form=SampleForm(1))
    text = (tmp_path / "shards/README.md").read_text()
    assert "`kept` is false" in text
    assert "--json-text-key text`.\n" in text
    assert "matched_texts" not in text


def test_without_images_there_are_no_shards(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, curated_rows(URLS[:5]), {}, Ranges(2, 0))
    part = make_shards(tmp_path, downloads, lists, Ranges(2, 0))
    assert (part.files, part.manifest["drops"]) == ([], {"not_attempted": 5})
    assert json.loads((tmp_path / "shards/sizes.json").read_text()) == {}


def test_an_image_tar_that_was_cut_off_stops_the_job(tmp_path: Path) -> None:
    downloads, lists = stored(tmp_path, curated_rows(URLS), bodies(), Ranges(1, 0))
    path = next(tmp_path.glob("downloads/part-00000/*.tar"))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(OSError, match="is cut off"):
        make_shards(tmp_path, downloads, lists, Ranges(1, 0))
    assert not ShardSet(f"{tmp_path}/shards").parts()
    assert not list(tmp_path.glob("shards/*.tar"))


@pytest.mark.parametrize("seed", range(30))
def test_shards_are_dense_and_bounded_whatever_the_ranges_hold(seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.choice([0, 0, 1, 7, 30], random.integers(0, 12))
    ranges = [(3 * k, random.integers(1, 100, n)) for k, n in enumerate(counts)]
    size, most = int(random.integers(1, 25)), int(random.choice([1, 50, 120, 500, 1 << 40]))
    expected: list[list[tuple[int, int]]] = []
    room = space = 0
    for number, sizes in ranges:
        for row, one in enumerate(sizes):
            if room == 0 or one > space:
                expected.append([])
                room, space = size, max(most, one)
            expected[-1].append((number, row))
            room, space = room - 1, space - one
    found = plan_shards(ranges, size, most)
    places = [[(p.range, row) for p in pieces for row in range(p.start, p.end)] for pieces in found]
    assert places == expected
    assert all(piece.end > piece.start for pieces in found for piece in pieces)


def test_a_bound_in_bytes_makes_shards_smaller(tmp_path: Path) -> None:
    images = bodies()
    downloads, lists = stored(tmp_path, curated_rows(URLS), images, Ranges(2, 0))
    make_shards(tmp_path, downloads, lists, Ranges(2, 0), size=20, max_bytes=20_000)
    found = samples(tmp_path)
    assert len(found) == 57
    sizes = list(json.loads((tmp_path / "shards/sizes.json").read_text()).values())
    assert len(sizes) > 3
    ends = np.cumsum(sizes)
    for start, end in zip([0, *ends], ends, strict=False):
        assert sum(len(image) for _, _, image, _ in found[start:end]) <= 20_000


def test_shard_names_sort_as_numbers() -> None:
    assert (shard_name(3, 5), shard_name(3, 100_000), shard_name(3, 100_001)) == ("00003", "00003", "000003")


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [511, 512, 513], [10_240 - 512 * 3], [100_000, 0, 7]],
    ids=["none", "empty", "one byte", "about a block", "whole record", "large and small"],
)
def test_tars_are_what_tar_programs_write(sizes: list[int]) -> None:
    ours, theirs = io.BytesIO(), io.BytesIO()
    writer = tar_writer.TarWriter(ours)
    with tarfile.open(fileobj=theirs, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, size in enumerate(sizes):
            data = bytes([number]) * size
            offset = writer.add(f"a{number}.jpg", data)
            assert ours.getvalue()[offset : offset + size] == data
            info = tarfile.TarInfo(f"a{number}.jpg")
            info.size = size
            archive.addfile(info, io.BytesIO(data))
    writer.close()
    with tarfile.open(fileobj=io.BytesIO(ours.getvalue())) as archive:
        assert [member.size for member in archive.getmembers()] == sizes
    assert ours.getvalue() == theirs.getvalue()


@pytest.mark.parametrize(
    "name",
    ["", "a", "../a.jpg", "a/b.jpg", "a.b.jpg", ".jpg", "a.", "a b.jpg", "é.jpg", "a" * 97 + ".jpg"],
    ids=[
        "empty",
        "no ending",
        "parent folder",
        "folder",
        "two dots",
        "no key",
        "empty ending",
        "blank",
        "accent",
        "long",
    ],
)
def test_names_that_loaders_would_stumble_over_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot have a member"):
        tar_writer.header(name, 1)
