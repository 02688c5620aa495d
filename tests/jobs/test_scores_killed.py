"""score_images killed without warning, and started again, until it is done.

Inside `make test` one kill; `HEADTAIL_KILLS=20 python -m pytest tests/jobs/test_scores_killed.py` makes more.
"""

import contextlib
import json
import os
import random
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.images.ranges import Ranges
from curation.signals.model import Identity
from tests.http_server import draw
from tests.jobs.test_shards_killed import kill, start
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import stored

KILLS = int(os.environ.get("HEADTAIL_KILLS", "1"))
IMAGES, LISTS, GENERATIONS = 300, 8, 2
PARTS = "part-*/_range-*.json"


class Features:
    """An embedding as open_nsfw's: half floats of length 1."""

    identity = Identity("features", "1", "0" * 64)
    side = 64

    def __init__(self) -> None:
        self.columns = [pa.field("features", pa.list_(pa.float16(), 256))]

    def score(self, image: Image.Image) -> dict[str, np.ndarray]:
        values = np.asarray(image.convert("L").resize((16, 16)), np.float32).ravel() + 1
        time.sleep(0.01)  # as long as a model takes
        return {"features": (values / np.linalg.norm(values)).astype(np.float16)}


def features() -> Features:
    return Features()


def contents(table: Path) -> dict[str, bytes]:
    """All files of a table but the manifests, with their bytes; receipts have paths."""
    paths = [path for path in table.rglob("*") if path.is_file() and path.name not in ("_manifest.json", ".lease")]
    return {str(path.relative_to(table)): path.read_bytes().replace(str(table).encode(), b"") for path in paths}


def manifests(table: Path) -> list[dict]:
    """The manifests of the parts, without what tells of time."""
    found = [json.loads(path.read_text()) for path in sorted(table.glob("part-*/_manifest.json"))]
    return [{key: value for key, value in each.items() if not key.endswith("seconds")} for each in found]


def wait_and_kill(process: subprocess.Popen, table: Path, receipts: int, seconds: float) -> None:
    """Kill the job some seconds after it has so many receipts, or when it has ended."""
    while process.poll() is None and len(list(table.glob(PARTS))) < receipts:
        time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    kill(process)


def finish(process: subprocess.Popen) -> None:
    told = process.communicate()[1]
    assert process.returncode == 0, told


def test_killed_scoring_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    rows = curated_rows([f"https://h{k}.org/{k}.jpg" for k in range(IMAGES)])
    bodies = {row["url"]: draw(number) for number, row in enumerate(rows)}
    bodies |= {row["url"]: draw(number)[:-300] for number, row in list(enumerate(rows))[::17]}
    bodies |= {row["url"]: draw(number, size=(20, 20)) for number, row in list(enumerate(rows))[::11]}
    stored(tmp_path, rows, {**bodies}, Ranges(LISTS, 0), GENERATIONS)
    model = "signal_models.features=tests.jobs.test_scores_killed:features"
    settings = (f"output={tmp_path}", "signals=[faces,python]", model, "only_written=exact", "filters.min_side=30")
    whole, killed = tmp_path / "undisturbed", tmp_path / "killed"
    began = time.monotonic()
    finish(start("score_images", *settings, f"image_signals={whole}"))
    seconds = time.monotonic() - began
    moments, progress = random.Random(KILLS), []
    for number in range(KILLS):
        written = {path: path.stat().st_mtime_ns for path in killed.glob(PARTS)}
        progress.append(len(written))
        process = start("score_images", *settings, f"image_signals={killed}")
        if number % 2:  # at any moment after the first seconds, in which the job starts
            wait_and_kill(process, killed, 0, seconds * moments.uniform(0.4, 1.0))
        else:  # close to the end of a list, or of a part
            wait_and_kill(process, killed, len(written) + moments.randint(1, 3), moments.uniform(0, 0.3))
        assert all(path.stat().st_mtime_ns == when for path, when in written.items()), (
            "a finished list was scored again"
        )
    finish(start("score_images", *settings, f"image_signals={killed}"))
    print("finished lists before each start:", progress)
    found = contents(killed)
    assert found == contents(whole)
    assert len([name for name in found if name.endswith(".parquet")]) == LISTS * GENERATIONS
    assert manifests(killed) == manifests(whole)
    assert len(manifests(whole)) == GENERATIONS
    table = pq.read_table([str(path) for path in sorted(whole.glob("part-*/range-*.parquet"))])
    assert IMAGES / 2 < table.num_rows < IMAGES
    assert sum(each["drops"]["undecodable"] for each in manifests(whole)) > 5
    assert sum(each["drops"]["not_written"] for each in manifests(whole)) > 20
