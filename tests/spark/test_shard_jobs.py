"""download_images and write_shards as jobs, against a real server."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from braceexpand import braceexpand
from pyspark import SparkConf

from conf.compose import compose_config
from conf.schema.jobs import DownloadImagesConfig, HashImagesConfig, WriteShardsConfig
from curation.balancing.targets import EntryTargets, write_targets
from curation.clusters.clusters_table import ClustersTable
from curation.clusters.hierarchy import Hierarchy, write_hierarchy
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CLUSTERS, HOSTS
from curation.core.tables import Table
from curation.core.whole_vectors import whole_units
from curation.shards.benchmark_images import BENCHMARK_IMAGES
from curation.spark.tasks import require_single_attempts
from jobs import download_images, hash_images, write_shards
from tests.http_server import ImageServer, draw
from tests.shard_data import curate, curated_rows

COUNT = 120
pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture(scope="module")
def server() -> Iterator[ImageServer]:
    with ImageServer() as server:
        yield server


def rows_of(server: ImageServer, count: int = COUNT) -> list[dict]:
    """Curated rows: every tenth image is gone, every fifteenth is the image before it under another URL."""
    paths = [
        f"gone/{k}" if k % 10 == 0 else f"image/{n}.{('jpg', 'png', 'webp')[n % 3]}?{k}"
        for k in range(count)
        for n in [k - (k % 15 == 1)]
    ]
    return curated_rows([server.url(path) for path in paths])


def download(folder: Path, *settings: str) -> None:
    overrides = [f"output={folder}", "urls.allow_private_hosts=[127.0.0.1/32]", "download.threads=8", *settings]
    download_images.run(compose_config("download_images", DownloadImagesConfig, overrides))


def shard(folder: Path, *settings: str) -> dict:
    write_shards.run(compose_config("write_shards", WriteShardsConfig, [f"output={folder}", *settings]))
    return json.loads((folder / "shards/_manifest.json").read_text())


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("shards/*.tar"))}


def test_lists_and_buckets_do_not_show_in_the_tars(server: ImageServer, tmp_path: Path) -> None:
    """Images that are gone are not downloaded, also where the host forbids them before."""
    found = []
    server.files["/robots.txt"] = b"User-agent: *\nDisallow: /gone/"
    for name, buckets, images_per_list, obey in (("one", 1, 10_000, ""), ("eight", 5, 16, "robots_txt,ai_txt")):
        curate(tmp_path / name, rows_of(server), buckets)
        download(tmp_path / name, f"download.images_per_list={images_per_list}", f"download.obey=[{obey}]")
        manifest = shard(tmp_path / name, "samples_per_shard=17")
        assert manifest["rows_in"] == COUNT == manifest["rows_out"] + sum(manifest["drops"].values())
        assert manifest["drops"] == {"duplicate_image": 4, "not_downloaded": 12}
        found.append(digests(tmp_path / name))
    (downloaded,) = Table(f"{tmp_path}/eight/downloads").parts()
    assert downloaded.receipt.drops == {"robots_txt": 12}
    assert Table(f"{tmp_path}/eight/hosts", HOSTS).require("download_images")[0].receipt.rows_out == 1
    assert not (tmp_path / "one/hosts").exists()
    assert server.hits["/robots.txt"] == server.hits["/ai.txt"] == 1
    assert len(json.loads((tmp_path / "eight/lists/part-00000/_manifest.json").read_text())["files"]) == 8
    assert found[0] == found[1]
    assert len(found[0]) == 7
    sets = [clustered(tmp_path / name) for name in ("one", "eight")]
    assert sets[0] == sets[1]
    kept = [row["uid"] for row in samples(tmp_path / "one/shards")]
    assert sorted(uid for row in sets[0].values() for uid in row) == sorted(uid for uid in kept if cluster_of(uid) < 3)
    with pytest.raises(HeadtailError, match=r"shards holds a set of shards, and by=coarse writes one for each"):
        shard(tmp_path / "one", "by=coarse", f"clusters={tmp_path}/one/clusters", "samples_per_shard=17")
    with pytest.raises(HeadtailError, match=r"experts holds coarse-0, a set of one cluster"):
        shard(tmp_path / "one", f"shards={tmp_path}/one/experts")


def cluster_of(uid: str) -> int:
    """Return the fine cluster of an image, 0 to 3; that of 3 is in no table."""
    return int(uid[5], 16) % 4


def samples(folder: Path) -> list[dict]:
    """Return the json of all samples of a set, in order."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            found += [json.load(archive.extractfile(each)) for each in archive if each.name.endswith(".json")]  # type: ignore[arg-type]
    return found


