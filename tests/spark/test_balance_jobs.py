import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, ClusterImagesConfig, CountEntriesConfig
from curation.balancing.targets import targets_of
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.shards.second_balance import FirstBalance
from jobs import balance_pairs, cluster_images, count_entries
from jobs.answers import plan_sweep
from jobs.sweep import run_sweep
from tests.matches_data import Image, make_images, write_matches


def _write_table(rows: list[Image], path: Path, buckets: int, number: int = 0) -> None:
    """Write rows as a part of a table of matches."""
    table = Table(str(path))
    folder = table.begin(number)
    outputs = []
    for bucket in range(buckets):
        mine = [row for row in rows if int(row["uid"][:4], 16) * buckets // 65536 == bucket]
        file = write_matches(mine, Path(folder) / f"bucket-{bucket:05d}.parquet")
        outputs.append({"path": file, "rows": len(mine), "bytes": 1})
    receipt = Receipt("m", rows_in=len(rows), rows_out=len(rows), outputs=outputs)
    recipe = Recipe("match_pairs", 1, {"max_texts": 64}, [{"path": str(path), "id": f"{len(rows)}-{number}"}])
    table.commit(number, recipe, [receipt], 0.0)


def _count(output: Path, *overrides: str) -> None:
    count_entries.run(compose_config("count_entries", CountEntriesConfig, [f"output={output}", *overrides]))


def _balance(output: Path, *overrides: str) -> None:
    balance_pairs.run(compose_config("balance_pairs", BalancePairsConfig, [f"output={output}", "seed=0", *overrides]))


def _read(output: Path, name: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(file) for file in Table(str(output / name)).files()]
    rows = pa.concat_tables(tables).to_pylist()
    return sorted(rows, key=lambda row: row["uid"]) if name == "curated" else rows


ROWS = make_images(1200, seed=21)


@pytest.fixture(scope="module")
def run_of_7(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 jobs use the session
    output = tmp_path_factory.mktemp("seven")
    _write_table(ROWS, output / "matches", 7)
    _count(output)
    _balance(output, "balance.t=6.5")
    return output


def test_a_sweep_balances_in_folders_of_its_own(run_of_7: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"output={run_of_7}", "seed=0", "balance.t=6.5,40"]
    sweep = plan_sweep("balance_pairs", BalancePairsConfig, given, "")
    run_sweep(sweep)
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines() if line.startswith("sweep ")]
    rows = [re.split(r"  +", line) for line in lines[-2:]]
    for (name, config), row in zip(sweep.variants.items(), rows, strict=True):
        kept = _read(run_of_7 / "sweep" / name, "curated")
        largest = max(_read(run_of_7 / "sweep" / name, "thresholds"), key=lambda each: each["matches"])
        assert row[:2] == [name, largest["lang"]]
        assert float(row[2]) == pytest.approx(largest["t"], rel=1e-5)
        assert int(row[-1].replace(",", "")) == len(kept)
        assert config.matches == f"{run_of_7}/matches"
    assert _read(run_of_7 / "sweep" / "6.5", "curated") == _read(run_of_7, "curated")
    run_sweep(sweep)
    assert capsys.readouterr().err.count("is done: ") == 2


def test_a_sweep_of_forecasts_writes_those_alone(run_of_7: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"output={run_of_7}", "seed=0", "balance.t=3,50", "forecast=true"]
    run_sweep(plan_sweep("balance_pairs", BalancePairsConfig, given, ""))
    told = capsys.readouterr()
    assert told.out.count("the goal of this run") == 2
    assert "images kept" not in told.err
    assert [each.name for each in (run_of_7 / "sweep" / "50").iterdir()] == ["forecasts"]


def test_1_and_7_buckets_give_the_same_rows(run_of_7: Path, tmp_path: Path) -> None:
    _write_table(ROWS, tmp_path / "matches", 1)
    _count(tmp_path)
    _balance(tmp_path, "balance.t=6.5")
    for name in ("entry_counts", "thresholds", "curated"):
        rows = _read(tmp_path, name)
        assert rows
        assert _read(run_of_7, name) == rows


def test_what_is_kept_adds_up_and_lies_near_what_was_expected(run_of_7: Path) -> None:
    (part,) = Table(str(run_of_7 / "curated")).parts()
    kept, thresholds = _read(run_of_7, "curated"), _read(run_of_7, "thresholds")
    assert part.receipt.rows_in == 1200 == len(kept) + part.receipt.drops["not_drawn"]
    assert [row["lang"] for row in thresholds] == ["de", "en", "fr"]
    assert thresholds[1]["t"] == 6.5
    expected = sum(row["expected_images"] for row in thresholds)
    assert abs(len(kept) - expected) < 4 * np.sqrt(expected)
    counts = _read(run_of_7, "entry_counts")
    assert sum(row["count"] for row in counts if row["lang"] == "de") == thresholds[0]["matches"]
    assert not [key for key in part.receipt.facts if ":" in key]


def test_what_is_done_is_not_done_again(run_of_7: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _count(run_of_7)
    _balance(run_of_7, "balance.t=6.5")
    lines = capsys.readouterr().err.splitlines()
    assert "is done" in lines[0]
    assert "is done" in lines[1]
    assert len(lines) == 2


def test_without_a_seed_a_new_run_draws_one_and_a_begun_one_keeps_0(run_of_7: Path, tmp_path: Path) -> None:
    """`run_of_7` lies beside matches without a salt, as an earlier version wrote them."""
    _balance(run_of_7, "balance.t=6.5", "seed=null")
    tables = [f"{name}={run_of_7}/{name}" for name in ("matches", "entry_counts")]
    rows = []
    for name in ("a", "b"):
        for _ in range(2):  # the second run finds the seed, and nothing to do
            _balance(tmp_path / name, "balance.t=6.5", "seed=null", *tables)
            rows.append(_read(tmp_path / name, "curated"))
    begun = _read(run_of_7, "curated")
    assert rows[0] == rows[1] != rows[2] == rows[3]
    assert all(abs(len(drawn) - len(begun)) < 0.1 * len(begun) and drawn != begun for drawn in rows)
    settings = [Table(str(folder / "curated")).parts()[0].manifest["settings"]
                for folder in (run_of_7, tmp_path / "a", tmp_path / "b")]  # fmt: skip
    kept = [json.loads((tmp_path / name / "_seed.json").read_text())["seed"] for name in ("a", "b")]
    assert [each["seed"] for each in settings] == [0, *kept]
    assert settings[1] == {**settings[0], "seed": kept[0]}
    assert not (run_of_7 / "_seed.json").exists()


def test_a_limit_per_domain_does_not_depend_on_the_buckets(run_of_7: Path, tmp_path: Path) -> None:
    rows = [dict(row, url=row["url"].replace("example", f"site{k % 4}")) for k, row in enumerate(ROWS)]
    drops = []
    for buckets in (1, 7):
        _write_table(rows, tmp_path / f"{buckets}/matches", buckets)
        _count(tmp_path / f"{buckets}")
        _balance(tmp_path / f"{buckets}", "balance.t=6.5", "balance.max_per_domain=50")
        (part,) = Table(str(tmp_path / f"{buckets}/curated")).parts()
        drops.append(part.receipt.drops)
        assert sorted(path.name for path in Path(part.path).iterdir() if path.name.startswith("_")) == [
            "_manifest.json"
        ]
        assert (
            part.receipt.facts["texts_kept"] < Table(str(run_of_7 / "curated")).parts()[0].receipt.facts["texts_kept"]
        )
    one, seven = (_read(tmp_path / name, "curated") for name in ("1", "7"))
    free = {row["uid"] for row in _read(run_of_7, "curated")}
    assert one == seven
    assert len(one) == 200
    assert {row["uid"] for row in one} < free
    assert drops[0] == drops[1]
    assert drops[0]["domain_cap"] == len(free) - 200


def test_probabilities_that_are_missing_are_handed_over_again(run_of_7: Path, tmp_path: Path) -> None:
    _balance(run_of_7, "balance.t=6.5", f"entry_probabilities={tmp_path}")
    for lang in ("de", "en", "fr"):
        assert (tmp_path / f"{lang}.npy").read_bytes() == (run_of_7 / f"entry_probabilities/{lang}.npy").read_bytes()


def test_a_solved_target_is_drawn_as_it_was_solved(tmp_path: Path) -> None:
    """Below a jump t is a count, of which no multiplication and division by headroom may make another."""
    counts = {"en": [3, 7, 7, 7, 90], "de": [1, 1, 2, 10, 200]}
    rows = [
        {
            "uid": f"{draws:024x}", "url": f"https://a.org/{draws}",
            "texts": [{"text": f"{draws}", "text_key": "alt", "lang": lang, "lang_score": 1.0, "entry_ids": [entry]}],
        }
        for draws, (lang, entry) in enumerate(
            (lang, entry) for lang, found in counts.items() for entry, count in enumerate(found) for _ in range(count)
        )
    ]  # fmt: skip
    _write_table(rows, tmp_path / "matches", 1)
    _count(tmp_path)
    _balance(tmp_path, "balance.target_images=27", "balance.headroom=0.6")
    thresholds = _read(tmp_path, "thresholds")
    assert thresholds[1]["t"] == 7.0
    assert sum(row["expected_images"] for row in thresholds) * 0.6 < 27
    (part,) = Table(str(tmp_path / "curated")).parts()
    assert part.manifest["solved_t"] == 7.0


def test_a_threshold_of_a_language_without_matches_is_told(run_of_7: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _balance(run_of_7, "balance.t=6.5", "balance.t_by_language.xx=5", "forecast=true", "forecast_grid=[6.5,2,2]")
    told = capsys.readouterr()
    assert "no text matches an entry in xx: their balance.t_by_language is not used" in told.err
    assert [line.split()[0] for line in told.out.splitlines()[1:3]] == ["2", "6.5"]


def test_another_threshold_draws_again_and_nests(run_of_7: Path, tmp_path: Path) -> None:
    before = {row["uid"] for row in _read(run_of_7, "curated")}
    common = [f"{name}={run_of_7 / name}" for name in ("matches", "entry_counts")]
    _balance(tmp_path, *common, "balance.t=40")
    larger = {row["uid"] for row in _read(tmp_path, "curated")}
    assert before < larger
    _balance(tmp_path, *common, "balance.tail_share=0.3", "balance.unit=image")
    rows = _read(tmp_path, "thresholds")
    assert all(row["tail_share"] <= 0.31 for row in rows)
    assert all(sum(text["kept"] for text in row["texts"]) == 1 for row in _read(tmp_path, "curated"))


def test_probabilities_are_handed_over(run_of_7: Path) -> None:
    counts = {row["entry_id"]: row["count"] for row in _read(run_of_7, "entry_counts") if row["lang"] == "en"}
    found = np.load(run_of_7 / "entry_probabilities/en.npy", mmap_mode="r")
    assert len(found) == max(counts) + 1
    assert found.tolist() == [np.float32(6.5 / max(counts.get(i, 0), 6.5)) for i in range(len(found))]


def test_targets_of_entries_decide_what_is_kept_in_however_many_buckets(
    run_of_7: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text("lang,entry_id,weight,t\nen,0,4,\nen,3,,2\nde,1,0.25,\n")
    _write_table(ROWS, tmp_path / "1/matches", 1)
    _count(tmp_path / "1")
    common = [f"{name}={run_of_7 / name}" for name in ("matches", "entry_counts")]
    asked = ["balance.t=6.5", "balance.headroom=0.5", f"balance.targets={targets}"]
    _balance(tmp_path / "1", *asked)
    _balance(tmp_path / "7", *common, *asked)
    for name in ("thresholds", "curated"):
        assert _read(tmp_path / "1", name) == _read(tmp_path / "7", name)
    counts = {(row["lang"], row["entry_id"]): row["count"] for row in _read(run_of_7, "entry_counts")}
    de = next(row["t"] for row in _read(tmp_path / "7", "thresholds") if row["lang"] == "de")
    for lang, entry, t in (("en", 0, 52.0), ("en", 3, 4.0), ("en", 1, 13.0), ("de", 1, de / 4)):
        found = np.load(tmp_path / f"7/entry_probabilities/{lang}.npy")
        assert found[entry] == np.float32(t / max(counts[lang, entry], t))
    for name, t in (("thresholds", 4.0), ("curated", 2.0)):  # in the first pass, and in survivors
        (part,) = Table(str(tmp_path / "7" / name)).parts()
        kept = targets_of(part)
        assert kept is not None
        assert kept.of_entry("en", 3, 1.0) == t
    # Neither path nor order of the file decides; its rows do.
    again = tmp_path / "again.csv"
    again.write_text("lang,entry_id,t,weight\nde,1,,0.25\nen,3,2,\nen,0,,4\n")
    capsys.readouterr()
    _balance(tmp_path / "7", *common, *asked[:2], f"balance.targets={again}", "balance.max_repeats=3")
    assert "is done" in capsys.readouterr().err
    repeats = np.load(tmp_path / "7/entry_probabilities/repeats/en.npy")
    assert repeats[0] == max(np.float32(min(3, 52 / counts["en", 0])), 1)
    assert repeats.max() == 3
    expected = sum(row["expected_images"] for row in _read(tmp_path / "7", "thresholds"))
    _balance(tmp_path / "7", *common, *asked, "forecast=true", "forecast_grid=[6.5]")
    goal = next(row for row in _read(tmp_path / "7", "forecasts") if row["lang"] == "all" and row["reference_t"] == 6.5)
    assert goal["expected_images"] == pytest.approx(expected, abs=1e-6)
    again.write_text("lang,entry_id,t\nen,3,2.5\n")
    _balance(tmp_path / "7", *common, *asked[:2], f"balance.targets={again}")
    assert _read(tmp_path / "7", "curated") != _read(tmp_path / "1", "curated")
    words = tmp_path / "words.csv"
    words.write_text("lang,entry,t\nen,dog,2.5\n")
    with pytest.raises(HeadtailError, match="names entries by their words, and no table tells the words"):
        _balance(tmp_path / "7", *common, f"balance.targets={words}")


def test_languages_keep_equal_numbers_of_images(
    run_of_7: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [f"{name}={run_of_7 / name}" for name in ("matches", "entry_counts")]
    _balance(tmp_path, *common, "balance=equal_languages", "balance.reference=de", "balance.shares.fr=0.5")
    assert "gives languages their shares of the images, in " in capsys.readouterr().err
    images = {row["lang"]: row["expected_images"] for row in _read(tmp_path, "thresholds")}
    assert images["en"] == pytest.approx(images["de"], rel=0.01)
    assert images["fr"] == pytest.approx(images["de"] / 2, rel=0.01)
    (part,) = Table(str(tmp_path / "curated")).parts()
    assert set(part.manifest["yields"]) == {"de", "en", "fr"}
    assert FirstBalance.of_settings(part.manifest["settings"] | {"solved_t": None}).goal.rule.shares == {"fr": 0.5}


def test_several_tables_and_parts_are_read_as_one(run_of_7: Path, tmp_path: Path) -> None:
    """Two crawls that overlap, one of them in two parts, give what one table of all images gives."""
    _write_table(ROWS[:500], tmp_path / "first", 7)
    _write_table(ROWS[400:700], tmp_path / "first", 7, number=1)
    _write_table(ROWS[600:], tmp_path / "second", 7)
    tables = [f"matches={tmp_path / 'first'}", f"more_matches=[{tmp_path / 'second'}]"]
    _count(tmp_path, *tables)
    _balance(tmp_path, *tables, "balance.t=6.5")
    for name in ("entry_counts", "thresholds", "curated"):
        assert _read(tmp_path, name) == _read(run_of_7, name)
    (part,) = Table(str(tmp_path / "curated")).parts()
    assert part.receipt.drops["merged_into_image"] == 200
    assert part.receipt.rows_in == 1400
    with pytest.raises(HeadtailError, match="counted from other matches than given: run count_entries again"):
        _balance(tmp_path, f"matches={tmp_path / 'first'}")


def test_wrong_matches_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    _write_table(ROWS[:9], tmp_path / "matches", 1)
    (file,) = Table(str(tmp_path / "matches")).files()
    pq.write_table(pq.read_table(file).drop_columns("texts"), file)
    with pytest.raises(HeadtailError, match=r"bucket-00000.parquet has other columns than expected: texts is missing"):
        _count(tmp_path)
    assert not (tmp_path / "entry_counts").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param(
            ["balance.t=5", "balance.tail_share=0.1"],
            "balance.t and balance.tail_share are given: give only one",
            id="t and tail_share",
        ),
        pytest.param(["balance.t=0"], "balance.t must be above 0 matches, got 0", id="t of 0"),
        pytest.param(
            ["balance.reference=ja", "balance.t=5"],
            "set balance.reference to one of: de, en, fr",
            id="reference without matches",
        ),
        pytest.param(
            ["balance.t_by_language.en=5"], "balance.t_by_language contains the reference", id="t of the reference"
        ),
        pytest.param(
            ["balance.t_by_language.de=0"],
            "balance.t_by_language.de must be above 0 matches, and finite, got 0",
            id="t of 0 for de",
        ),
        pytest.param(["balance.headroom=1.5"], "balance.headroom must be at most 1, got 1.5", id="headroom above 1"),
        pytest.param(["balance.t=inf"], "balance.t must be a finite number, got inf", id="infinite t"),
        pytest.param(
            ["balance.t=1e308", "balance.headroom=0.5"],
            "balance.t must be above 0 matches, and finite, got 1e+308",
            id="t that headroom makes infinite",
        ),
        pytest.param(
            ["balance.t_by_language={de:inf}"],
            "balance.t_by_language.de must be above 0 matches, and finite, got inf",
            id="infinite t for de",
        ),
        pytest.param(
            ["forecast=true", "forecast_grid=[-5,50]"],
            "forecast_grid: thresholds must be above 0 matches, and finite",
            id="negative t in a forecast",
        ),
        pytest.param(["balance.concept_t.a=5"], "balance.concept_t.a needs concepts.a, the table", id="t of no table"),
        pytest.param(["balance.combine=any"], "balance.combine=any needs concepts", id="nothing to combine"),
        pytest.param(["concept_names.a=x.txt"], "concept_names.a needs concepts.a", id="names of no table"),
        pytest.param(
            ["concepts.a=x", "balance.concept_t.a=5", "balance.concept_tail_share.a=0.1"],
            "balance.concept_t.a and balance.concept_tail_share.a are given: give only one",
            id="t and tail share of concepts",
        ),
        pytest.param(
            ["concepts.a=x", "balance.concept_t.a=0"], "balance.concept_t.a must be above 0", id="t of 0 for concepts"
        ),
        pytest.param(
            ["concepts.a=x", "balance.concept_tail_share.a=2"],
            "balance.concept_tail_share.a must be from 0 to 1",
            id="tail share of concepts above 1",
        ),
        pytest.param(
            ["concepts.a=x", "balance.headroom=0.5", "balance.concept_t.a=1e308"],
            "balance.concept_t.a must be above 0 images, and finite, got 1e+308",
            id="t of concepts that headroom makes infinite",
        ),
        pytest.param(["concepts.a=/no.parquet"], "/no.parquet names no file", id="no table of concepts"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(run_of_7: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(HeadtailError) as refusal:
        _balance(run_of_7, *overrides)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_presets_name_their_thresholds() -> None:
    for preset, t in (("metaclip_400m", 20_000), ("metaclip_2_5b", 170_000)):
        config = compose_config("balance_pairs", BalancePairsConfig, ["output=x", f"balance={preset}"])
        assert (config.balance.t, config.balance.tail_share) == (t, None)
    assert compose_config("balance_pairs", BalancePairsConfig, ["output=x"]).balance.goal_tail_share == 0.06


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_a_target_is_met_and_the_forecast_is_what_balancing_expects(
    unit: str, run_of_7: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [f"{name}={run_of_7 / name}" for name in ("matches", "entry_counts")]
    asked = [*common, "balance.target_images=500", "balance.headroom=0.8", f"balance.unit={unit}"]
    _balance(tmp_path, *asked)
    thresholds = _read(tmp_path, "thresholds")
    assert sum(row["expected_images"] for row in thresholds) * 0.8 == pytest.approx(500, rel=1e-3)
    assert "expects 500 samples at t=" in capsys.readouterr().err
    _balance(tmp_path, *asked, "forecast=true", "forecast_grid=[1,100]")
    text = capsys.readouterr().out
    rows = _read(tmp_path, "forecasts")
    assert [row["lang"] for row in rows] == ["all", "de", "en", "fr"] * 3
    wished = [row for row in rows if row["point"] == 1]
    for row, threshold in zip(wished[1:], thresholds, strict=True):
        for name in ("lang", "t", "tail_share", "matches", "expected_pairs"):
            assert row[name] == threshold[name]
        # There every text is rounded to 2^-32, here every image.
        assert row["expected_images"] == pytest.approx(threshold["expected_images"], abs=1e-6)
    assert wished[0]["expected_samples"] == pytest.approx(500, rel=1e-3)
    assert wished[0]["hours"] == pytest.approx(wished[0]["expected_images"] / 1000 / 3600)
    assert wished[0]["terabytes"] == pytest.approx(wished[0]["expected_samples"] * 30_000 / 1e12)
    assert wished[0]["entries_below_t"] + wished[0]["entries_from_t"] == len(_read(run_of_7, "entry_counts"))
    assert rows[0]["expected_images"] < wished[0]["expected_images"] < rows[8]["expected_images"]
    assert text.count("\n") == 10
    assert "500" in text


def test_a_target_out_of_reach_is_one_line(run_of_7: Path, tmp_path: Path) -> None:
    with pytest.raises(
        HeadtailError, match=r"balance.target_images=1,201 is more than matches can give: at most 1,200"
    ):
        _balance(run_of_7, "balance.target_images=1201", f"thresholds={tmp_path}")


def test_a_forecast_counts_the_entries_that_nothing_matched(run_of_7: Path, tmp_path: Path) -> None:
    for lang in ("de", "en", "fr", "ja"):
        (tmp_path / f"lists/{lang}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"lists/{lang}.txt").write_text("\n".join(f"entry {i}" for i in range(400)))
    _balance(run_of_7, "forecast=true", f"forecasts={tmp_path / 'forecasts'}", f"entry_lists={tmp_path / 'lists'}")
    counted = [row["lang"] for row in _read(run_of_7, "entry_counts")]
    forecast = _read(tmp_path, "forecasts")
    assert {row["entries_without_match"] for row in forecast if row["lang"] == "all"} == {4 * 400 - len(counted)}
    rows = [row for row in forecast if row["lang"] == "en"]
    assert {row["entries_without_match"] for row in rows} == {400 - counted.count("en")}
    assert [row["reference_t"] for row in rows][:3] == [1.0, 2.0, 5.0]


def _write_concepts(path: Path, seed: int) -> str:
    """Write concepts of most images, in an order of their own."""
    rng = np.random.default_rng(seed)
    uids = [ROWS[place]["uid"] for place in rng.permutation(len(ROWS))[:1000]]
    ids = [rng.integers(0, 12, rng.integers(0, 4)).tolist() for _ in uids]
    pq.write_table(pa.table({"uid": uids, "concept_ids": pa.array(ids, pa.list_(pa.int32()))}), path)
    return str(path)


def test_concepts_are_counted_and_thin_as_well(
    run_of_7: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 and 7 buckets keep the same images; with concepts that keep all, those of a balance without concepts."""
    paths = {name: _write_concepts(tmp_path / f"{name}.parquet", seed) for seed, name in enumerate(("colours", "tags"))}
    (tmp_path / "names.txt").write_text("red\nblue\n" + "".join(f"colour {n}\n" for n in range(10)))
    (tmp_path / "targets.csv").write_text("namespace,entry_id,t\ncolours,5,1e-9\n")
    concepts = [*(f"concepts.{name}={path}" for name, path in paths.items()), "balance.concept_t.colours=30"]
    given = [
        *concepts,
        f"balance.targets={tmp_path}/targets.csv",
        "balance.t=6.5",
        f"concept_names.colours={tmp_path}/names.txt",
    ]
    tables = [f"{name}={run_of_7}/{name}" for name in ("matches", "entry_counts")]
    _write_table(ROWS, tmp_path / "1" / "matches", 1)
    _count(tmp_path / "1")
    _balance(tmp_path / "1", *given)
    _balance(tmp_path / "7", *given, *tables)
    kept, counts = _read(tmp_path / "7", "curated"), _read(tmp_path / "7", "concept_counts")
    for name in ("curated", "thresholds", "concept_counts"):
        assert _read(tmp_path / "1", name) == _read(tmp_path / "7", name)
    assert [path.name for path in (tmp_path / "7" / "curated").iterdir()] == ["part-00000"]
    plain = {row["uid"] for row in _read(run_of_7, "curated")}
    assert {row["uid"] for row in kept} < plain
    uids = {row["uid"] for row in kept}
    lists = {row["uid"]: set(row["concept_ids"]) for row in pq.read_table(paths["colours"]).to_pylist()}
    found = {row["concept_id"]: row for row in counts if row["namespace"] == "colours"}
    assert found[1]["concept"] == "blue"
    assert found[5]["count"] == sum(5 in each for each in lists.values())
    assert found[5]["kept"] == sum(5 in lists.get(uid, ()) for uid in uids)
    assert any(lists.get(uid) == {5} for uid in plain)
    assert not [uid for uid in uids if lists.get(uid) == {5}]  # its own t keeps none
    (part,) = Table(str(tmp_path / "7" / "concept_counts")).parts()
    numbers = part.manifest["concepts"]["colours"]
    assert numbers["t"] == 30.0
    assert numbers["images_with"] + numbers["images_without"] == 1200
    assert (numbers["count"], numbers["kept"]) == tuple(
        sum(row[key] for row in found.values()) for key in ("count", "kept")
    )
    expected = sum(row["expected_images"] for row in _read(tmp_path / "7", "thresholds"))
    assert abs(len(kept) - expected) < 4 * np.sqrt(expected)
    assert "entry_probabilities hold entries alone" in capsys.readouterr().err
    stopped = [tmp_path / "7" / table / "_concepts" for table in ("curated", "forecasts")]
    for folder in stopped:
        (folder / "dealt").mkdir(parents=True)
    _balance(tmp_path / "7", *given[:-1], *tables)  # without names
    assert "is done" in capsys.readouterr().err
    assert not [folder for folder in stopped if folder.exists()]
    assert {row["concept"] for row in _read(tmp_path / "7", "concept_counts")} == {None}
    bad = pa.table({"uid": [ROWS[0]["uid"]] * 2, "concept_ids": [[1], [2]]})
    pq.write_table(bad, tmp_path / "bad.parquet")
    with pytest.raises(HeadtailError, match=r"^concepts.colours: several rows have the uid"):
        _balance(tmp_path / "7", *tables, "balance.t=6.5", f"concepts.colours={tmp_path}/bad.parquet")
    assert _read(tmp_path / "7", "curated") == kept
    grid = ["forecast=true", "forecast_grid=[6.5]", "balance.target_images=200"]
    capsys.readouterr()
    _balance(tmp_path / "7", *given[:-2], *tables, *grid)
    told = re.search(r"expects ([0-9.]+) samples at t=([0-9.]+)", capsys.readouterr().err)
    assert told is not None
    assert float(told[1]) == pytest.approx(200, rel=1e-3)
    forecasts = _read(tmp_path / "7", "forecasts")
    (at_t,) = (row for row in forecasts if row["lang"] == "all" and row["reference_t"] == 6.5)
    assert at_t["expected_images"] == pytest.approx(expected)
    assert [path.name for path in (tmp_path / "7" / "forecasts").iterdir()] == ["part-00000"]
    all_kept = ["balance.concept_t={colours: 1e9, tags: 1e9}", "balance.combine=min", "balance.t=6.5", *tables]
    _balance(tmp_path / "7", *concepts[:2], *all_kept)
    assert _read(tmp_path / "7", "curated") == _read(run_of_7, "curated")
    settings = Table(str(run_of_7 / "curated")).parts()[0].manifest["settings"]
    assert not [key for key in settings if "conc" in key or key == "combine"]


def _cluster(output: Path, *overrides: str) -> None:
    settings = [f"output={output}", "seed=0", "fine=12", "coarse=3", "sample_images=300", "rounds=6", *overrides]
    cluster_images.run(compose_config("cluster_images", ClusterImagesConfig, settings))


def test_clusters_of_entries_do_not_depend_on_buckets(run_of_7: Path, tmp_path: Path) -> None:
    _write_table(ROWS, tmp_path / "matches", 1)
    _count(tmp_path)
    _balance(tmp_path, "balance.t=6.5")
    found = []
    for output in (run_of_7, tmp_path):
        _cluster(output)
        rows = sorted(_read(output, "clusters"), key=lambda row: row["uid"])
        found.append((rows, [(output / "clusters" / name).read_bytes() for name in ("centers.npy", "hierarchy.json")]))
    assert found[0] == found[1]
    assert {row["uid"] for row in found[0][0]} == {row["uid"] for row in _read(run_of_7, "curated")}
    assert {row["coarse"] for row in found[0][0]} == {0, 1, 2}


def test_clusters_of_embeddings_grow_with_the_centres_that_are_there(
    run_of_7: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second half of the images comes later, in a second file; a table of its own takes the centres, too."""
    uids = [row["uid"] for row in _read(run_of_7, "curated")]
    vectors, half = np.random.default_rng(0).normal(size=(len(uids), 8)), len(uids) // 2
    (tmp_path / "clip").mkdir()
    given = [f"embeddings={tmp_path}/clip", f"curated={run_of_7}/curated"]
    for number, rows in enumerate((slice(0, half), slice(half, None))):
        table = pa.table({"uid": uids[rows], "clip": vectors[rows].tolist()})
        pq.write_table(table, tmp_path / f"clip/{number}.parquet")
        _cluster(tmp_path / "run", *given)
        centres = (tmp_path / "run/clusters/centers.npy").read_bytes()
        assert len(_read(tmp_path / "run", "clusters")) == (half if number == 0 else len(uids))
    assert "adds 1 inputs to the 1 in" in capsys.readouterr().err
    _cluster(tmp_path / "run", *given)
    assert f"is done: {len(uids):,} images" in capsys.readouterr().err
    given_centres = f"centers={tmp_path}/run/clusters"
    for overwrite in ("false", "true"):  # the second call finds damaged centres
        _cluster(tmp_path / "other", *given, given_centres, f"overwrite={overwrite}")
        assert (tmp_path / "other/clusters/centers.npy").read_bytes() == centres
        if overwrite == "false":
            (tmp_path / "other/clusters/centers.npy").write_bytes(b"")
    assert _read(tmp_path / "other", "clusters") == _read(tmp_path / "run", "clusters")
    with pytest.raises(
        HeadtailError, match=r"finished, with other settings \(fine was 12, is 20\): set overwrite=true"
    ):
        _cluster(tmp_path / "run", *given, "fine=20")
    with pytest.raises(HeadtailError, match=r"centers=.* is of embeddings, and this call clusters by entries"):
        _cluster(run_of_7, f"centers={tmp_path}/run/clusters")
