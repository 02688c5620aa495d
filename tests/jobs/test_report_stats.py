"""The report of a run agrees with its tables."""

import json
import math
import re
import shutil
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, CardConfig, CompareConfig, RemoveSamplesConfig, ReportStatsConfig
from curation.core.errors import HeadtailError
from curation.report.examples import MAX_CHARS, SILENT
from curation.report.numbers import printable
from curation.report.personal import masked, masked_beginning
from jobs import balance_pairs, card, compare, remove_samples, report_stats
from tests.jobs.conftest import Sample, rows
from tests.unit.report.test_report_keys import undescribed


@pytest.fixture(scope="module")
def report(finished: Path) -> dict[str, Any]:
    return json.loads((finished / "report" / "report.json").read_text())


def texts_of(run: Path, table: str) -> list[dict[str, Any]]:
    return [text for row in rows(run, table).to_pylist() for text in row["texts"]]


def texts_of_images(run: Path, table: str) -> list[str]:
    """The first text of each image."""
    return [row["texts"][0]["text"] for row in rows(run, table).to_pylist()]


def run_report(run: Path, sample: Sample, *more: str) -> None:
    lists = f"entry_lists={sample.folder / 'entries'}"
    report_stats.run(compose_config("report_stats", ReportStatsConfig, [f"output={run}", lists, *more]))


def write_card(run: Path) -> list[str]:
    given = [f"output={run}", "name=Sample", "license=cc0-1.0"]
    card.run(compose_config("card", CardConfig, given))
    return [(run / "shards" / name).read_text() for name in ("README.md", "croissant.json")]


def test_texts_and_matches_are_those_of_a_loop(finished: Path, report: dict[str, Any]) -> None:
    before = texts_of(finished, "matches")
    after = [text for text in texts_of(finished, "curated") if text["kept"]]
    for language in report["languages"]:
        own = [text for text in before if text["lang"] == language["lang"]]
        kept = [text for text in after if text["lang"] == language["lang"]]
        assert (language["texts"], language["texts_kept"]) == (len(own), len(kept))
        assert language["matches"] == sum(len(text["entry_ids"]) for text in own)
        assert language["matches_kept"] == sum(len(text["entry_ids"]) for text in kept)
    assert sum(row["before"] for row in report["entries_per_text"]) == len(before)
    assert sum(row["after"] for row in report["entries_per_text"]) == len(after)
    assert sum(row["before"] for row in report["texts_per_image"]) == rows(finished, "matches").num_rows
    assert sum(row["after"] for row in report["texts_per_image"]) == rows(finished, "curated").num_rows


def test_the_most_frequent_entries_are_those_of_a_loop(finished: Path, report: dict[str, Any]) -> None:
    before, after = texts_of(finished, "matches"), texts_of(finished, "curated")
    for language in report["entries"]:
        lang = language["lang"]
        counts = Counter(i for text in before if text["lang"] == lang for i in text["entry_ids"])
        kept = Counter(i for text in after if text["lang"] == lang and text["kept"] for i in text["entry_ids"])
        expected = sorted(counts, key=lambda i: (-counts[i], i))[:20]
        assert [entry["entry_id"] for entry in language["top_before"]] == expected
        for entry in language["top_before"] + language["top_after"]:
            assert (entry["before"], entry["after"]) == (counts[entry["entry_id"]], kept[entry["entry_id"]])
        assert language["curve"]["before"][-1] == sum(counts.values())
        assert language["curve"]["after"][-1] == sum(kept.values())
        assert language["curve"]["threshold"] == sum(count < language["t"] for count in counts.values())


def test_downloads_and_samples_agree_with_their_tables(finished: Path, report: dict[str, Any]) -> None:
    statuses = Counter(rows(finished, "downloads")["status"].to_pylist())
    assert {row["status"]: row["count"] for row in report["downloads"]["statuses"]} == statuses
    files = sorted((finished / "shards").glob("*.parquet"))
    written = {row["uid"]: row for file in files for row in pq.read_table(file).to_pylist()}
    assert report["overview"][-1]["count"] == len(written)
    assert len(report["samples"]) == 24
    assert report["shards"]["count"] == len(files)
    assert f"--train-num-samples {len(written)} " in report["shards"]["command"]
    for sample in report["samples"]:
        assert sample["text"] == written[sample["uid"]]["text"]
        assert sample["thumbnail"].startswith("data:image/jpeg;base64,")
        assert all(len(text["entries"]) == len(text["entry_ids"]) > 0 for text in sample["texts"])
        assert all(entry for text in sample["texts"] for entry in text["entries"])
        assert any(text["kept"] and text["text"] == sample["text"] for text in sample["texts"])
    for size in ("width", "height", "aspect", "bytes"):
        assert sum(report["images"][size]["counts"]) + report["images"][size]["beyond"] == len(written)


