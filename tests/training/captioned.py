"""Write the sample run's samples as a set of its own, with captions and scores made by a script: `make check-training`.

`python -m tests.training.captioned` reads the run of `make run`, and fetches nothing. One table of captions is by uid,
with lists of them, the other by url; scores are by sha256.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conf.compose import compose_config
from conf.schema.jobs import ClusterImagesConfig, ReportStatsConfig, WriteShardsConfig
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.spark.session import close_session
from jobs import cluster_images, report_stats, write_shards
from tests.sample.run import LOCAL, OUTPUT, SAMPLE, settings
from tests.training.script_captions import LONG, SHORT, captions_of

FOLDER = Path("build/captioned")
KEYS = {LONG: "uid", SHORT: "url"}


def main() -> None:
    """Write the tables, the set and its report; a set that is there is replaced."""
    if not (OUTPUT / "shards" / "_manifest.json").exists():
        raise HeadtailError(f"{OUTPUT} holds no finished run: run make run first, or name other shards with SHARDS=")
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = Part.read(str(OUTPUT / "shards")).files
    images = pa.concat_tables(pq.read_table(file, columns=["uid", "url", "sha256"]) for file in files)
    tables = write_captions(images, FOLDER)
    write_scores(images, FOLDER / "scores.parquet")
    places = [f"output={OUTPUT}", f"shards={FOLDER}/shards", LOCAL]
    size = next(each for each in settings(SAMPLE, OUTPUT) if each.startswith("samples_per_shard="))
    joined = [*(f"captions.{name}={path}" for name, path in tables.items()), f"scores={FOLDER}/scores.parquet"]
    more = ["syn_json=true", "overwrite=true", size]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, [*places, *joined, *more]))
    told = [*places, f"report={FOLDER}/report", f"entries={FOLDER}/entries", f"entry_lists={SAMPLE}/entries"]
    report_stats.run(compose_config("report_stats", ReportStatsConfig, told))
    write_experts([f"output={OUTPUT}", LOCAL, "overwrite=true"])
    close_session()


def write_experts(places: list[str]) -> None:
    """Cluster the samples by their entries, and write a set for each of two coarse clusters (check_experts.py)."""
    folder = [f"clusters={FOLDER}/clusters"]
    few = ["fine=24", "coarse=2"]
    cluster_images.run(compose_config("cluster_images", ClusterImagesConfig, [*places, *folder, *few]))
    by = ["by=coarse", f"shards={FOLDER}/experts", "samples_per_shard=40"]
    write_shards.run(compose_config("write_shards", WriteShardsConfig, [*places, *folder, *by]))


def write_captions(images: pa.Table, folder: Path) -> dict[str, Path]:
    """Write the captions of images; return the tables by the names of their captions."""
    tables = {}
    for name, key in KEYS.items():
        rows = [(row[key], captions_of(row["uid"])[name]) for row in images.to_pylist()]
        keys, captions = zip(*((key, texts) for key, texts in rows if texts), strict=True)
        values = pa.array(captions) if name == LONG else pa.array([texts[0] for texts in captions])
        tables[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table({key: list(keys), "caption": values, "model": ["a script"] * len(keys)}), tables[name])
    return tables


def write_scores(images: pa.Table, path: Path) -> None:
    """Write a score, a mark and a vector for every other image."""
    keys = images["sha256"].to_pylist()[::2]
    columns = {
        "score": pa.array([number / 7 for number in range(len(keys))], pa.float32()),
        "is_even": pa.array([number % 2 == 0 for number in range(len(keys))]),
        "vector": pa.array([[number, -number, 0.5] for number in range(len(keys))], pa.list_(pa.float32())),
    }
    pq.write_table(pa.table({"sha256": keys, **columns}), path)


if __name__ == "__main__":
    try:
        main()
    except HeadtailError as error:
        sys.exit(str(error))
