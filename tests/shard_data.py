"""Small curated tables for tests of downloads and shards."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import CURATED
from curation.core.tables import Table


def curated_rows(urls: list[str], texts: list[str] | None = None) -> list[dict]:
    """A curated row for each URL, sorted by uid; the image of URL i has i % 3 further texts that were not drawn."""
    rows = []
    for index, url in enumerate(urls):
        chosen = {
            "text": texts[index] if texts else f"picture {index} — 写真, größer",
            "text_key": "alt",
            "lang": "en",
            "lang_score": 0.5,
            "entry_ids": [index, index + 7],
            "keep_probability": 0.25,
            "kept": True,
        }
        others = [chosen | {"text": f"other {k} of {index}", "kept": False} for k in range(index % 3)]
        uid = hashlib.sha224(url.encode()).hexdigest()[:24]
        row = {"uid": uid, "url": url, "text": chosen["text"], "lang": "en", "keep_probability": 0.25}
        rows.append(row | {"texts": [chosen, *others]})
    return sorted(rows, key=lambda row: row["uid"])


def curate(folder: Path | str, rows: list[dict], buckets: int = 3, **asked: Any) -> Part:
    """The rows as the table `curated` in a folder; `asked` is what else balance_pairs was asked for."""
    table = Table(f"{folder}/curated")
    path, receipts = table.begin(0), []
    for bucket in range(buckets):
        mine = [row for row in rows if int(row["uid"][:4], 16) * buckets // 65536 == bucket]
        with ParquetSink(f"{path}/bucket-{bucket:05d}.parquet", CURATED) as sink:
            sink.write(pa.RecordBatch.from_pylist(mine, CURATED))
        receipts.append(Receipt(str(bucket), len(mine), len(mine), outputs=[sink.output()]))
    uids = "".join(row["uid"] for row in rows)
    rule = {"reference": "en", "others": "tail_share", "t_by_language": {}}
    wish = {"rule": rule, "t": None, "tail_share": 0.06, "target_images": None, "headroom": 1.0} | asked
    settings = {"seed": 0, "unit": "pair", **wish}
    matches = [{"path": f"{folder}/matches/part-00000", "id": hashlib.sha256(uids.encode()).hexdigest()}]
    return table.commit(0, Recipe("balance_pairs", 1, settings, matches), receipts, 0, solved_t=None)
