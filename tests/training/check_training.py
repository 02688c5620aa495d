"""Train OpenCLIP on a folder of shards; count what its loader, datasets, webdataset, Energon and DALI read of them.

Runs in a virtual environment of its own (requirements.txt beside this file), where headtail is not: `make
check-training`. Exit code 0 only if everything agrees with sizes.json.
"""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
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
    tars = sorted(str(path) for path in folder.glob("*.tar"))
    agree("samples that Hugging Face datasets streams from the folder", huggingface_count(str(folder), {}), total)
    for streaming in (True, False):
        how = "streams" if streaming else "loads"
        found = huggingface_count("webdataset", {"data_files": {"train": tars}}, streaming)
        agree(f"samples that Hugging Face datasets {how} from the tars", found, total)
    agree("samples that webdataset reads", webdataset_count(tars), total)
    if json.loads((folder / "_manifest.json").read_text())["settings"].get("json_version", 1) > 1:
        agree("samples that RayGen's rules take", raygen_count(tars), total)
    agree("samples that Megatron-Energon reads by its index", energon_count(folder), total)
    agree("samples that DALI reads by its index", dali_count(folder), total)
    agree("indexes that are those of DALI's own program", dali_indexes(folder), len(names))
    agree("errors of the command in the README", readme_command(folder), 0)
    for loss, options in LOSSES.items():
        agree(f"steps with {loss}", train(pattern, options), STEPS)
    mixed = ["--train-data-upsampling-factors", "1::2", "--dataset-resampled"]
    agree("steps on two sets", train(f"{pattern}::{pattern}", mixed), STEPS)


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


def huggingface_count(path: str, files: dict, streaming: bool = True) -> int:
    """Samples that `datasets` gives; each has an image, a caption, and the json of a sample."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    from datasets import Image, load_dataset

    count = 0
    with tempfile.TemporaryDirectory() as cache:
        # The head of the README in a folder names the tars.
        samples = load_dataset(path, **files, split="train", streaming=streaming, cache_dir=cache)
        for sample in samples.cast_column("jpg", Image(decode=False)):
            check_json(sample["json"], sample["txt"])
            assert io.BytesIO(sample["jpg"]["bytes"]).read(2) == b"\xff\xd8", sample["__key__"]
            count += 1
    return count


def check_json(described: dict, text: str) -> None:
    """Compare the json of a sample with its txt, in either form."""
    assert described["text"] == described.get("caption", text) == text, described["uid"]
    if "matched_texts" not in described:
        assert text in [each["text"] for each in described["texts"]], described["uid"]
        return
    assert described["texts"] == [each["text"] for each in described["matched_texts"] if each["kept"]], described["uid"]
    assert text in described["texts"], described["uid"]
    assert all(isinstance(entry, str) and entry for entry in described["entries"]), described["uid"]
    assert all(isinstance(value, str) for key, value in described.items() if key.startswith("caption")), described[
        "uid"
    ]


def webdataset_count(tars: list[str]) -> int:
    """Samples that webdataset decodes as the README shows; all have the same keys in their json."""
    import webdataset as wds

    samples = wds.WebDataset(tars, shardshuffle=False).decode("pil").to_tuple("jpg;png;webp", "txt", "json")
    count, keys = 0, set()
    for image, text, described in samples:
        assert image.size == (described["width"], described["height"]), described["uid"]
        check_json(described, text)
        keys.add(tuple(described))
        count += 1
    assert len(keys) == 1, keys
    return count


def raygen_count(tars: list[str]) -> int:
    """Samples by RayGen's rules: members that end in json are merged, images are jpg, other members refused.

    `text` is a string then, and `texts` a string or a list of strings.
    """
    count = 0
    for tar in tars:
        samples: dict[str, dict] = {}
        with tarfile.open(tar) as archive:
            for member in archive:
                key, _, kind = member.name.partition(".")
                assert kind in ("jpg", "txt") or kind.endswith("json"), member.name
                data = archive.extractfile(member).read()
                more = json.loads(data) if kind.endswith("json") else {}
                samples.setdefault(key, {}).update(more or {"text" if kind == "txt" else "image": data})
        for sample in samples.values():
            texts = sample["texts"]
            text = sample["text"].decode() if isinstance(sample["text"], bytes) else sample["text"]
            assert all(isinstance(each, str) for each in [text, *([texts] if isinstance(texts, str) else texts)])
            count += bool(sample["image"] and text)
    return count


def energon_count(folder: Path) -> int:
    """Samples that Megatron-Energon loads with `.nv-meta`; each has an image that decodes and a caption of its own."""
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    data = get_train_dataset(
        str(folder), worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0), batch_size=None,
        shuffle_buffer_size=None, max_samples_per_sequence=None, repeat=False,
    )  # fmt: skip
    keys = set()
    for sample in get_loader(data):
        assert sample.image.ndim == 3, sample.__key__
        assert sample.caption, sample.__key__
        keys.add(sample.__key__)
    return len(keys)


def dali_count(folder: Path) -> int:
    """Samples that DALI's reader finds by our indexes; each caption must be that of the tar."""
    import numpy as np
    from nvidia.dali import fn, pipeline_def, types

    tars = sorted(str(path) for path in folder.glob("*.tar"))
    indexes = [tar.replace(".tar", ".idx") for tar in tars]
    expected = []
    for tar in tars:
        with tarfile.open(tar) as archive:
            expected += [archive.extractfile(each).read() for each in archive if each.name.endswith(".txt")]

    @pipeline_def(batch_size=1, num_threads=1, device_id=None)
    def pipeline() -> tuple:
        texts, images = fn.readers.webdataset(
            paths=tars, index_paths=indexes, ext=["txt", "jpg;png;webp"], missing_component_behavior="error",
            dtypes=[types.UINT8, types.UINT8], name="reader",
        )  # fmt: skip
        return texts, images

    made = pipeline()
    made.build()
    count = made.epoch_size("reader")
    for number in range(count):
        texts, images = made.run()
        assert bytes(np.array(texts[0])) == expected[number], number
        assert len(np.array(images[0])), number
    return count


def dali_indexes(folder: Path) -> int:
    """Shards whose index is, byte by byte, what DALI's `wds2idx` makes of the tar."""
    same = 0
    for tar in folder.glob("*.tar"):
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch, "made.idx")
            command = [str(Path(sys.executable).with_name("wds2idx")), str(tar), str(made)]
            subprocess.run(command, check=True, capture_output=True)
            same += made.read_bytes() == tar.with_suffix(".idx").read_bytes()
    return same


def readme_command(folder: Path) -> int:
    """Run the command that the README of the shards shows, in its folder, with a small model on the CPU."""
    lines = (folder / "README.md").read_text().split("```sh\n")[1].split("```")[0].replace("\\\n", " ").split()
    words = shlex.split(" ".join(lines).replace("ViT-B-32", "ViT-S-32-alt"))
    with tempfile.TemporaryDirectory() as logs:
        more = ["--device", "cpu", "--precision", "fp32", "--logs", logs]
        done = subprocess.run([sys.executable, *words[1:], *more], cwd=folder, capture_output=True, check=False)
    return done.returncode


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
