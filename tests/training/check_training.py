"""Train OpenCLIP on a folder of shards, count what its loader yields, stream the shards with Hugging Face datasets.

Runs in a virtual environment of its own (requirements.txt beside this file), where headtail is not: `make
check-training`. Exit code 0 only if everything agrees with sizes.json.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

STEPS, BATCH = 20, 4
LOSSES = {"CLIP loss": [], "sigmoid loss": ["--siglip"]}


def main() -> None:
    """Check the folder that the first argument names."""
    folder = Path(sys.argv[1]).absolute()
    sizes = json.loads((folder / "sizes.json").read_text())
    names = sorted(name.removesuffix(".tar") for name in sizes)
    pattern = f"{folder}/{{{names[0]}..{names[-1]}}}.tar" if len(names) > 1 else f"{folder}/{names[0]}.tar"
    total = sum(sizes.values())
    agree("OpenCLIP's size of the set", openclip_size(pattern), total)
    agree("samples out of OpenCLIP's loader", openclip_count(pattern), total)
    agree("samples that Hugging Face datasets streams", huggingface_count(folder), total)
    for loss, options in LOSSES.items():
        agree(f"steps with {loss}", train(pattern, options), STEPS)


def agree(what: str, found: int, expected: int) -> None:
    """Print a figure; end with exit code 1 where it is not the expected one."""
    print(f"{what}: {found:,}", flush=True)
    if found != expected:
        sys.exit(f"{what}: expected {expected:,}, got {found:,}")


def openclip_size(pattern: str) -> int:
    """What OpenCLIP makes of sizes.json."""
    from open_clip_train.data import get_dataset_size

    return get_dataset_size(pattern)[0]


def openclip_count(pattern: str) -> int:
    """Samples that OpenCLIP's own pipeline yields: with an image that decodes and a caption."""
    from open_clip_train.data import get_wds_dataset

    args = Namespace(val_data=pattern, val_num_samples=None, batch_size=16, workers=1, world_size=1)
    data = get_wds_dataset(args, lambda image: image.size[0], is_train=False, tokenizer=lambda text: [len(text)])
    return sum(len(widths) for widths, _ in data.dataloader)


def huggingface_count(folder: Path) -> int:
    """Samples that `datasets` streams; each has an image, a caption, and the caption in its json."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    from datasets import Image, load_dataset

    samples = load_dataset("webdataset", data_files={"train": f"{folder}/*.tar"}, split="train", streaming=True)
    count = 0
    for sample in samples.cast_column("jpg", Image(decode=False)):
        assert sample["json"]["text"] == sample["txt"], sample["__key__"]
        assert io.BytesIO(sample["jpg"]["bytes"]).read(2) == b"\xff\xd8", sample["__key__"]
        count += 1
    return count


def train(pattern: str, options: list[str]) -> int:
    """Train on the CPU with OpenCLIP's own program; return the steps that its log tells of."""
    with tempfile.TemporaryDirectory() as logs:
        command = [
            sys.executable, "-m", "open_clip_train.main", "--train-data", pattern, "--dataset-type", "webdataset",
            "--train-num-samples", str(STEPS * BATCH), "--batch-size", str(BATCH), "--epochs", "1", "--workers", "1",
            "--model", "ViT-S-32-alt", "--device", "cpu", "--precision", "fp32", "--log-every-n-steps", "1",
            "--warmup", "5", "--logs", logs, "--name", "check", *options,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        log = Path(logs, "check", "out.log")
        told = log.read_text() if log.exists() else ""
    if done.returncode:
        sys.exit(f"OpenCLIP's training failed:\n{done.stderr[-3000:]}")
    steps = re.findall(r"Train Epoch: 0 \[.*?Loss: [\d.]+", told)
    print(f"  {steps[0][-20:].strip()} ... {steps[-1][-20:].strip()}" if steps else "  no step was logged")
    return len(steps)


if __name__ == "__main__":
    main()
