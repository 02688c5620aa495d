import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExportConfig
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import ParquetSink
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED, PAIRS
from curation.core.tables import Table
from jobs import export


def _uid(number: int) -> str:
    return hashlib.sha224(str(number).encode()).hexdigest()[:24]


def _datacomp(number: int, text: str) -> str:
    return hashlib.md5(f"{number} {text}".encode()).hexdigest()


def _write(table: Path, stage: str, files: list[list[dict]], schema: pa.Schema) -> None:
    made = Table(str(table))
    folder, outputs = made.begin(0), []
    for k, rows in enumerate(files):
        with ParquetSink(f"{folder}/bucket-{k:05d}.parquet", schema) as sink:
            sink.write(pa.RecordBatch.from_pylist(rows, schema))
        outputs.append(sink.output())
    count = sum(map(len, files))
    made.commit(0, Recipe(stage, 1, {}), [Receipt("x", rows_in=count, rows_out=count, outputs=outputs)], 0.0)


def _pair(number: int, text: str, datacomp: str | None) -> dict[str, Any]:
    row = dict.fromkeys(PAIRS.names, "x") | {"uid": _uid(number), "text": text, "datacomp_uid": datacomp}
    return row | {"lang_score": 1.0}


def _curated(buckets: int, rows: list[tuple[int, str]]) -> list[list[dict]]:
    files: list[list[dict]] = [[] for _ in range(buckets)]
    for number, text in rows:
        row = {"uid": _uid(number), "url": "x", "text": text, "lang": "en", "keep_probability": 1.0, "texts": []}
        files[int(_uid(number)[:4], 16) * buckets // 65536].append(row)
    return files


@pytest.mark.parametrize("buckets", [1, 7])
def test_the_rows_of_the_chosen_texts_are_exported(spark: Any, buckets: int, tmp_path: Path) -> None:  # noqa: ARG001
    pairs = [_pair(n, text, _datacomp(n, text)) for n in range(300) for text in ("a", "b")]
    pairs += [_pair(5, "a", "f" * 32), _pair(6, "c", None), _pair(7, "c", "no uid"), _pair(8, "c", "A" * 32)]
    schema = PAIRS.append(pa.field("datacomp_uid", pa.string()))
    _write(tmp_path / "pairs", "extract_pairs", [pairs[:250], [], pairs[250:]], schema)
    kept = [(n, "ab"[n % 2]) for n in range(0, 300, 3)] + [(5, "a"), (6, "c"), (7, "c"), (8, "c"), (999, "a")]
    _write(tmp_path / "curated", "balance_pairs", _curated(buckets, kept), CURATED)
    export.run(compose_config("export", ExportConfig, [f"output={tmp_path}", "format=datacomp"]))
    found = np.load(tmp_path / "datacomp_uids.npy")
    expected = [_datacomp(n, text) for n, text in kept[:101]] + ["a" * 32]
    assert found.dtype == np.dtype("u8,u8")
    assert found.tolist() == sorted((int(uid[:16], 16), int(uid[16:], 16)) for uid in expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curated", "datacomp_uids.npy", "pairs"]


def test_pairs_without_such_uids_are_refused_in_a_line(tmp_path: Path) -> None:
    _write(tmp_path / "pairs", "extract_pairs", [[]], PAIRS)
    _write(tmp_path / "curated", "balance_pairs", [[]], CURATED)
    with pytest.raises(HeadtailError, match="pairs holds no datacomp_uid: only pairs of a source that has them"):
        export.run(compose_config("export", ExportConfig, [f"output={tmp_path}"]))