def test_classes_have_the_counts_of_a_loop(finished: Path, report: dict[str, Any]) -> None:
    words = {row["entry"]: row for row in rows(finished, "entries").to_pylist() if row["lang"] == "en"}
    texts = Counter(i for text in texts_of(finished, "matches") if text["lang"] == "en" for i in text["entry_ids"])
    t = next(row["t"] for row in report["languages"] if row["lang"] == "en")
    assert len(report["benchmarks"]) == 17
    met = 0
    for task in report["benchmarks"]:
        named = [each for each in task["names"] if each["match"] == "entry"]
        for each in named:
            row = words[each["class"]]
            assert each["raw"] == texts[row["entry_id"]] == row["count"]
            assert each["balanced"] == pytest.approx(min(row["count"], t), abs=1e-3)
            assert (each["expected"], each["in_shards"]) == (pytest.approx(row["expected"], abs=1e-3), row["in_shards"])
            met += each["in_shards"]
        assert len(named) == task["entry_classes"] == sum(each["class"] in words for each in task["names"])
    assert met > 0


def test_the_search_has_every_entry_with_the_counts_of_a_loop(finished: Path) -> None:
    page = (finished / "report/index.html").read_text()
    found = re.search(r'<script type="application/json" id="find-data">(.*?)</script>', page)
    assert found
    within = {one["lang"]: one for one in json.loads(found[1])["languages"]}
    files = [path.read_text() for path in (finished / "report/entries").iterdir()]
    beside = [json.loads(text.removeprefix("headtailEntries(").removesuffix(");\n")) for text in files]
    lists = [*within.values(), *beside]
    searched = {
        (one["lang"], word): tuple((one[name][k : k + 1] or [0])[0] for name in ("count", "kept", "in_shards"))
        for one in lists
        for k, word in enumerate(one["words"].split("\n") if one["words"] else [])
    }
    after = [text for text in texts_of(finished, "curated") if text["kept"]]
    kept = Counter((text["lang"], i) for text in after for i in text["entry_ids"])
    entries = rows(finished, "entries").to_pylist()
    assert len(entries) == sum(len(one["words"].split("\n")) for one in lists if one["words"])
    assert searched == {
        (row["lang"], row["entry"]): (row["count"], kept[row["lang"], row["entry_id"]], row["in_shards"])
        for row in entries
    }
    ids = {(row["lang"], row["entry"]): row["entry_id"] for row in entries}
    holding: dict[tuple[str, str], set[int]] = {}
    for text in after:
        shown_text = printable(masked_beginning(text["text"], MAX_CHARS))
        holding.setdefault((text["lang"], shown_text), set()).update(text["entry_ids"])
    shown = 0
    for lang, one in within.items():
        words = one["words"].split("\n")
        for text, places in zip(one["texts"], one["held"], strict=True):
            assert {ids[lang, words[place]] for place in places} <= holding[lang, text]
            shown += len(places)
    assert shown > 0


def test_the_forecast_has_the_images_that_the_balance_expected(finished: Path, report: dict[str, Any]) -> None:
    forecast, thresholds = report["forecast"], rows(finished, "thresholds").to_pylist()
    own = forecast["points"][forecast["place"]]
    assert own["t"] == next(row["t"] for row in thresholds if row["lang"] == forecast["reference"])
    assert own["images"] == pytest.approx(sum(row["expected_images"] for row in thresholds), abs=1e-3)
    assert forecast["kept_images"] == rows(finished, "curated").num_rows
    assert own["images"] == pytest.approx(forecast["kept_images"], rel=0.1)
    assert forecast["measured"]
    written = next(row["written_bytes"] for row in report["cost"]["stages"] if row["stage"] == "write_shards")
    assert own["bytes"] == pytest.approx(written, rel=0.1)
    assert own["samples"] == pytest.approx(report["overview"][-1]["count"], rel=0.1)


