"""Attach captions to 50,000 samples: seconds of the job against copying the same bytes. The last line is JSON.

The set has side-cars and no tar at all: attaching reads none. The start of Spark is measured by itself.
"""

import hashlib
import json
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conf.compose import compose_config
from conf.schema.jobs import AttachConfig
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.schemas import SAMPLES
from curation.core.uids import uid_of
from curation.shards.shard_set import ShardSet
from curation.spark.session import open_session
from jobs import attach

SHARDS, SAMPLES_PER_SHARD = 5, 10_000


def make_set(folder: str) -> list[str]:
    """Write side-cars and a manifest; return the uids."""
    uids, outputs = [], []
    for shard in range(SHARDS):
        rows = []
        for number in range(SAMPLES_PER_SHARD):
            url = f"https://example.org/{shard}/{number}.jpg"
            facts = dict.fromkeys(SAMPLES.names, 1) | {"uid": uid_of(url), "url": url, "text": "a", "lang": "en"}
            rows.append(facts | {"sha256": hashlib.sha256(url.encode()).hexdigest(), "ext": "jpg"})
        name = f"{shard:05d}"
        output = write_rows(f"{folder}/{name}.parquet", pa.Table.from_pylist(rows, SAMPLES))
        outputs.append({**output, "tar": f"{name}.tar", "tar_bytes": 0, "tar_sha256": name})
        uids += [row["uid"] for row in rows]
    receipt = Receipt("write_shards", len(uids), len(uids), outputs=outputs)
    ShardSet(folder).commit(0, Recipe("write_shards", 1, {}), [receipt], 0.0)
    return uids


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        shards = f"{folder}/shards"
        uids = make_set(shards)
        captions = [f"a photo of a thing that is described in some forty words {uid} " * 4 for uid in uids]
        pq.write_table(pa.table({"uid": uids[::-1], "caption": captions[::-1]}), f"{folder}/captions.parquet")
        config = compose_config(
            "attach",
            AttachConfig,
            [f"shards={shards}", f"data={folder}/captions.parquet", "name=a", "spark.master=local[2]"],
        )
        start = time.monotonic()
        open_session("attach", **vars(config.spark))
        session = time.monotonic() - start
        start = time.monotonic()
        attach.run(config)
        seconds = time.monotonic() - start
        tars = sorted(Path(shards, "captions/a").glob("*.tar"))
        start = time.monotonic()
        for tar in tars:
            Path(folder, tar.name).write_bytes(tar.read_bytes())
        copied = time.monotonic() - start
        size = sum(tar.stat().st_size for tar in tars)
    told = {"samples": len(uids), "bytes": size, "session_seconds": session}
    print(json.dumps({**told, "attach_seconds": seconds, "copy_seconds": copied}))


if __name__ == "__main__":
    main()
