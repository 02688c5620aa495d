"""The trainings and exams of all arms and seeds, in OpenCLIP's environment: as many at a time as there are cores."""

import json
import os
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curation.core.errors import HeadtailError
from curation.core.progress import say
from tests.evidence.material import Material
from tests.evidence.sizes import Sizes
from tests.evidence.web import chosen_concepts
from tests.lifeline import Lifeline

TEMPLATES = ("{name}", "a photo of a {name}", "{name} picture")
VIEWS = 8
"""Renderings of each picture of the exam."""
MODELS = {"cpu": "toy-32", "cuda": "toy-64"}
BATCHES = {"cpu": (128, 2e-3), "cuda": (1024, 2e-3)}
"""Size of a batch, and the learning rate: more and smaller batches learn faster from few samples."""


def device(sizes: Sizes) -> str:
    """Return `cuda` where OpenCLIP's environment sees a GPU, otherwise `cpu`.

    Raises HeadtailError where the environment is missing.
    """
    if not sizes.training.exists():
        raise HeadtailError(f"{sizes.training} does not exist: run make check-training, or name a Python with OpenCLIP")
    command = [str(sizes.training), "-c", "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def train_and_examine(material: Material, sizes: Sizes) -> dict[str, list[dict[str, list[float]]]]:
    """Train and examine what is not finished; returns by arm the results of each seed, the concepts by frequency."""
    where = device(sizes)
    runs = [(arm, seed) for seed in range(sizes.seeds) for arm in sizes.chosen_arms]
    side_by_side = (os.cpu_count() or 1) if where == "cpu" else 1
    with ThreadPoolExecutor(max(1, min(side_by_side, len(runs)))) as pool, Lifeline() as lifeline:
        done = list(pool.map(lambda run: _finish(lifeline, material, sizes, where, *run), runs))
    results: dict[str, list[dict[str, list[float]]]] = {arm: [] for arm in sizes.chosen_arms}
    for (arm, _), found in zip(runs, done, strict=True):
        results[arm].append(found)
    return results


def _finish(
    lifeline: Lifeline, material: Material, sizes: Sizes, where: str, arm: str, seed: int
) -> dict[str, list[float]]:
    models = sizes.out / "models"
    name = f"{arm}-{seed}"
    results = models / f"{name}.json"
    tasks = _tasks(material, sizes, where, arm, seed, results)
    asked = models / f"{name}-tasks.json"
    before = json.loads(asked.read_text("utf-8")) if asked.exists() else [None, None]
    if results.exists() and before == tasks:
        return json.loads(results.read_text("utf-8"))
    models.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    if before[0] != tasks[0] or not Path(tasks[1]["checkpoint"]).exists():
        shutil.rmtree(models / name, ignore_errors=True)
    asked.write_text(json.dumps(tasks, ensure_ascii=False) + "\n", "utf-8")
    say("train", f"{name}: {sizes.samples_seen:,} samples with {tasks[0]['model']} ({where})")
    # A core has one training, with a thread: threads that wait for each other are slow on a busy machine.
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    if where == "cpu":
        environment |= {"OMP_NUM_THREADS": "1"}
    with open(models / f"{name}.log", "w") as log:
        command = [str(sizes.training), "-m", "tests.evidence.openclip", str(asked)]
        failed = lifeline.run(command, stdout=log, stderr=log, env=environment)
    if failed or not results.exists():
        raise HeadtailError(f"the training {name} failed: {log.name} says why")
    found = json.loads(results.read_text("utf-8"))
    say("train", f"{name}: top-1 {statistics.mean(found['top1']):.1%}, top-5 {statistics.mean(found['top5']):.1%}")
    return found


def _tasks(material: Material, sizes: Sizes, where: str, arm: str, seed: int, results: Path) -> list[dict[str, Any]]:
    name, models = f"{arm}-{seed}", (sizes.out / "models").absolute()
    shards = sorted(path.stem for path in (sizes.out / arm / "shards").glob("*.tar"))
    if not shards:
        raise HeadtailError(f"{sizes.out / arm / 'shards'} holds no shards: run the step curate")
    pattern = f"{{{shards[0]}..{shards[-1]}}}" if len(shards) > 1 else shards[0]
    concepts = chosen_concepts(material, sizes)
    common = {"model": MODELS[where], "device": where}
    training = {
        "do": "train",
        **common,
        "shards": f"{(sizes.out / arm / 'shards').absolute()}/{pattern}.tar",
        "samples_seen": sizes.samples_seen,
        "batch": BATCHES[where][0],
        "lr": BATCHES[where][1],
        "workers": 1 if where == "cpu" else max(1, min(len(shards), (os.cpu_count() or 2) - 1)),
        "seed": seed,
        "logs": str(models),
        "name": name,
    }
    exam = {
        "do": "examine",
        **common,
        "checkpoint": str(models / name / "checkpoints" / "epoch_1.pt"),
        "concepts": [concept.key for concept in concepts],
        "names": [concept.names.get(sizes.reference, concept.names["en"]) for concept in concepts],
        "pictures": [str((material.folder / "exam" / f"{concept.key}.png").absolute()) for concept in concepts],
        "templates": list(TEMPLATES),
        "views": VIEWS,
        "results": str(results.absolute()),
    }
    return [training, exam]