def test_every_key_of_a_report_is_described(report: dict[str, Any]) -> None:
    assert undescribed(report) == []


def test_each_step_begins_where_the_one_before_ends(report: dict[str, Any]) -> None:
    stages = {stage["stage"]: stage for stage in report["stages"]}
    for stage in stages.values():
        assert stage["rows_in"] == stage["rows_out"] + sum(drop["count"] for drop in stage["drops"])
        assert all(drop["meaning"] != drop["reason"].replace("_", " ") for drop in stage["drops"]), (
            "a reason without a meaning"
        )
    assert stages["extract_pairs"]["rows_out"] == stages["match_pairs"]["rows_in"]
    assert stages["balance_pairs"]["rows_out"] == stages["download_images"]["rows_in"]
    assert stages["balance_pairs"]["rows_out"] == stages["write_shards"]["rows_in"]


def test_the_numbers_of_the_summary_head_and_tail_hosts_and_texts_are_those_of_a_loop(
    finished: Path, report: dict[str, Any]
) -> None:
    before, after = texts_of(finished, "matches"), [one for one in texts_of(finished, "curated") if one["kept"]]
    kept = rows(finished, "curated").num_rows
    states = {badge["name"]: badge["state"] for badge in report["summary"]["badges"]}
    assert states == {
        "Language": "yes", "Opt-outs": "yes", "Near duplicates": "no", "NSFW": "not checked",
        "Decontamination": "not checked",
    }  # fmt: skip
    assert "127.0.0.1 has 100% of the kept images." in report["summary"]["alerts"]
    english = report["entries"][0]
    counts = Counter(i for text in before if text["lang"] == "en" for i in text["entry_ids"])
    assert english["tail"] == sum(count < english["t"] for count in counts.values())
    assert english["zero"] == english["entries"] - len(counts)
    assert english["ranks"]["before"][0] == max(counts.values())
    entropy = -sum(n / counts.total() * math.log(n / counts.total()) for n in counts.values())
    assert english["unequal"]["before"]["effective"] == pytest.approx(math.exp(entropy), abs=1e-5)
    expected = [row["expected"] for row in rows(finished, "entries").to_pylist() if row["lang"] == "en"]
    assert english["realised"]["expected"] == pytest.approx(sum(expected))
    for entry in english["tail_entries"]:
        holding = [text["text"] for text in after if text["lang"] == "en" and entry["entry_id"] in text["entry_ids"]]
        assert entry["text"] in holding
    texts = report["texts"]
    times = Counter(text["text"] for text in before)
    assert texts["texts"] == {"before": len(before), "after": len(after)}
    assert texts["marks"]["characters"]["before"] == sum(len(text["text"]) for text in before)
    assert texts["repeats"]["before"]["distinct"] == len(times)
    assert texts["repeats"]["before"]["repeated"] == sum(n for n in times.values() if n > 1)
    assert texts["repeats"]["after"]["distinct"] == len({text["text"] for text in after})
    assert {row["key"]: row["before"] for row in texts["keys"]} == Counter(text["text_key"] for text in before)
    status = rows(finished, "downloads")
    arrived = [row["sha256"] for row in status.to_pylist() if row["status"] == "success"]
    hosts = report["domains"]
    assert hosts["rows"] == [
        {
            "domain": "127.0.0.1", "images": hosts["images"] - 1, "images_kept": kept, "attempted": status.num_rows,
            "arrived": len(arrived), "keep_share": kept / (hosts["images"] - 1),
        }
    ]  # fmt: skip
    assert report["images"]["repeats"]["distinct"] == len(set(arrived))
    cost = {row["stage"]: row for row in report["cost"]["stages"]}
    assert cost["extract_pairs"]["read_bytes"] == report["run"]["inputs"]["bytes"]
    assert cost["write_shards"]["written_bytes"] > report["shards"]["bytes"]


