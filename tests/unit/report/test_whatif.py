"""The forecast of a report has the run's own threshold among others, and some buckets of a large run stand for all."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from curation.balancing.counts import CountArrays, CountFiles, save_array
from curation.balancing.distributions import Distributions
from curation.balancing.forecast import forecast_buckets
from curation.balancing.forecast_table import Rates
from curation.balancing.matched_batch import MatchedBatch
from curation.balancing.targets import Counts, EntryTargets, with_targets
from curation.balancing.thresholds import BalanceGoal, ThresholdRule
from curation.core.choices import Others
from curation.core.receipts import Receipt
from curation.report import whatif
from curation.report.charts import at_of_t, images_by_t
from curation.report.page import render
from curation.report.run_tables import StageTotals
from curation.report.whatif import WhatIf
from tests.browser.report_example import example_report
from tests.matches_data import make_images, to_batch, write_matches

IMAGES = make_images(400, seed=5)
ASSUMED = Rates(1000.0, 30_000.0)


def tables(folder: Path, reference: str = "en", share: float | None = None, targets: EntryTargets | None = None) -> Any:
    """The tables of a run over IMAGES in four buckets, balanced to t = 20 of English or to a tail share."""
    counts = CountArrays()
    counts.add(MatchedBatch(to_batch(IMAGES)))
    for lang, values in counts.items():
        save_array(f"{folder}/counts/{lang}.npy", values)
    files = CountFiles(f"{folder}/counts")
    rule = ThresholdRule(reference, Others.tail_share, {})
    goal = BalanceGoal(rule, None if share else 20.0, share, None, 1.0)
    distributions = Distributions.of_files(files, targets)
    t = goal.thresholds(distributions)
    settings = {
        "seed": 3, "unit": "pair", "t": goal.t, "tail_share": share, "target_images": None, "headroom": 1.0,
        "rule": {"reference": reference, "others": "tail_share", "t_by_language": {}},
    }  # fmt: skip
    rows = {lang: {"t": t[lang], "matches": distributions[lang].matches} for lang in t}
    buckets = [[write_matches(IMAGES[k::4], folder / f"{k}.parquet")] for k in range(4)]
    return SimpleNamespace(
        counts=files,
        matches=SimpleNamespace(buckets=buckets, max_texts=64, salt=0),
        matched=Counter(images=len(IMAGES)),
        thresholds=lambda: rows,
        second_balance=lambda: None,
        targets=lambda: targets,
        distributions=lambda: distributions,
        parts={"balance_pairs": [SimpleNamespace(manifest={"settings": settings, "solved_t": None})]},
    )


def values(run: Any, folder: Path, stages: dict[str, StageTotals] | None = None) -> dict[str, Any]:
    plan = WhatIf.make(run)
    assert plan
    tasks = plan.tasks(2, f"{folder}/work")
    for task in tasks:
        forecast_buckets(task, plan.grid)
    kept = {"balance_pairs": stage("balance_pairs", len(IMAGES), 210)}
    return plan.values([task.output for task in tasks], kept | (stages or {}), ASSUMED)


def stage(name: str, rows_in: int, rows_out: int, seconds: float = 0.0, size: int = 0) -> StageTotals:
    return StageTotals(name, Receipt(name, rows_in, rows_out), 1, seconds, {}, bytes=size)


def expected_images(t: dict[str, float], counts: Counts) -> float:
    total = 0.0
    for image in IMAGES:
        missed = 1.0
        for text in image["texts"]:
            for entry in text["entry_ids"]:
                missed *= 1 - min(1.0, t[text["lang"]] / counts[text["lang"]][entry])
        total += 1 - missed
    return total


def test_the_runs_own_threshold_is_marked_and_has_the_images_of_a_loop(tmp_path: Path) -> None:
    run = tables(tmp_path)
    found = values(run, tmp_path)
    own = found["points"][found["place"]]
    assert (found["reference"], own["t"], found["kept_images"], found["sampled"]) == ("en", 20.0, 210, False)
    t = {lang: row["t"] for lang, row in run.thresholds().items()}
    assert own["images"] == pytest.approx(expected_images(t, run.counts), abs=1e-3)
    assert own["samples"] == own["images"]
    assert own["bytes"] == pytest.approx(own["images"] * 30_000)
    assert own["seconds"] == pytest.approx(own["images"] / 1000)
    for name in ("t", "tail_share", "texts", "images"):
        column = [point[name] for point in found["points"]]
        assert column == sorted(column), "more is kept at a larger t"
    assert found["points"][-1]["images"] == pytest.approx(len(IMAGES))


def test_weights_of_entries_are_those_of_a_loop(tmp_path: Path) -> None:
    targets = EntryTargets({"en": (np.arange(5, dtype=np.int32), np.array([0.1, 3.0, 0.5, 2.0, 9.0]))})
    run = tables(tmp_path, targets=targets)
    found = values(run, tmp_path)
    t = {lang: row["t"] for lang, row in run.thresholds().items()}
    images = expected_images(t, with_targets(run.counts, targets))
    assert found["points"][found["place"]]["images"] == pytest.approx(images, abs=1e-3)
    assert abs(images - expected_images(t, run.counts)) > 1


def test_disk_and_time_are_those_of_the_run_where_it_has_them(tmp_path: Path) -> None:
    stages = {
        "download_images": stage("download_images", 210, 180, seconds=7.0),
        "write_shards": stage("write_shards", 210, 105, size=105 * 900),
    }
    found = values(tables(tmp_path), tmp_path, stages)
    assert (found["measured"], found["images_per_second"], found["bytes_per_image"]) == (True, 30.0, 900.0)
    own = found["points"][found["place"]]
    assert own["samples"] == pytest.approx(own["images"] / 2)
    assert own["bytes"] == pytest.approx(own["images"] / 2 * 900)
    assert own["seconds"] == pytest.approx(own["images"] / 30)


def test_some_buckets_of_a_large_run_stand_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tables(tmp_path)
    whole = values(run, tmp_path)
    monkeypatch.setattr(whatif, "MAX_IMAGES", 250)
    part = values(run, tmp_path)
    assert part["sampled"]
    assert [point["tail_share"] for point in part["points"]] == [point["tail_share"] for point in whole["points"]]
    assert part["points"][-1]["images"] == pytest.approx(len(IMAGES)), "two of four equal buckets, times two"
    ratio = np.array([p["images"] / w["images"] for p, w in zip(part["points"], whole["points"], strict=True)])
    assert np.all(np.abs(ratio - 1) < 0.15)
    assert not np.all(ratio == 1)


def test_a_tail_share_without_its_reference_takes_the_largest_language(tmp_path: Path) -> None:
    found = values(tables(tmp_path, reference="th", share=0.1), tmp_path)
    assert found["reference"] == "en"
    run = tables(tmp_path, reference="th", share=0.1)
    t = {lang: row["t"] for lang, row in run.thresholds().items()}
    assert found["points"][found["place"]]["images"] == pytest.approx(expected_images(t, run.counts), abs=1e-3)


def test_without_matches_or_thresholds_there_is_no_forecast(tmp_path: Path) -> None:
    run = tables(tmp_path)
    run.thresholds = dict
    assert WhatIf.make(run) is None
    run.counts = CountFiles(f"{tmp_path}/none")
    assert WhatIf.make(run) is None


def test_the_chart_marks_the_run_and_the_table_has_all_thresholds() -> None:
    report = example_report()
    forecast = report["forecast"]
    assert [at_of_t(forecast, t) for t in (20.0, 100.0, 500.0)] == pytest.approx([0, 0.5, 1])
    plot = images_by_t(forecast)
    place = at_of_t(forecast, 60.0) * 1000
    assert ("marker", f"M{place:.2f} 0V400") in plot.paths
    assert [label.strong for label in plot.labels if "note" in label.kind] == ["t = 60"]
    html = render(report)
    assert html.count('<tr data-at="') == 4
    assert html.count('class="own"') == 1
    forecast["points"] = forecast["points"][2:3]
    forecast["place"] = 0
    assert 'id="whatif-t"' in render(report), "a single threshold is no fault"
    del report["forecast"]
    assert 'id="forecast"' not in render(report), "a report of before has none"


def test_a_balance_with_concepts_has_no_forecast(tmp_path: Path) -> None:
    run = tables(tmp_path)
    assert WhatIf.make(run)
    run.parts["balance_pairs"][0].manifest["settings"]["concepts"] = {"colours": []}
    assert WhatIf.make(run) is None
