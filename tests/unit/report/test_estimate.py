"""The estimate: rows pass from stage to stage, prices add up, and docs/scale.md has the current tables."""

from dataclasses import replace

import pytest

from conf.compose import compose_config
from conf.schema.jobs import EstimateConfig
from curation.report.estimate import Assumptions, dollars, estimate, estimate_text, measured
from tests.golden.scale import PAGE, with_tables


def assumptions(*overrides: str) -> Assumptions:
    return Assumptions(**vars(compose_config("estimate", EstimateConfig, list(overrides))))


def test_the_page_has_what_the_script_prints() -> None:
    page = PAGE.read_text()
    assert page.count("<!-- end -->") == 4
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


def test_an_archive_like_the_measured_one_costs_what_was_measured() -> None:
    extract = estimate(assumptions("archives=1"))[0]
    assert extract.core_seconds == measured()["extract_core_seconds"].value
    assert estimate(assumptions("archives=1", "image_links=635000"))[0].core_seconds == extract.core_seconds / 2


def test_prices_are_those_asked_for() -> None:
    free = assumptions("price_core_hour=0", "price_terabyte_month=0", "price_terabyte_read=0")
    assert [dollars(stage, free) for stage in estimate(free)] == [0] * 6
    stage = estimate(free)[0]
    assert dollars(stage, replace(free, price_core_hour=2.0)) == pytest.approx(stage.core_seconds / 1800)
    assert dollars(stage, replace(free, price_terabyte_read=90.0)) == pytest.approx(20 * 90)
    assert dollars(stage, replace(free, price_terabyte_month=10.0, months=3)) == pytest.approx(
        30 * stage.table_bytes / 1e12
    )


def test_buckets_are_of_half_a_gigabyte_and_at_most_as_many_as_there_can_be() -> None:
    assert "`buckets=587`" in estimate_text(assumptions())
    assert "`buckets=65536`" in estimate_text(assumptions("archives=10_000_000_000"))
    assert "`buckets=1`" in estimate_text(assumptions("archives=1"))


def test_every_figure_names_the_command_that_prints_it() -> None:
    assert all(figure.command.startswith("make bench NAME=") and figure.text for figure in measured().values())