def test_the_numbers_of_rights_problems_crawls_load_and_run_are_those_of_a_loop(
    finished: Path, report: dict[str, Any]
) -> None:
    before, after = texts_of(finished, "matches"), [one for one in texts_of(finished, "curated") if one["kept"]]
    for mark, pattern in (("email", r"[\w.%+-]+@\w[\w.-]*\.[^\W\d_]{2}"), ("phone", r"\d([ \u00a0().\-/]{0,3}\d){6}")):
        counted = {name: sum(bool(re.search(pattern, one["text"])) for one in texts)
                   for name, texts in (("before", before), ("after", after))}  # fmt: skip
        assert report["texts"]["marks"][mark] == counted
    manifests = [json.loads(path.read_text()) for path in (finished / "pairs").glob("part-*/_manifest.json")]
    drops = {drop["reason"]: drop["count"] for drop in report["stages"][0]["drops"]}
    assert drops == {
        reason: n for reason, n in sum((Counter(one["drops"]) for one in manifests), Counter()).items() if n
    }
    assert drops["private_host"] > 0
    assert report["failures"]["total"] == sum(len(one["failures"]) for one in manifests)
    pairs = rows(finished, "pairs").to_pylist()
    assert all(row["source_file"].startswith("CC-MAIN-2026-04-sample-") for row in pairs)
    assert report["crawls"]["months"] == [{"month": "2026-01", "pairs": len(pairs)}]
    status = rows(finished, "downloads").to_pylist()
    arrived = sum(row["status"] == "success" for row in status)
    assert report["crawls"]["years"] == [{"year": "2026", "attempted": len(status), "arrived": arrived}]
    tars = [path.stat().st_size for path in (finished / "shards").glob("*.tar")]
    assert (report["shards"]["count"], report["shards"]["bytes"]) == (len(tars), sum(tars))
    usable = Counter(rows(finished, "entries")["lang"].to_pylist())
    assert {row["lang"]: row["entries"] for row in report["languages"] if row["lang"] in usable} == usable
    assert report["run"]["inputs"]["files"] == len({entry["path"] for one in manifests for entry in one["inputs"]})


def test_examples_are_of_their_reasons(finished: Path, report: dict[str, Any]) -> None:
    stages = {stage["stage"]: {drop["reason"]: drop for drop in stage["drops"]} for stage in report["stages"]}
    matched = {text["text"] for text in texts_of(finished, "matches")}
    pairs = set(zip(*(rows(finished, "pairs")[name].to_pylist() for name in ("text", "lang")), strict=True))
    for reason in ("unmatched", "no_metadata"):
        shown = stages["match_pairs"][reason]["examples"]
        assert len(shown) == 10
        assert {(one["text"], one["lang"]) for one in shown} <= {(masked(text), lang) for text, lang in pairs}
    assert not {one["text"] for one in stages["match_pairs"]["unmatched"]["examples"]} & matched
    kept = set(rows(finished, "curated")["uid"].to_pylist())
    lost = {masked(row["texts"][0]["text"]) for row in rows(finished, "matches").to_pylist() if row["uid"] not in kept}
    assert {one["text"] for one in stages["balance_pairs"]["not_drawn"]["examples"]} <= lost
    status = rows(finished, "downloads").to_pylist()
    urls = {row["url"] for row in status if row["status"] == "http_error"}
    assert {one["url"] for one in stages["download_images"]["http_error"]["examples"]} <= urls
    assert "examples" not in stages["download_images"]["opted_out"]
    failed = {(row["url"], row["status"]) for row in status if row["status"] not in ("success", "opted_out")}
    shown = {(one["url"], one["note"]) for one in stages["write_shards"]["not_downloaded"]["examples"]}
    assert len(shown) == 10
    assert shown <= failed
    for stage in ("extract_pairs", "write_shards"):
        without = {reason for reason, drop in stages[stage].items() if not drop.get("examples")}
        assert without <= SILENT | {"reader_error"}
        assert len(stages[stage]) > len(without)
    paired = {row["text"] for row in rows(finished, "pairs").to_pylist()}
    repeats = {one["text"] for one in stages["extract_pairs"]["same_text"]["examples"]}
    assert repeats <= {masked(text) for text in paired}
    blank = stages["extract_pairs"]["blank_text"]["examples"]
    assert all(one["url"] and not one.get("text", "").strip() for one in blank)
    twins = [one["text"] for one in stages["write_shards"]["duplicate_image"]["examples"]]
    assert set(twins) <= {masked(text) for text in texts_of_images(finished, "matches")}


def test_the_report_names_no_folder_of_the_machine(finished: Path, sample: Sample) -> None:
    for name in ("index.html", "report.json"):
        text = (finished / "report" / name).read_text()
        assert str(finished) not in text
        assert str(sample.folder) not in text


