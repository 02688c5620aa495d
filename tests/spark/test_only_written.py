"""score_images with only_written, against the shards that write_shards writes."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig, DownloadImagesConfig, ScoreImagesConfig, WriteShardsConfig
from curation.core.parts import sum_receipts
from curation.core.tables import Table
from jobs import download_images, score_images, write_shards
from jobs.curate import with_signals
from jobs.written_images import written_images
from tests.http_server import ImageServer
from tests.shard_data import curate, curated_rows

COUNT = 180
MODEL = ("signals=[python]", "signal_models.light=tests.unit.signals.test_python_model:brightness")
pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with downloads; the second balance keeps some of them, equal files are there, a tenth is gone."""
    folder = tmp_path_factory.mktemp("run")
    with ImageServer() as server:
        paths = [
            f"gone/{k}" if k % 10 == 0 else f"image/{n}.{('jpg', 'png', 'webp')[n % 3]}?{k}"
            for k in range(COUNT)
            for n in [k - (k % 15 == 1)]
        ]
        rows = curated_rows([server.url(path) for path in paths])
        for row in rows:  # one entry, drawn with a chance of 150 / 180
            row["texts"] = [row["texts"][0] | {"entry_ids": [5], "keep_probability": 150 / 180}]
            row["keep_probability"] = 150 / 180
        rule = {"reference": "en", "others": "same_t", "t_by_language": {}}
        curate(folder, rows, rule=rule, t=30.0, headroom=0.5)
        given = [f"output={folder}", "urls.allow_private_hosts=[127.0.0.1/32]", "download.images_per_list=30"]
        download_images.run(compose_config("download_images", DownloadImagesConfig, given))
    return folder


def score(run: Path, table: str, *settings: str) -> list[str]:
    """Score images into a table; return their uids, in order."""
    given = [f"output={run}", f"image_signals={run}/{table}", *MODEL, *settings]
    score_images.run(compose_config("score_images", ScoreImagesConfig, given))
    return column(Table(f"{run}/{table}").files(), "uid")


def write(run: Path, shards: str, *settings: str) -> list[str]:
    """Write shards into a folder; return the uids of the samples, in order."""
    given = [f"output={run}", f"shards={run}/{shards}", "samples_per_shard=17", *settings]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, given))
    return written(run / shards)


def written(shards: Path) -> list[str]:
    return column(map(str, sorted(shards.glob("*.parquet"))), "uid")


def column(files: Any, name: str) -> list:
    return pa.concat_tables([pq.read_table(path) for path in files])[name].to_pylist()


def digests(shards: Path) -> dict[str, str]:
    """The tars and side-cars of a set with their hashes."""
    paths = sorted([*shards.glob("*.tar"), *shards.glob("*.parquet")])
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def drops(shards: Path) -> dict[str, int]:
    return json.loads((shards / "_manifest.json").read_text())["drops"]


def write_clip(run: Path, name: str, keeps: int) -> str:
    """Write a table of scores of which each image of the lists has one: 1 for every second, from the first `keeps`."""
    uids = sorted(column(Table(f"{run}/lists").files(), "uid"))
    clip = np.arange(len(uids)) % 2 == keeps
    pq.write_table(pa.table({"uid": uids, "clip": clip.astype(float)}), run / name)
    return f"scores=[{run}/{name}]"


def test_exactly_the_images_are_scored_that_are_written(run: Path) -> None:
    """By the second balance; with a filter on other scores, removals and perceptual hashes."""
    clip = write_clip(run, "clip.parquet", 0)
    removed = column(Table(f"{run}/lists").files(), "uid")[:20]
    settings = (clip, "filter=clip > 0.5 or width > 100", f"removals=[{','.join(removed)}]")
    for name, given in {"plain": (), "filtered": (*settings, "filters.near_duplicates=hash")}.items():
        expected = write(run, name, *given)
        assert len(expected) > 10
        assert drops(run / name)["not_drawn"] > 5, "else the second balance spares nothing"
        scored = score(run, f"exact_{name}", "only_written=exact", *given)
        assert sorted(scored) == sorted(expected)
        (part,) = Table(f"{run}/exact_{name}").parts()
        assert part.receipt.drops["not_written"] == part.receipt.rows_in - len(scored)
    assert drops(run / "plain")["duplicate_image"] > 0


def test_the_chain_scores_exactly_what_its_shards_hold(run: Path) -> None:
    """With all that decides in write_shards alone: another second balance, concepts, and another set."""
    against = write(run, "other", "second_balance=false", write_clip(run, "some.parquet", 1), "filter=clip > 0.5")
    hashes = column(Table(f"{run}/downloads").files(), "sha256")
    faces = sorted({each for each in hashes if each})[::3]
    pq.write_table(pa.table({"sha256": faces, "concept_ids": [[3]] * len(faces)}), run / "faces.parquet")
    given = [f"output={run}", "source=table", "source.paths=a.parquet", f"entry_lists={run}", "samples_per_shard=17"]
    given += [f"against=[{run}/other]", f"concepts.faces={run}/faces.parquet", "concept_t.faces=3", *MODEL]
    config = compose_config("curate", CurateConfig, [*given, "only_written=exact", "score_columns=true"])
    score_images.run(config)
    write_shards.run(with_signals(config))
    scored = column(Table(f"{run}/image_signals").files(), "uid")
    assert sorted(scored) == sorted(written(run / "shards"))
    assert not {*scored} & {*against}
    light = column(map(str, sorted((run / "shards").glob("*.parquet"))), "brightness")
    assert None not in light
    assert drops(run / "shards")["not_drawn"] > 10
    assert drops(run / "shards")["in_other_set"] > 10
    score_images.run(config)  # is done
    all_scored = compose_config(
        "curate", CurateConfig, [*given, f"shards={run}/all", f"image_signals={run}/all_signals", "score_columns=true"]
    )
    score_images.run(all_scored)
    write_shards.run(with_signals(all_scored))
    assert digests(run / "all") == digests(run / "shards")


def test_a_filter_on_signals_gives_the_same_bytes_and_draws_images_that_were_not_drawn_among_all(run: Path) -> None:
    decision = "filter=brightness < {} and width > 10"
    everything = score(run, "everything")
    limit = int(np.median(column(Table(f"{run}/everything").files(), "brightness")))
    filtered = decision.format(limit)
    fewer = score(run, "fewer", "only_written=true", filtered)
    assert len(fewer) < len(everything)
    for name in ("everything", "fewer"):
        kept = write(run, f"of_{name}", filtered, f"scores=[{run}/{name}]")
    assert digests(run / "of_fewer") == digests(run / "of_everything")
    assert drops(run / "of_fewer")["filter"] > drops(run / "of_everything")["filter"] > 0
    # This is why the second balance spares nothing where a signal decides.
    assert {*kept} - {*write(run, "undecided")}
    assert sum_receipts(Table(f"{run}/fewer").parts()).drops["not_written"] == len(everything) - len(fewer)


def test_a_stopped_run_with_other_scores_leaves_nothing_behind(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (write_clip(run, f"{keeps}.parquet", keeps) for keeps in (0, 1))
    only = ("only_written=true", "filter=clip > 0.5")

    def stopped(*arguments: Any) -> None:
        written_images(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(score_images, "written_images", stopped)
        with pytest.raises(KeyboardInterrupt):
            score(run, "stopped", *only, first)
    assert (run / "stopped/.work").exists()
    scored = score(run, "stopped", *only, second)
    assert not (run / "stopped/.work").exists()
    table = pq.read_table(run / "1.parquet").to_pylist()
    assert scored
    assert {*scored} <= {row["uid"] for row in table if row["clip"]}
