"""The trainings and exams of all arms and seeds, in OpenCLIP's environment: as many at a time as there are cores."""

import json
import os
import shutil
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.core.errors import HeadtailError
from curation.core.progress import say
from tests.evidence.arms import BASE
from tests.evidence.material import Material
from tests.evidence.outcome import Results
from tests.evidence.sizes import ONLINE, Sizes
from tests.evidence.web import chosen_concepts
from tests.lifeline import Lifeline

TEMPLATES = ("{name}", "a photo of a {name}", "{name} picture")
VIEWS = 8
"""Renderings of each picture of the exam."""
MODELS = {"cpu": "toy-32", "cuda": "toy-64"}
BATCHES = {"cpu": (128, 2e-3), "cuda": (1024, 2e-3)}
"""Size of a batch, and the learning rate: more and smaller batches learn faster from few samples."""
PARTS = 10
"""Epochs, as OpenCLIP calls them, in which a training sees its samples. A stopped one goes on at the next part, and a
balance in the trainer draws anew in each."""


def device(sizes: Sizes) -> str:
    """Return `cuda` where OpenCLIP's environment sees a GPU, otherwise `cpu`.

    Raises HeadtailError where the environment is missing.
    """
    if not sizes.training.exists():
        raise HeadtailError(f"{sizes.training} does not exist: run make check-training, or name a Python with OpenCLIP")
    command = [str(sizes.training), "-c", "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Arm:
    """What a training reads: a folder of shards, and of a balance in the trainer the folder of its probabilities."""

    name: str
    shards: Path
    probabilities: Path | None = None


Exams = dict[str, tuple[str, ...]]
"""The templates of the names, by the language of the names."""
Marks = dict[str, Results]
"""What `tests.evidence.openclip` writes of a model, by the language of the exam."""


def train_and_examine(material: Material, sizes: Sizes) -> dict[str, list[Results]]:
    """Train and examine what is not finished; returns by arm the results of each seed, the concepts by frequency."""
    arms = [
        Arm(arm, sizes.out / "everything" / "shards", sizes.out / BASE / "entry_probabilities")
        if arm == ONLINE
        else Arm(arm, sizes.out / arm / "shards")
        for arm in sizes.chosen_arms
    ]
    found = train_arms(material, sizes, arms, {sizes.reference: TEMPLATES})
    return {arm: [marks[sizes.reference] for marks in each] for arm, each in found.items()}


def train_arms(material: Material, sizes: Sizes, arms: list[Arm], exams: Exams) -> dict[str, list[Marks]]:
    """Train and examine what is not finished; returns by arm what each seed has reached in each exam."""
    where = device(sizes)
    runs = [(arm, seed) for seed in range(sizes.seeds) for arm in arms]
    side_by_side = sizes.side_by_side or ((os.cpu_count() or 1) if where == "cpu" else 1)
    side_by_side = max(1, min(side_by_side, len(runs)))
    readers = 1 if where == "cpu" else max(1, ((os.cpu_count() or 2) - 1) // side_by_side)
    with ThreadPoolExecutor(side_by_side) as pool, Lifeline() as lifeline:
        done = list(pool.map(lambda run: _finish(lifeline, material, sizes, where, readers, *run, exams), runs))
    results: dict[str, list[Marks]] = {arm.name: [] for arm in arms}
    for (arm, _), found in zip(runs, done, strict=True):
        results[arm.name].append(found)
    return results


def _finish(
    lifeline: Lifeline, material: Material, sizes: Sizes, where: str, readers: int, arm: Arm, seed: int, exams: Exams
) -> Marks:
    models = sizes.out / "models"
    name = f"{arm.name}-{seed}"
    results = models / f"{name}.json"
    tasks = _tasks(material, sizes, where, readers, arm, seed, exams)
    asked = models / f"{name}-tasks.json"
    before = json.loads(asked.read_text("utf-8")) if asked.exists() else [None, None]
    if results.exists() and before == tasks:
        return json.loads(results.read_text("utf-8"))
    models.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    if before[0] != tasks[0]:
        shutil.rmtree(models / name, ignore_errors=True)
    asked.write_text(json.dumps(tasks, ensure_ascii=False) + "\n", "utf-8")
    say("train", f"{name}: {sizes.samples_seen:,} samples with {tasks[0]['model']} ({where})")
    # A core has one training, with a thread: threads that wait for each other are slow on a busy machine.
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    if where == "cpu":
        environment |= {"OMP_NUM_THREADS": "1"}
    with open(models / f"{name}.log", "a") as log:
        command = [str(sizes.training), "-m", "tests.evidence.openclip", str(asked)]
        failed = lifeline.run(command, stdout=log, stderr=log, env=environment)
    if failed or not results.exists():
        raise HeadtailError(f"the training {name} failed: {log.name} says why")
    found = json.loads(results.read_text("utf-8"))
    told = ", ".join(f"{lang} {statistics.mean(marks['top1']):.1%}" for lang, marks in found.items())
    say("train", f"{name}: top-1 {told}")
    return found


def _tasks(
    material: Material, sizes: Sizes, where: str, readers: int, arm: Arm, seed: int, exams: Exams
) -> list[dict[str, Any]]:
    name, models = f"{arm.name}-{seed}", (sizes.out / "models").absolute()
    shards = sorted(path.stem for path in arm.shards.glob("*.tar"))
    if not shards:
        raise HeadtailError(f"{arm.shards} holds no shards: run the step curate")
    pattern = f"{{{shards[0]}..{shards[-1]}}}" if len(shards) > 1 else shards[0]
    concepts = chosen_concepts(material, sizes)
    common = {"model": MODELS[where], "device": where}
    training = {
        "do": "train",
        **common,
        "shards": f"{arm.shards.absolute()}/{pattern}.tar",
        "probabilities": str(arm.probabilities.absolute()) if arm.probabilities else "",
        "samples_seen": sizes.samples_seen,
        "parts": PARTS,
        "batch": BATCHES[where][0],
        "lr": BATCHES[where][1],
        "workers": min(len(shards), readers),
        "seed": seed,
        "logs": str(models),
        "name": name,
    }
    exam = {
        "do": "examine",
        **common,
        "checkpoint": str(models / name / "checkpoints" / f"epoch_{PARTS}.pt"),
        "concepts": [concept.key for concept in concepts],
        "pictures": [str((material.folder / "exam" / f"{concept.key}.png").absolute()) for concept in concepts],
        "exams": {
            lang: {"names": [concept.names.get(lang, concept.names["en"]) for concept in concepts],
                   "templates": list(templates)}
            for lang, templates in exams.items()
        },
        "views": VIEWS,
        "results": str((models / f"{name}.json").absolute()),
    }  # fmt: skip
    return [training, exam]