def test_without_downloads_there_is_a_report_and_a_second_run_leaves_it(
    finished: Path, sample: Sample, tmp_path: Path, report: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for table in ("pairs", "matches", "entry_counts", "thresholds", "curated"):
        shutil.copytree(finished / table, tmp_path / table)
    run_report(tmp_path, sample)
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert found["entries"] == report["entries"]
    assert len(found["kept_texts"]) == 24
    assert found["kept_texts"][0]["text"] in (tmp_path / "report" / "index.html").read_text()
    assert found["samples"] == []
    assert found["overview"] == report["overview"][:5]
    capsys.readouterr()
    run_report(tmp_path, sample)
    assert "is done" in capsys.readouterr().err


def test_a_folder_of_two_balances_shows_the_newer_one_and_says_so(
    finished: Path, sample: Sample, tmp_path: Path, report: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    balance_pairs.run(compose_config("balance_pairs", BalancePairsConfig, [f"output={run}", "balance.t=50"]))
    run_report(run, sample)
    found = json.loads((run / "report" / "report.json").read_text())
    (note,) = found["notes"]
    assert note.startswith(
        "Downloads and shards are of another balance "
        "(balance.t was not given, is 50.0, balance.tail_share was 0.06, is not given)"
    )
    assert f"report_stats     {note}" in capsys.readouterr().err
    assert (found["samples"], found["downloads"]["attempted"], found["shards"]) == ([], 0, None)
    assert [stage["stage"] for stage in found["stages"]] == ["extract_pairs", "match_pairs", "balance_pairs"]
    assert report["notes"] == []
    page = tmp_path / "compare.html"
    compare.run(compose_config("compare", CompareConfig, [f"a={finished}", f"b={run}", f"page={page}"]))
    first, second = (set(rows(each, "curated")["uid"].to_pylist()) for each in (finished, run))
    printed = " ".join(capsys.readouterr().out.split())
    assert f"kept images both only A only it of the union same caption B {len(first & second):,} " in printed
    assert f"Images kept.count {len(first):,} {len(second):,} {len(second) - len(first):+,}" in printed
    assert page.read_text().startswith("<!doctype html>")


def test_other_metadata_is_refused(finished: Path, sample: Sample, tmp_path: Path) -> None:
    lists = tmp_path / "entries"
    shutil.copytree(sample.folder / "entries", lists, ignore=shutil.ignore_patterns(".compiled"))
    lists.joinpath("la.txt").write_text("arbor\n")
    with pytest.raises(HeadtailError, match=r"was made with metadata .* give the entry_lists that match_pairs had"):
        run_report(finished, sample, f"entry_lists={lists}", f"report={tmp_path / 'report'}")


def test_samples_that_are_removed_from_the_shards_leave_report_and_card(
    finished: Path, sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    tells = [write_card(run) for _ in range(2)]
    assert tells[0] == tells[1]
    tars = {each["@id"]: each["sha256"] for each in json.loads(tells[0][1])["distribution"] if "sha256" in each}
    hashes = {file.name: sha256(file.read_bytes()).hexdigest() for file in run.glob("shards/*.tar")}
    assert tars == hashes | {f"{name}-json": value for name, value in hashes.items()}, "each is named for two FileSets"
    assert str(tmp_path) not in "".join(tells[0])
    shown = json.loads((run / "report/report.json").read_text())["samples"][0]["uid"]
    listed = tmp_path / "optouts.txt"
    listed.write_text(f"{shown}\n")
    settings = [f"shards={run}/shards", f"uids=[{listed}]", "spark.driver_memory=1g"]
    remove_samples.run(compose_config("remove_samples", RemoveSamplesConfig, settings))
    assert "run report_stats and card again" in capsys.readouterr().err
    assert not (run / "shards/croissant.json").exists()
    assert "license" not in (run / "shards/README.md").read_text()
    with pytest.raises(HeadtailError, match="is of other shards"):
        write_card(run)
    run_report(run, sample)
    found = json.loads((run / "report/report.json").read_text())
    assert shown not in [one["uid"] for one in found["samples"]]
    assert f"{write_card(run)[0].split(' images of the web')[0].split()[-1]}" == f"{found['overview'][-1]['count']:,}"
    assert found["overview"][-1]["count"] == sum(json.loads((run / "shards/sizes.json").read_text()).values())