def clustered(folder: Path) -> dict[str, list[str]]:
    """Write the run of a folder by coarse cluster; return the uids of each set, in order."""
    table = ClustersTable(f"{folder}/clusters")
    hierarchy = Hierarchy(whole_units(np.eye(3))[0], (0, 1, 0), (5, 3, 2), {"coarse_names": [["cat", "`|"], ["car"]]})
    uids = [row["uid"] for row in pq.read_table(Table(f"{folder}/curated").files()).to_pylist()]
    rows = [
        {"uid": uid, "fine": fine, "coarse": hierarchy.coarse[fine], "distance": 0.5, "concept_ids": [fine]}
        for uid in uids
        if (fine := cluster_of(uid)) < 3
    ]
    path = f"{table.begin(0)}/00000.parquet"
    output = write_rows(path, pa.Table.from_pylist(rows, CLUSTERS))
    table.commit(0, Recipe("cluster_images", 1, {}), [Receipt("c", len(rows), len(rows), outputs=[output])], 0)
    write_hierarchy(table.path, hierarchy, [["cat"], ["car"], []])
    given = [f"output={folder}", f"clusters={table.path}", f"shards={folder}/experts", "samples_per_shard=9"]
    for _ in range(2):  # the second call finds nothing to do
        write_shards.run(compose_config("write_shards", WriteShardsConfig, [*given, "by=coarse"]))
    found = {}
    for number in (0, 1):
        mine = folder / f"experts/coarse-{number}"
        manifest, rows = json.loads((mine / "_manifest.json").read_text()), samples(mine)
        assert {row["coarse"] for row in rows} == {number}
        assert [row["fine"] for row in rows] == [cluster_of(row["uid"]) for row in rows]
        assert sum(json.loads((mine / "sizes.json").read_text()).values()) == len(rows) == manifest["rows_out"]
        assert manifest["drops"]["no_cluster"] > 0 < manifest["drops"]["other_cluster"]
        side_cars = pq.read_table([str(path) for path in sorted(mine.glob("*.parquet"))])
        assert side_cars["coarse"].to_pylist() == [number] * len(rows)
        found[f"coarse-{number}"] = [row["uid"] for row in rows]
    readme = (folder / "experts/README.md").read_text()
    assert "| `cat` |" in readme
    for number, (data, factors) in enumerate(
        re.findall(r"--train-data '(\S+)'\s+\\\s+--train-data-up\S+ (\S+)", readme)
    ):
        named = [sorted(braceexpand(part)) for part in data.split("::")]
        assert named == [
            sorted(f"{path.parent.name}/{path.name}" for path in (folder / f"experts/coarse-{each}").glob("*.tar"))
            for each in (number, 1 - number)
        ]
        assert factors == "1::0.02"
    assert number == 1
    return found


