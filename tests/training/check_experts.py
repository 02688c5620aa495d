"""Train a common model and each data expert two steps, by the commands in the README beside sets of shards by cluster.

Runs in the virtual environment of check_training.py: `make check-training`. The model is small and on the CPU, and an
epoch has two steps; data, factors, `--dataset-resampled` and `--resume` are those of the README. Exit code 0 only if
every command makes its steps, and each expert goes on at the common model's epoch.
"""

import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lifeline import Lifeline

STEPS, BATCH = 2, 4
SMALL = (
    f"--model ViT-S-32-alt --device cpu --precision fp32 --batch-size {BATCH} --workers 1 --warmup 1 "
    f"--train-num-samples {STEPS * BATCH} --log-every-n-steps 1 --save-frequency 1 --name check"
).split()
"""What replaces settings of the commands: of several values OpenCLIP takes the last."""


def main() -> None:
    """Check the folder that the first argument names."""
    folder = Path(sys.argv[1]).absolute()
    common, *experts = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    sets = sorted(path.name for path in folder.glob("coarse-*") if any(path.glob("*.tar")))
    agree("commands of experts, one for each set with samples", len(experts), len(sets))
    with Lifeline() as lifeline, tempfile.TemporaryDirectory() as logs:
        agree("steps of the common model", train(lifeline, folder, common, logs, 1), [0] * STEPS)
        checkpoint = Path(logs, "common.pt")
        Path(logs, "check/checkpoints/epoch_1.pt").rename(checkpoint)
        for name, command in zip(sets, experts, strict=True):
            agree(f"{name} before the others", re.findall(r"coarse-\d+", command)[0], name)
            resumed = command.replace("common.pt", shlex.quote(str(checkpoint)))
            with tempfile.TemporaryDirectory() as mine:
                agree(f"steps of the expert of {name}", train(lifeline, folder, resumed, mine, 2), [1] * STEPS)


def train(lifeline: Lifeline, folder: Path, command: str, logs: str, epochs: int) -> list[int]:
    """Run a command of the README in its folder; return the epoch of each step that the log tells of."""
    words = shlex.split(command.replace("\\\n", " "))
    with tempfile.TemporaryFile("w+") as errors:
        line = [sys.executable, *words[1:], *SMALL, "--epochs", str(epochs), "--logs", logs]
        failed = lifeline.run(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors)
        errors.seek(0)
        told = errors.read()
    if failed:
        sys.exit(f"OpenCLIP's training failed:\n{told[-3000:]}")
    log = Path(logs, "check/out.log").read_text()
    return [int(epoch) for epoch in re.findall(r"Train Epoch: (\d+) \[.*?Loss: [\d.]+", log)]


def agree(what: str, found: object, expected: object) -> None:
    """Print a number, and leave if it is another one than expected."""
    print(f"{what}: {found}")
    if found != expected:
        sys.exit(f"{what}: {found}, expected {expected}")


if __name__ == "__main__":
    main()
