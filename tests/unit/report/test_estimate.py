"""The estimate: rows pass from stage to stage, prices add up, and docs/scale.md has the current tables."""

import json
import re
from dataclasses import replace

import pytest

from conf.compose import compose_config
from conf.presets import option_names
from conf.schema.jobs import EstimateConfig
from curation.core.choices import EstimateFormat
from curation.core.errors import HeadtailError
from curation.report.estimate import Assumptions, by_peer, dollars, dollars_a_month, estimate
from curation.report.estimate_text import estimate_text
from curation.report.figures import measured, sitting
from curation.report.peers import peers
from jobs.estimate import assumptions_of, run
from tests.golden.scale import PAGE, with_tables


def assumptions(*overrides: str) -> Assumptions:
    return assumptions_of(compose_config("estimate", EstimateConfig, list(overrides)))


def printed(capsys: pytest.CaptureFixture, *overrides: str) -> dict:
    """Return what the job prints as JSON, all of its standard output."""
    run(compose_config("estimate", EstimateConfig, ["format=json", *overrides]))
    return json.loads(capsys.readouterr().out)


def test_the_page_has_what_the_script_prints() -> None:
    page = PAGE.read_text()
    assert page.count("<!-- end -->") == 6
    assert with_tables(page) == page, "python -m tests.golden.scale writes the tables again"


def test_rows_of_a_stage_are_those_of_the_one_before() -> None:
    extract, match, count, balance, download, shards = estimate(assumptions())
    assert match.rows_in == extract.rows_out == 1e10
    assert count.rows_in == match.rows_out == pytest.approx(1e10 * 0.5 * 0.6)
    assert balance.rows_in == pytest.approx(match.rows_out / 1.2)
    assert download.rows_in == balance.rows_out == pytest.approx(balance.rows_in * 0.23)
    assert shards.rows_in == download.rows_out == pytest.approx(download.rows_in * 0.6)


def test_signals_are_a_stage_before_the_shards_where_they_are_asked_for() -> None:
    *_, download, scoring, shards = estimate(assumptions("signals=[faces,nsfw,embedding]"))
    assert (scoring.stage, scoring.rows_in, scoring.rows_out) == ("score_images", download.rows_out, shards.rows_in)
    figures = {name: figure.value for name, figure in measured().items()}
    seconds = [figures[f"{name}_core_seconds"] for name in ("decode", "faces", "nsfw")]
    assert scoring.core_seconds == pytest.approx(scoring.rows_in / 1000 * sum(seconds)), "nsfw and embedding: one model"
    assert "score_images" not in estimate_text(assumptions())
    *_, fewer, same = estimate(assumptions("signals=[faces,nsfw,embedding]", "scored_share=0.25"))
    assert (fewer.rows_in, fewer.rows_out, same) == (scoring.rows_in, scoring.rows_in / 4, shards)
    assert (fewer.core_seconds, fewer.table_bytes) == (scoring.core_seconds / 4, scoring.table_bytes / 4)


def test_an_archive_like_the_measured_one_costs_what_was_measured() -> None:
    extract = estimate(assumptions("archives=1"))[0]
    assert extract.core_seconds == measured()["extract_core_seconds"].value
    assert estimate(assumptions("archives=1", "image_links=635000"))[0].core_seconds == extract.core_seconds / 2


def test_prices_are_those_asked_for() -> None:
    free = assumptions("prices.core_hour=0", "prices.terabyte_month=0", "prices.terabyte_read=0", "shards_out=2")
    prices = replace(free.prices, terabyte_out=0.0)
    stages = estimate(free)
    assert [dollars(stage, prices) + dollars_a_month(stage, prices) for stage in stages] == [0] * 6
    first, *_, shards = stages
    assert dollars(first, replace(prices, core_hour=2.0)) == pytest.approx(first.core_seconds / 1800)
    assert dollars(first, replace(prices, terabyte_read=90.0)) == pytest.approx(20 * 90)
    assert dollars_a_month(first, replace(prices, terabyte_month=10.0)) == pytest.approx(first.table_bytes / 1e11)
    assert dollars(shards, replace(prices, terabyte_out=5.0)) == pytest.approx(2 * shards.table_bytes / 1e12 * 5)
    assert dollars(first, replace(prices, terabyte_out=5.0)) == 0, "only shards leave the provider"


