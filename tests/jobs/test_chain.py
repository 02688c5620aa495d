"""The whole chain on the sample crawl: counts add up, bytes depend on input, settings and seed alone."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest
import webdataset

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, ScoreImagesConfig
from curation.core.errors import HeadtailError
from curation.core.parts import sum_receipts
from curation.core.tables import Table
from curation.shards.shard_set import ShardSet
from jobs import balance_pairs, score_images
from tests.jobs.conftest import Sample, rows, tar_bytes

STAGES = ("pairs", "matches", "entry_counts", "curated", "downloads", "shards")


def manifests(run: Path, *tables: str) -> dict[Path, str]:
    """The manifests of tables with their texts: a stage that runs again writes other seconds."""
    return {path: path.read_text() for table in tables for path in sorted((run / table).rglob("_manifest.json"))}


def test_rows_out_of_a_stage_are_rows_in_of_the_next(finished: Path) -> None:
    account = {name: sum_receipts(Table(str(finished / name)).parts()) for name in ("pairs", "matches", "curated")}
    for receipt in account.values():
        receipt.check()
        assert receipt.rows_in > receipt.rows_out > 0
        assert all(count > 0 for count in receipt.drops.values())
    assert account["matches"].rows_in == account["pairs"].rows_out == rows(finished, "pairs").num_rows
    images = rows(finished, "matches")
    assert account["curated"].rows_in == images.num_rows == len(set(images["uid"].to_pylist()))
    assert account["curated"].rows_out == rows(finished, "curated").num_rows


def test_counts_are_those_of_a_loop(finished: Path) -> None:
    counted = Counter(
        (text["lang"], entry_id)
        for texts in rows(finished, "matches")["texts"].to_pylist()
        for text in texts
        for entry_id in text["entry_ids"]
    )
    stored = rows(finished, "entry_counts").to_pylist()
    assert {(row["lang"], row["entry_id"]): row["count"] for row in stored} == counted
    assert [(row["lang"], row["entry_id"]) for row in stored] == sorted(counted)


def test_balancing_thins_the_head_and_keeps_the_tail(finished: Path) -> None:
    curated = rows(finished, "curated")
    english_t = next(row["t"] for row in rows(finished, "thresholds").to_pylist() if row["lang"] == "en")
    counts = {(row["lang"], row["entry_id"]): row["count"] for row in rows(finished, "entry_counts").to_pylist()}
    kept = Counter(
        ("en", entry_id)
        for texts in curated["texts"].to_pylist()
        for text in texts
        if text["lang"] == "en" and text["kept"]
        for entry_id in text["entry_ids"]
    )
    head = [key for key, count in counts.items() if key[0] == "en" and count > 4 * english_t]
    tail = [key for key, count in counts.items() if key[0] == "en" and count < english_t]
    assert len(head) > 3
    assert tail
    assert all(kept[key] == counts[key] for key in tail)
    assert sum(kept[key] for key in head) < 0.8 * sum(counts[key] for key in head)


def test_shards_open_and_agree_with_the_tables(finished: Path) -> None:
    curated = {row["uid"]: row for row in rows(finished, "curated").to_pylist()}
    sizes = json.loads((finished / "shards" / "sizes.json").read_text())
    tars = sorted((finished / "shards").glob("*.tar"))
    assert [path.name for path in tars] == [f"{number:05d}.tar" for number in range(len(tars))] == sorted(sizes)
    seen: list[str] = []
    for path in tars:
        samples = list(webdataset.WebDataset(str(path), shardshuffle=False).decode("pil"))
        assert len(samples) == sizes[path.name]
        for sample in samples:
            (image,) = (sample[ending] for ending in ("jpg", "png", "webp") if ending in sample)
            row, told = curated[sample["__key__"]], sample["json"]
            assert sample["txt"] == row["text"] == told["text"]
            assert (told["url"], told["lang"], told["keep_probability"]) == (
                row["url"], row["lang"], row["keep_probability"],
            )  # fmt: skip
            assert [(text["text"], text["entry_ids"]) for text in told["matched_texts"]] == [
                (text["text"], text["entry_ids"]) for text in row["texts"]
            ]
            assert told["texts"] == [text["text"] for text in row["texts"] if text["kept"]]
            assert told["caption"] == told["text"]
            assert image.size == (told["width"], told["height"])
            seen.append(sample["__key__"])
    assert len(seen) == len(set(seen)) > 50


def test_every_image_that_is_lost_has_a_reason(finished: Path) -> None:
    downloads = sum_receipts(Table(str(finished / "downloads")).parts())
    assert downloads.rows_in == rows(finished, "curated").num_rows
    assert {"http_error", "opted_out", "not_an_image", "truncated", "too_large"} <= set(downloads.drops)
    (shards,) = ShardSet(str(finished / "shards")).parts()
    assert shards.receipt.rows_in == downloads.rows_in
    assert shards.receipt.drops["duplicate_image"] > 0


@pytest.mark.parametrize(
    "cut",
    [
        ("buckets=1", "files_per_part=1000", "download.images_per_list=1000"),
        ("buckets=7", "files_per_part=3", "download.images_per_list=16"),
    ],
    ids=["one", "seven"],
)
def test_the_cut_into_tasks_changes_no_row_and_no_byte(
    sample: Sample, finished: Path, tmp_path: Path, cut: tuple[str, ...]
) -> None:
    run = sample.curate(tmp_path / "run", *cut)
    for table in ("pairs", "matches", "entry_counts", "thresholds", "curated"):
        assert rows(run, table).equals(rows(finished, table)), table
    assert tar_bytes(run) == tar_bytes(finished)


def test_a_second_run_makes_nothing_again(sample: Sample, finished: Path) -> None:
    before = manifests(finished, *STAGES)
    assert len(before) >= len(STAGES)
    sample.curate(finished)
    assert manifests(finished, *STAGES) == before


def test_another_t_runs_again_from_the_balance_on(sample: Sample, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    all_before = manifests(finished, *STAGES)
    kept, changed = manifests(run, *STAGES[:3]), manifests(run, "curated", "shards")
    for other, told in {
        "balance.t=50": r"samples in \d+ shards, .*balance_pairs: balance.t was not given, is 50.0; .*overwrite=true",
        "seed=1": "balance_pairs: seed was 0, is 1",
        "samples_per_shard=99": "samples_per_shard was 100, is 99",
    }.items():
        with pytest.raises(HeadtailError, match=told):
            sample.curate(run, other)
    assert manifests(run, *STAGES) == {run / path.relative_to(finished): text for path, text in all_before.items()}
    sample.curate(run, "balance.t=50", "overwrite=true")
    assert manifests(run, *STAGES[:3]) == kept
    assert all(text != changed[path] for path, text in manifests(run, "curated", "shards").items())
    stages = {stage["stage"]: stage for stage in json.loads((run / "report/report.json").read_text())["stages"]}
    assert stages["download_images"]["rows_in"] == stages["balance_pairs"]["rows_out"], "images of both balances"


def test_images_with_faces_are_left_out_by_a_filter_over_signals(
    sample: Sample, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    settings = ("signals=[faces]", "filter=face_count = 0 and width > 8")
    with pytest.raises(HeadtailError, match="nsfw_score"):
        sample.curate(run, "signals=[faces]", "filter=nsfw_score < 1", "overwrite=true")
    assert not (run / "image_signals").exists(), "a wrong filter is told before images are scored"
    with pytest.raises(HeadtailError, match=r"filter was '', is face_count = 0.*overwrite=true"):
        sample.curate(run, *settings)
    sample.curate(run, *settings, "overwrite=true")
    stored, scored = (sum_receipts(Table(str(run / name)).parts()) for name in ("downloads", "image_signals"))
    assert scored.rows_in == stored.rows_out == scored.rows_out > 50
    signals = rows(run, "image_signals")
    (manifest,) = (part.manifest for part in Table(str(run / "image_signals")).parts())
    assert manifest["settings"]["models"][0]["sha256"].startswith("99bf9494")
    with_face = set(signals.filter(pc.greater(signals["face_count"], 0))["uid"].to_pylist())
    assert 0 < len(with_face) < 0.2 * signals.num_rows, "false boxes: animals and things with eyes, drawn, no people"
    (shards,) = ShardSet(str(run / "shards")).parts()
    assert shards.receipt.drops["filter"] == len(with_face)
    sample.curate(run, "signals=[faces]", "faces=blur", f"shards={run}/blurred")
    (blurred,) = ShardSet(str(run / "blurred")).parts()
    faces = blurred.receipt.rows_out - shards.receipt.rows_out  # without duplicates
    assert blurred.manifest["facts"]["blurred_images"] == faces > 0
    assert f"Faces are blurred in {faces} image" in (run / "report/index.html").read_text()
    values = json.loads((run / "report/report.json").read_text())
    assert values["faces"] == {"images": signals.num_rows, "with_face": len(with_face)}
    assert f"found a face in {len(with_face)} of the" in (run / "report/index.html").read_text()
    before = manifests(run, *STAGES, "image_signals")
    sample.curate(run, *settings)
    assert manifests(run, *STAGES, "image_signals") == before
    assert "score_images     is done" in capsys.readouterr().err
    only = [f"output={run}", "signals=[faces]", "only_written=true", "filters.min_side=50", f"image_signals={run}/only"]
    only.append("filter=face_count < 9 and lang in ('en', 'de')")
    score_images.run(compose_config("score_images", ScoreImagesConfig, only))
    (fewer,) = Table(str(run / "only")).parts()
    uids = rows(run, "only")["uid"]
    assert rows(run, "only").equals(signals.filter(pc.is_in(signals["uid"], uids)))
    assert 0 < fewer.receipt.drops["not_written"] == scored.rows_in - fewer.receipt.rows_out
    by_uid = {row["uid"]: row for row in rows(run, "downloads").to_pylist() if row["status"] == "success"}
    large = {row["uid"] for row in by_uid.values() if min(row["original_width"], row["original_height"]) >= 50}
    asked = {row["uid"] for row in rows(run, "lists").to_pylist() if row["lang"] in ("en", "de")}
    assert asked & by_uid.keys() < by_uid.keys()
    wanted = {by_uid[uid]["sha256"] for uid in large & asked}
    assert sorted(by_uid[uid]["sha256"] for uid in uids.to_pylist()) == sorted(wanted)
    assert not (run / "only/.work").exists()
    part = run / "image_signals/part-00000"
    bytes_before = {path.name: path.read_bytes() for path in part.glob("*.parquet")}
    (receipt,) = part.glob("_range-*.json")
    config = compose_config("score_images", ScoreImagesConfig, [f"output={run}", "signals=[faces]"])
    written = receipt.stat().st_mtime_ns
    (part / "_manifest.json").unlink()  # a run that was stopped after its last list
    score_images.run(config)
    assert receipt.stat().st_mtime_ns == written
    assert {path.name: path.read_bytes() for path in part.glob("*.parquet")} == bytes_before


def test_what_a_smaller_t_keeps_a_larger_one_keeps(finished: Path, tmp_path: Path) -> None:
    kept: list[set[tuple[str, str]]] = []
    for t in (20, 50, 100):
        paths = [f"matches={finished}/matches", f"entry_counts={finished}/entry_counts"]
        config = compose_config(
            "balance_pairs", BalancePairsConfig, [f"output={tmp_path}/{t}", f"balance.t={t}", "seed=0", *paths]
        )
        balance_pairs.run(config)
        curated = rows(tmp_path / str(t), "curated").to_pylist()
        kept.append({(row["uid"], text["text"]) for row in curated for text in row["texts"] if text["kept"]})
    assert kept[0] < kept[1] < kept[2]


def test_another_seed_is_another_draw(finished: Path, tmp_path: Path) -> None:
    paths = [f"matches={finished}/matches", f"entry_counts={finished}/entry_counts"]
    config = compose_config("balance_pairs", BalancePairsConfig, [f"output={tmp_path}", "seed=7", *paths])
    balance_pairs.run(config)
    other, first = rows(tmp_path, "curated"), rows(finished, "curated")
    assert not other["uid"].equals(first["uid"])
    assert abs(other.num_rows - first.num_rows) < 0.2 * first.num_rows


def test_one_language_is_one_setting(sample: Sample, tmp_path: Path) -> None:
    run = sample.curate(tmp_path / "run", "languages=en", "download_images=false", "seed=null")
    assert pc.unique(rows(run, "pairs")["lang"]).to_pylist() == ["en"]
    assert [row["lang"] for row in rows(run, "thresholds").to_pylist()] == ["en"]
    # A drawn seed and the salt of the matches are secrets, and a report may be published.
    manifests = {name: Table(f"{run}/{name}").parts()[0].manifest["settings"] for name in ("matches", "curated")}
    seed = json.loads((run / "_seed.json").read_text())["seed"]
    assert manifests["curated"]["seed"] == seed < 0
    page, values = ((run / "report" / name).read_text() for name in ("index.html", "report.json"))
    assert json.loads(values)["run"]["seed"] is None
    for secret in (-seed, manifests["matches"]["salt"]):
        assert str(secret) not in page + values