def test_images_of_benchmarks_are_left_out(server: ImageServer, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two pictures of the server are those of a benchmark, which another program has stored as PNG."""
    (tmp_path / "bench").mkdir()
    for number in (3, 6):
        (tmp_path / f"bench/{number}.png").write_bytes(draw(number, "PNG"))
    hashing = compose_config("hash_images", HashImagesConfig, [f"output={tmp_path}/made", f"images.b={tmp_path}/bench"])
    hash_images.run(hashing)
    hash_images.run(hashing)
    assert f"is done: 2 images in {tmp_path}/made/benchmark_images" in capsys.readouterr().err
    curate(tmp_path, rows_of(server, 12))
    download(tmp_path)
    manifest = shard(tmp_path, f"benchmark_images=[{tmp_path}/made/benchmark_images]", "benchmark_distance=3")
    assert manifest["drops"] == {"benchmark_image": 2, "not_downloaded": 2}
    assert manifest["benchmarks"]["benchmarks"] == {"b": {"images": 2, "hits": 2}}
    assert {Path(hit["image"]).name for hit in manifest["benchmarks"]["examples"]} == {"3.png", "6.png"}
    with pytest.raises(HeadtailError, match="benchmark_distance was 3, is 4"):
        shard(tmp_path, f"benchmark_images=[{tmp_path}/made/benchmark_images]")
    # A further set: what is in the first is left out, and one of two images whose embeddings are alike.
    left = [row["uid"] for row in pq.read_table(tmp_path / "shards/00000.parquet").to_pylist()]
    hit = sorted(hit["uid"] for hit in manifest["benchmarks"]["examples"])
    vectors = [[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]]
    pq.write_table(pa.table({"uid": [*hit, left[0]], "mine": vectors}), tmp_path / "embeddings.parquet")
    asked = [f"scores=[{tmp_path}/embeddings.parquet]", "embedding_column=mine", "filters.near_duplicates=embedding"]
    other = f"shards={tmp_path}/other"
    write_shards.run(compose_config("write_shards", WriteShardsConfig, [f"output={tmp_path}", other, *asked]))
    found = json.loads((tmp_path / "other/_manifest.json").read_text())
    assert found["drops"] == {"near_duplicate": 1, "not_downloaded": 2}
    assert found["near_duplicates"] == {
        "method": "embedding", "cosine": 0.95, "plans": 1, "compared": 3,
        "images_with_embedding": 3, "images_without_embedding": 7,
    }  # fmt: skip
    assert "mine" not in pq.read_schema(tmp_path / "other/00000.parquet").names
    # The other table has the file of one hit with a perceptual hash of nothing here.
    (digest,) = [
        row["sha256"] for row in pq.read_table(tmp_path / "other/00000.parquet").to_pylist() if row["uid"] in hit
    ]
    known = pa.table([["b"], ["a.png"], [digest], ["f0" * 8]], schema=BENCHMARK_IMAGES)
    pq.write_table(known, tmp_path / "known.parquet")
    others = f"against=[{tmp_path}/shards,{tmp_path}/known.parquet]"
    further = [f"output={tmp_path}", f"shards={tmp_path}/further", others, "filters.near_duplicates=hash"]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, further))
    found = json.loads((tmp_path / "further/_manifest.json").read_text())
    assert (found["drops"], found["rows_out"]) == ({"in_other_set": 9, "not_downloaded": 2}, 1)
    assert found["against"] == {"images": 9}


def test_a_drawn_seed_is_in_no_file_of_the_shards(server: ImageServer, tmp_path: Path) -> None:
    """The run was copied without `_seed.json`: the jobs after balancing find the seed in its manifest."""
    seed = -12_345_678_901_234_567_890
    curate(tmp_path, rows_of(server, 12), seed=seed)
    download(tmp_path)
    assert json.loads((tmp_path / "lists/part-00000/_manifest.json").read_text())["settings"]["seed"] == seed
    assert json.loads((tmp_path / "_seed.json").read_text()) == {"seed": seed}
    shard(tmp_path)
    files = [path for path in (tmp_path / "shards").rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert not [path for path in files if str(-seed).encode() in path.read_bytes()]


def test_done_work_is_left_alone_and_a_larger_selection_adds_to_it(
    server: ImageServer, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = rows_of(server)
    curate(tmp_path, rows[:40])
    for first_form in (["json_version=1"], []):
        server.hits.clear()
        download(tmp_path, "download.images_per_list=16")
        shard(tmp_path, *first_form)
    assert not server.hits
    assert "write_shards     is done" in capsys.readouterr().err
    with pytest.raises(HeadtailError, match=r"json_version was 1, is 2.*overwrite=true"):
        shard(tmp_path, "json_version=2")
    curate(tmp_path, rows)
    download(tmp_path, "download.images_per_list=16")
    assert sum(server.hits.values()) == COUNT - 40
    grown = shard(tmp_path)
    assert (grown["rows_in"], "json_version" in grown["settings"]) == (COUNT, False), "a set that grows keeps its form"
    curate(tmp_path, rows[:40])
    server.hits.clear()
    download(tmp_path, "download.images_per_list=16")
    assert not server.hits
    assert shard(tmp_path)["rows_in"] == 40


def test_a_filter_reads_scores_and_side_car_columns(server: ImageServer, tmp_path: Path) -> None:
    rows = rows_of(server)
    curate(tmp_path, rows)
    download(tmp_path, "download.images_per_list=30")
    whole = shard(tmp_path)
    before = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "shards").glob("*.parquet"))])
    scored = [row["uid"] for row in rows[: COUNT // 2]]
    # Of several rows of an image one that passes is enough.
    given = {"uid": [*scored, scored[3]], "clip_score": [*(k / 100 for k in range(len(scored))), 0.9]}
    scores = pa.table({**given, "unread": pa.array([[1.0]] * len(given["uid"]))})
    pq.write_table(scores, tmp_path / "scores[1]{a}.parquet")
    manifest = shard(
        tmp_path,
        f"scores={tmp_path}/scores[1]{{a}}.parquet",
        "filter=clip_score >= 0.3 and width > 8 and lang = 'en'",
        "overwrite=true",
    )
    high = {scored[3], *scored[30:]}
    expected = [uid for uid in before["uid"].to_pylist() if uid in high]
    after = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "shards").glob("*.parquet"))])
    # A filtered image no longer stands before its duplicates, so more of these may stay.
    assert set(expected) <= set(after["uid"].to_pylist()) <= high
    lost = manifest["drops"]["filter"]
    assert lost == whole["rows_in"] - whole["drops"]["not_downloaded"] - len(high & _downloaded(tmp_path))
    tars = digests(tmp_path)
    told = (
        rf"shards holds {len(after)} samples in 1 shard, written \d{{4}}-\d\d-\d\d, .* "
        r"\(filter was clip_score >= 0.3 and width > 8 and lang = 'en', is width > 100000; scores was .*overwrite=true"
    )
    for other in (
        "filter=width > 100000",
        "samples_per_shard=7",
        "removals=https://h.org/a.jpg",
        "second_balance=true",
    ):
        with pytest.raises(HeadtailError, match=told if "100000" in other else "overwrite=true to replace them"):
            shard(tmp_path, other)
    with pytest.raises(
        HeadtailError, match=rf"{len(after)} samples .* they stay, .* replace them by none .*filter \d+"
    ):
        shard(tmp_path, "filter=width > 100000", "overwrite=true")
    assert digests(tmp_path) == tars
    assert json.loads((tmp_path / "shards/_manifest.json").read_text()) == manifest
    assert not list((tmp_path / "shards").glob(".work*"))
    emptied = shard(tmp_path, "filter=width > 100000", "overwrite=true", "allow_empty=true")
    assert emptied["rows_out"] == 0
    given = {"sha256": before["sha256"].to_pylist(), "clip_score": list(range(before.num_rows))}
    pq.write_table(pa.table(given), tmp_path / "by_file.parquet")
    captions = {"url": before["url"].to_pylist()[1:], "caption": [["a", "b"]] * (before.num_rows - 1)}
    pq.write_table(pa.table(captions), tmp_path / "captions.parquet")
    joined = [f"scores={tmp_path}/by_file.parquet", f"captions.x={tmp_path}/captions.parquet", "syn_json=true"]
    manifest = shard(tmp_path, *joined, "overwrite=true")
    assert pq.read_table(tmp_path / "shards/00000.parquet")["clip_score"].to_pylist() == given["clip_score"]
    assert manifest["scores"][0]["images_without"] == 0
    assert (manifest["captions"]["x"]["joined"], manifest["captions"]["x"]["samples_without"]) == (
        before.num_rows - 1,
        1,
    )
    assert {"captions", "syn_json", "score_columns"} < manifest["settings"].keys()
    assert not {"captions", "syn_json", "score_columns"} & whole["settings"].keys()
    tar = (tmp_path / "shards/00000.tar").read_bytes()
    assert (tar.count(b'{"syn_text":["a","b"]}'), tar.count(b'{"syn_text":[""]}')) == (before.num_rows - 1, 1)
    assert shard(tmp_path, *joined) == manifest
    with pytest.raises(HeadtailError, match=r"captions\.x was .*, is not given; score_columns was true, is false"):
        shard(tmp_path)
    with pytest.raises(HeadtailError, match="captions need json_version=2"):
        shard(tmp_path, *joined, "json_version=1")
    with pytest.raises(HeadtailError, match="syn_json=true needs captions"):
        shard(tmp_path, "syn_json=true")


def test_shards_are_balanced_again_by_what_arrived(
    server: ImageServer, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = rows_of(server)
    for row in rows:  # a single entry of weight 2, drawn with 2 t / headroom = 100 of 120
        row["texts"] = [row["texts"][0] | {"entry_ids": [5], "keep_probability": 100 / 120}]
        row["keep_probability"] = 100 / 120
    rule = {"reference": "en", "others": "same_t", "t_by_language": {}}
    curated = curate(tmp_path, rows, rule=rule, t=25.0, headroom=0.5, targets="ab" * 32)
    write_targets(EntryTargets({"en": (np.array([5], np.int32), np.array([2.0]))}), curated.path)
    download(tmp_path)
    paths = sorted((tmp_path / "downloads").glob("part-*/range-*.parquet"))
    hashes = sorted({row["sha256"] for path in paths for row in pq.read_table(path).to_pylist()} - {None})
    faces = {"sha256": hashes[::2], "concept_ids": [[3]] * len(hashes[::2])}
    pq.write_table(pa.table(faces), tmp_path / "faces.parquet")
    manifest = shard(tmp_path, f"concepts.faces={tmp_path}/faces.parquet", "concept_t.faces=1e-6")
    arrived = manifest["rows_in"] - manifest["drops"]["not_downloaded"] - manifest["drops"]["duplicate_image"]
    assert manifest["rows_out"] + manifest["drops"]["not_drawn"] == arrived
    assert manifest["settings"]["second_balance"]
    assert manifest["second_balance"]["t"] == {"en": 25.0}
    table = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "shards").glob("*.parquet"))])
    # Each survivor stands for 1.2 images, so the estimated count is 1.2 times what arrived.
    assert table["keep_probability"].unique().to_pylist() == [pytest.approx(50 / (1.2 * arrived))]
    assert 0 < manifest["drops"]["not_drawn"] < arrived
    assert not {*table["sha256"].to_pylist()} & {*faces["sha256"]}
    numbers = manifest["second_balance"]["concepts"]["faces"]
    assert (numbers["images_with"], numbers["images_without"]) == (len(hashes[::2]), arrived - len(hashes[::2]))
    assert numbers["count"] == round(1.2 * len(hashes[::2]))
    assert "second_balance" not in shard(tmp_path, "second_balance=false", "overwrite=true")
    assert "first balance dropped" not in capsys.readouterr().err


def _downloaded(folder: Path) -> set[str]:
    rows = [row for path in folder.glob("downloads/part-*/range-*.parquet") for row in pq.read_table(path).to_pylist()]
    return {row["uid"] for row in rows if row["status"] == "success"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(["filter=no_such_column > 1"], "no_such_column", id="no such column"),
        pytest.param(["filter=width >"], "filter='width >'", id="filter that breaks off"),
        pytest.param(["filter=width"], "filter='width'", id="filter that is no condition"),
        pytest.param(["filter=width > 1", "scores=[{folder}/bad.parquet]"], "no column uid", id="scores without uid"),
        pytest.param(
            ["filter=width > 1", "scores=[{folder}/twice.parquet]"],
            "column width is there already",
            id="scores with a known column",
        ),
        pytest.param(["scores=[{folder}/nothing]"], "names no file", id="no such scores"),
        pytest.param(["removals=[{folder}/bad.txt]"], "bad.txt, line 1: expected a uid", id="removal of no uid"),
    ],
)
def test_a_mistake_is_one_line(small: Path, settings: list[str], message: str) -> None:
    pq.write_table(pa.table({"id": ["a"]}), small / "bad.parquet")
    pq.write_table(pa.table({"uid": ["a"], "width": [1]}), small / "twice.parquet")
    (small / "bad.txt").write_text("what?")
    with pytest.raises(HeadtailError, match=message.replace("(", r"\(")) as caught:
        shard(small, *(setting.format(folder=small) for setting in settings))
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def small(server: ImageServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    curate(folder, rows_of(server, 5), 1)
    download(folder)
    return folder


def test_too_few_successes_stop_the_job_with_advice(server: ImageServer, tmp_path: Path) -> None:
    curate(tmp_path, curated_rows([server.url(f"gone/{k}") for k in range(90)] + [server.url("image/1.jpg")]))
    with pytest.raises(HeadtailError, match=r"min_success_share=0.2.*http_error.*min_success_share=0 to continue"):
        download(tmp_path, "download.images_per_list=30")
    server.hits.clear()
    with pytest.raises(HeadtailError, match="min_success_share"):  # by lists that are new to it
        download(tmp_path, "download.images_per_list=30")
    assert set(server.hits.values()) == {1}
    server.hits.clear()
    download(tmp_path, "download.images_per_list=30", "download.min_success_share=0")
    total = sum(json.loads(path.read_text())["rows_in"] for path in tmp_path.glob("downloads/part-*/_manifest.json"))
    assert total == 91
    assert not server.hits, "what was fetched before is kept"


def test_a_stop_is_not_over_because_nothing_is_left_to_fetch(server: ImageServer, tmp_path: Path) -> None:
    curate(tmp_path, curated_rows([server.url(f"gone/{k}") for k in range(30)]))
    for _ in range(3):
        with pytest.raises(HeadtailError, match="0 of the first 30 images arrived"):
            download(tmp_path)
    download(tmp_path, "download.min_success_share=0")


def test_names_that_do_not_resolve_are_told_before(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    curate(tmp_path, curated_rows([f"http://host-{k}.invalid/a.jpg" for k in range(9)]))
    download(tmp_path, "download.timeout_seconds=5", "download.min_success_share=0")
    assert "none of the 9 host names asked for resolves: is this machine offline?" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["spark.speculation", "spark.dynamicAllocation.enabled"])
def test_what_would_fetch_twice_is_refused(key: str) -> None:
    def session(conf: SparkConf) -> Any:
        return SimpleNamespace(sparkContext=SimpleNamespace(getConf=lambda: conf))

    require_single_attempts(session(SparkConf(False)))
    with pytest.raises(HeadtailError, match=f"{key}=true would fetch images twice"):
        require_single_attempts(session(SparkConf(False).set(key, "true")))
