"""Train a small model with OpenCLIP's own program, and examine it: runs in OpenCLIP's environment, not in headtail's.

`python -m tests.evidence.openclip TASK.json` with a file that `tests.evidence.trainings` wrote.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.evidence.renderings import render

CONFIGS = Path(__file__).parent


def train(task: dict[str, Any]) -> None:
    """Train one model on the shards of an arm, as `python -m open_clip_train.main` does, unless it is trained."""
    if (Path(task["logs"]) / task["name"] / "checkpoints" / "epoch_1.pt").exists():
        return
    import open_clip
    from open_clip_train.main import main

    open_clip.add_model_config(CONFIGS / f"{task['model']}.json")
    arguments = {
        "train-data": task["shards"],
        "dataset-type": "webdataset",
        "train-num-samples": task["samples_seen"],
        "batch-size": task["batch"],
        "epochs": 1,
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
    }
    main(["--dataset-resampled", *(word for name, value in arguments.items() for word in (f"--{name}", str(value)))])


def examine(task: dict[str, Any]) -> None:
    """Name the pictures of the exam among all concepts; write for each concept the shares of right answers."""
    import open_clip
    import torch
    from PIL import Image

    open_clip.add_model_config(CONFIGS / f"{task['model']}.json")
    device = task["device"]
    model, _, preprocess = open_clip.create_model_and_transforms(
        task["model"], pretrained=task["checkpoint"], device=device
    )
    model.eval()
    classifier = open_clip.build_zero_shot_classifier(
        model,
        open_clip.get_tokenizer(task["model"]),
        classnames=task["names"],
        templates=[lambda name, template=template: template.format(name=name) for template in task["templates"]],
        num_classes_per_batch=64,
        device=device,
    )
    shares: dict[str, list[float]] = {"top1": [], "top5": []}
    for number, (key, path) in enumerate(zip(task["concepts"], task["pictures"], strict=True)):
        with Image.open(path) as image:
            drawing = image.convert("RGBA")
        views = [render(drawing, f"exam/{key}/{view}") for view in range(task["views"])]
        batch = torch.stack([preprocess(view) for view in views]).to(device)
        with torch.no_grad():
            best = (model.encode_image(batch, normalize=True) @ classifier).topk(5).indices == number
        shares["top1"].append(best[:, 0].float().mean().item())
        shares["top5"].append(best.any(dim=1).float().mean().item())
    Path(task["results"]).write_text(json.dumps(shares) + "\n", "utf-8")


def main() -> None:
    """Do the tasks of a file, one after the other."""
    for task in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        {"train": train, "examine": examine}[task["do"]](task)


if __name__ == "__main__":
    main()