def test_each_preset_has_prices_of_its_own_that_single_ones_override() -> None:
    names = option_names("prices")
    found = {name: assumptions(f"prices={name}").prices for name in names}
    assert len(set(found.values())) == len(names) == 4
    assert found["us_east_1"] == assumptions().prices
    assert found["us_east_1_spot"].core_hour < found["us_east_1"].core_hour / 2
    own = assumptions("prices=google", "prices.terabyte_out=1").prices
    assert own == replace(found["google"], terabyte_out=1.0)


def test_json_has_the_numbers_of_the_text(capsys: pytest.CaptureFixture) -> None:
    told = printed(capsys, "archives=100000", "months=3", "shards_out=1", "signals=[text]")
    stages = told["stages"]
    assert [stage["stage"] for stage in stages][-2:] == ["score_images", "write_shards"]
    for key in told["all"]:
        assert told["all"][key] == pytest.approx(sum(stage[key] for stage in stages))
        assert told["until_curated"][key] == pytest.approx(sum(stage[key] for stage in stages[:4]))
    kept = told["all"]["dollars"] + 3 * told["all"]["dollars_a_month"]
    assert told["dollars_kept"] == pytest.approx(kept)
    assert told["measured"] == {"machine": sitting().machine, "date": sitting().date}
    assert told["assumptions"]["prices"]["terabyte_month"] == 23.0
    assert stages[1]["table_bytes"] / told["buckets"] == pytest.approx(512e6, rel=1e-2)
    assert stages[-1]["out_bytes"] == stages[-1]["table_bytes"] > 0
    text = estimate_text(assumptions("months=3", "shards_out=1", "signals=[text]"))
    (curated,) = (line for line in text.splitlines() if line.startswith("| until `curated` |"))
    assert f" {told['until_curated']['core_hours']:.0f} |" in curated
    assert f"kept for 3 months: ${kept:,.0f}." in text


def test_json_is_all_that_is_printed_for_little_and_for_much(capsys: pytest.CaptureFixture) -> None:
    for archives in ("1", "1e12"):
        assert printed(capsys, f"archives={archives}")["assumptions"]["archives"] == float(archives)


def test_others_are_reckoned_by_their_own_words() -> None:
    stages = {stage.stage: stage for stage in estimate(assumptions("archives=5_000_000"))}
    found = by_peer(stages["extract_pairs"], assumptions("archives=5_000_000"))
    assert found
    assert (found[0].name, round(found[1], -3)) == ("cc2dataset", 69_000), "its README says 70,000 core-hours"
    laion = replace(stages["download_images"], rows_in=400e6)
    found = by_peer(laion, assumptions())
    assert found
    assert found[1] / 16 / 24 == pytest.approx(3.5, rel=0.03), "days of LAION-400M on 16 cores"
    assert by_peer(stages["match_pairs"], assumptions()) is None


def test_each_statement_of_a_peer_has_a_source() -> None:
    assert all(peer.source.startswith("https://") and peer.title and peer.says for peer in peers())
    rated = [peer for peer in peers() if peer.core_seconds]
    assert len({peer.stage for peer in rated}) == len(rated) == 2


def test_buckets_are_of_half_a_gigabyte_and_at_most_as_many_as_there_can_be() -> None:
    found = re.search(r"`buckets=(\d+)`", estimate_text(assumptions()))
    assert found
    assert int(found[1]) == pytest.approx(3e9 * measured()["bytes_per_match"].value / 512e6, abs=1)
    assert "`buckets=65536`" in estimate_text(assumptions("archives=10_000_000_000"))
    assert "`buckets=1`" in estimate_text(assumptions("archives=1"))


def test_every_figure_names_the_command_that_prints_it() -> None:
    assert all(figure.command.startswith("make bench NAME=") and figure.text for figure in measured().values())


@pytest.mark.parametrize("form", EstimateFormat)
def test_numbers_without_a_finite_product_are_one_line(form: EstimateFormat) -> None:
    with pytest.raises(HeadtailError, match="too large to be multiplied"):
        run(EstimateConfig(archives=1e308, format=form))
