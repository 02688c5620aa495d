"""Tables that the report and explain refuse, because another program wrote them wrongly."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import ATTEMPT, Part
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, ENTRY_COUNTS, SAMPLES, THRESHOLDS
from curation.core.tables import Table
from curation.report.explain import read_counts, read_threshold
from curation.report.run_tables import RunTotals, StageTotals, check_files
from curation.report.stats import CuratedTask, ShardsTask, count_curated, count_shards

TABLES = ("match_pairs", "balance_pairs", "thresholds", "download_images", "write_shards")


def check_parts(path: str) -> None:
    folder, _, name = path.rpartition("/")
    part = Part(folder, {"files": [{"path": name}]})
    check_files({table: [part] if table == "balance_pairs" else [] for table in TABLES})


@pytest.mark.parametrize(
    ("read", "schema"),
    [
        (check_parts, CURATED),
        (lambda path: count_curated(CuratedTask("x", [path], f"{path}.counts")), CURATED),
        (lambda path: count_shards(ShardsTask("x", [path]), seed=0), SAMPLES),
        (lambda path: read_counts([path], "en"), ENTRY_COUNTS),
        (lambda path: read_threshold([path], "en"), THRESHOLDS),
    ],
    ids=["before Spark starts", "curated", "shards", "entry_counts", "thresholds"],
)
def test_one_error_names_the_file_and_each_wrong_column(
    tmp_path: Path, read: Callable[[str], object], schema: pa.Schema
) -> None:
    missing, *others = schema
    fields = [field.with_type(pa.binary()) if field.name == "lang" else field for field in others]
    if missing.name == "lang":
        missing, fields[0] = fields[0], missing.with_type(pa.binary())
    path = str(tmp_path / "part.parquet")
    pq.write_table(pa.schema([*fields, pa.field("note", pa.string())]).empty_table(), path)
    with pytest.raises(HeadtailError) as error:
        read(path)
    for fault in (path, f"{missing.name} is missing", "lang is binary, expected string", "note is unexpected"):
        assert fault in str(error.value)


def test_a_run_that_was_stopped_after_balancing_has_totals() -> None:
    totals = RunTotals.of_receipts([], [], [], [], [])
    assert (totals.samples, totals.shards.langs.total(), list(totals.counts_kept())) == ([], 0, [])


def test_a_file_that_was_read_again_is_one_input(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "pairs"))
    files = [{"path": f"/{name}", "size": 1, "version": "1"} for name in "abc"]
    for number, inputs in enumerate((files, [{**files[1], ATTEMPT: 2}])):
        table.begin(number)
        table.commit(number, Recipe("extract_pairs", 1, {}, inputs), [], 0.0)
    assert StageTotals.of_parts("extract_pairs", table.parts()).inputs == 3
