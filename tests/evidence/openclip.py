"""Train a small model with OpenCLIP's own program, and examine it: runs in OpenCLIP's environment, not in headtail's.

`python -m tests.evidence.openclip TASK.json` with a file that `tests.evidence.trainings` wrote.
"""

import inspect
import json
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

from tests.evidence.renderings import render

CONFIGS = Path(__file__).parent


PLACE = "wds.select(filter_no_caption_or_no_image),"
"""The line of OpenCLIP 3.3.0 behind which the stage of online balancing stands (docs/balancing.md)."""


def train(task: dict[str, Any]) -> None:
    """Train one model on the shards of an arm, as `python -m open_clip_train.main` does, unless it is trained.

    A training of several parts goes on behind the last one that is finished.
    """
    checkpoints = Path(task["logs"]) / task["name"] / "checkpoints"
    for checkpoint in checkpoints.glob("epoch_*.pt"):
        if not zipfile.is_zipfile(checkpoint):  # a run was ended while it wrote the file
            checkpoint.unlink()
    if (checkpoints / f"epoch_{task['parts']}.pt").exists():
        return
    import open_clip
    from open_clip_train.main import main

    open_clip.add_model_config(CONFIGS / f"{task['model']}.json")
    if task["probabilities"]:
        balance_online(task["probabilities"], task["seed"])
    arguments = {
        "train-data": task["shards"],
        "dataset-type": "webdataset",
        "train-num-samples": max(1, task["samples_seen"] // task["parts"]),
        "batch-size": task["batch"],
        "epochs": task["parts"],
        "workers": task["workers"],
        "model": task["model"],
        "device": task["device"],
        "precision": "fp32" if task["device"] == "cpu" else "amp_bf16",
        "lr": task["lr"],
        "beta2": 0.98,
        "warmup": max(1, task["samples_seen"] // task["batch"] // 20),
        "seed": task["seed"],
        "save-frequency": 1,
        "log-every-n-steps": 50,
        "logs": task["logs"],
        "name": task["name"],
        "resume": "latest",
    }
    words = (word for name, value in arguments.items() for word in (f"--{name}", str(value)))
    main(["--dataset-resampled", "--delete-previous-checkpoint", *words])


def balance_online(probabilities: str, seed: int) -> None:
    """Put the stage of online balancing at its place in OpenCLIP's own pipeline."""
    from open_clip_train import data

    from headtail import OnlineBalance

    source = inspect.getsource(data.get_wds_dataset)
    if source.count(PLACE) != 1:
        sys.exit(f"this version of OpenCLIP has no line {PLACE}")
    stage = partial(OnlineBalance, probabilities, "pair", seed)
    exec(
        source.replace(PLACE, f"{PLACE} online_balance(shared_epoch),"),
        vars(data) | {"online_balance": stage},
        names := {},
    )
    data.get_wds_dataset = names["get_wds_dataset"]


def examine(task: dict[str, Any]) -> None:
    """Name the pictures among all names, and find a picture for each name; once with the names of each language.

    The results are by language, and have a share for each concept: `top1` and `top5` of its pictures whose name is the
    best one, and among the best five; `found`, 1 where the best of all pictures for its name shows it, otherwise 0.
    """
    import open_clip
    import torch
    from PIL import Image

    open_clip.add_model_config(CONFIGS / f"{task['model']}.json")
    device = task["device"]
    model, _, preprocess = open_clip.create_model_and_transforms(
        task["model"], pretrained=task["checkpoint"], device=device
    )
    model.eval()
    seen = []
    for key, path in zip(task["concepts"], task["pictures"], strict=True):
        with Image.open(path) as image:
            drawing = image.convert("RGBA")
        views = [render(drawing, f"exam/{key}/{view}") for view in range(task["views"])]
        with torch.no_grad():
            seen.append(model.encode_image(torch.stack(list(map(preprocess, views))).to(device), normalize=True))
    results = {}
    for lang, asked in task["exams"].items():
        classes = list(dict.fromkeys(asked["names"]))  # what has one name in a language is one answer
        classifier = open_clip.build_zero_shot_classifier(
            model,
            open_clip.get_tokenizer(task["model"]),
            classnames=classes,
            templates=[lambda name, template=template: template.format(name=name) for template in asked["templates"]],
            num_classes_per_batch=64,
            device=device,
        )
        right = torch.tensor([classes.index(name) for name in asked["names"]], device=device)
        near = torch.stack(seen) @ classifier  # concepts x views x classes
        best = near.topk(5).indices == right[:, None, None]
        shown = right[near.flatten(0, 1).argmax(dim=0) // task["views"]]  # by class: what its best picture shows
        results[lang] = {
            "top1": best[..., 0].float().mean(dim=1).tolist(),
            "top5": best.any(dim=2).float().mean(dim=1).tolist(),
            "found": (shown[right] == right).float().tolist(),
        }
    Path(task["results"]).write_text(json.dumps(results) + "\n", "utf-8")


def main() -> None:
    """Do the tasks of a file, one after the other."""
    for task in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        {"train": train, "examine": examine}[task["do"]](task)


if __name__ == "__main__":
    main()
