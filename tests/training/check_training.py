"""Train OpenCLIP on a folder of shards; compare what its loader, datasets, webdataset, Energon and DALI read of them.

Runs in a virtual environment of its own (requirements.txt beside this file), where headtail is not: `make
check-training`. Exit code 0 only if everything agrees with sizes.json and the tars, and with the captions of
script_captions.py where the set has them.
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
from collections import Counter
from functools import cache
from pathlib import Path

from tests.lifeline import Lifeline
from tests.training.script_captions import captions_of, in_json, syn_texts

STEPS, BATCH = 20, 4
LOSSES = {"CLIP loss": [], "sigmoid loss": ["--siglip"]}


def main() -> None:
    """Check the folder that the first argument names."""
    folder = Path(sys.argv[1]).absolute()
    sizes = json.loads((folder / "sizes.json").read_text())
    names = sorted(name.removesuffix(".tar") for name in sizes)
    pattern = f"{folder}/{{{names[0]}..{names[-1]}}}.tar" if len(names) > 1 else f"{folder}/{names[0]}.tar"
    total = sum(sizes.values())
    tars = sorted(str(path) for path in folder.glob("*.tar"))
    manifest = json.loads((folder / "_manifest.json").read_text())
    captioned = manifest.get("captions", {}).keys() == captions_of("0").keys()
    agree("samples with captions made by a script", captions_count(tars), total if captioned else 0)
    agree("OpenCLIP's size of the set", openclip_size(pattern), total)
    agree("samples out of OpenCLIP's loader", openclip_count(pattern, tars), total)
    agree("samples that Hugging Face datasets streams from the folder", huggingface_count(str(folder), {}), total)
    for streaming in (True, False):
        how = "streams" if streaming else "loads"
        found = huggingface_count("webdataset", {"data_files": {"train": tars}}, streaming)
        agree(f"samples that Hugging Face datasets {how} from the tars", found, total)
    agree("samples that webdataset reads", webdataset_count(tars), total)
    if manifest["settings"].get("json_version", 1) > 1:
        agree("samples that RayGen's rules take", raygen_count(tars), total)
    agree("samples that Megatron-Energon reads by its index", energon_count(folder, tars), total)
    agree("samples that DALI reads by its index", dali_count(tars), total)
    agree("indexes that are those of DALI's own program", dali_indexes(folder), len(names))
    with Lifeline() as lifeline:
        agree("errors of the command in the README", readme_command(lifeline, folder), 0)
        for loss, options in LOSSES.items():
            agree(f"steps with {loss}", train(lifeline, pattern, options), STEPS)
        mixed = ["--train-data-upsampling-factors", "1::2", "--dataset-resampled"]
        agree("steps on two sets", train(lifeline, f"{pattern}::{pattern}", mixed), STEPS)


def agree(what: str, found: int, expected: int) -> None:
    """Print a figure; end with exit code 1 where it is not the expected one."""
    print(f"{what}: {found:,}", flush=True)
    if found != expected:
        sys.exit(f"{what}: expected {expected:,}, got {found:,}")


@cache
def samples_of(tar: str) -> dict[str, dict[str, bytes]]:
    """The members of each sample of a tar by their extensions, in the order of the tar."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            key, _, kind = member.name.partition(".")
            samples.setdefault(key, {})[kind] = archive.extractfile(member).read()
    return samples


def texts_of(tars: list[str]) -> dict[str, str]:
    """The txt of each sample."""
    return {key: sample["txt"].decode() for tar in tars for key, sample in samples_of(tar).items()}


def captions_count(tars: list[str]) -> int:
    """Samples whose json and syn.json hold the captions of the script, whole."""
    count = 0
    for key, sample in (each for tar in tars for each in samples_of(tar).items()):
        described = json.loads(sample["json"])
        found = {name: text for name, text in described.items() if name.startswith("caption_")}
        syn = json.loads(sample["syn.json"])["syn_text"] if "syn.json" in sample else []
        count += found == in_json(key) and syn == syn_texts(key)
    return count


def openclip_size(pattern: str) -> int:
    """What OpenCLIP makes of sizes.json."""
    from open_clip_train.data import get_dataset_size

    return get_dataset_size(pattern)[0]


def openclip_count(pattern: str, tars: list[str]) -> int:
    """Samples that OpenCLIP's own pipeline yields: with an image that decodes, and the txt."""
    from open_clip_train.data import get_wds_dataset

    args = Namespace(val_data=pattern, val_num_samples=None, batch_size=16, workers=1, world_size=1)
    data = get_wds_dataset(args, lambda image: image.size[0], is_train=False, tokenizer=lambda text: [text])
    texts = [text for widths, texts in data.dataloader for _, text in zip(widths, texts, strict=True)]
    assert Counter(texts) == Counter(texts_of(tars).values())
    return len(texts)


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
            assert sample.get("syn.json", {}).get("syn_text", made := syn_texts(sample["__key__"])) == made
            count += 1
    return count


def check_json(described: dict, text: str) -> None:
    """Compare the json of a sample with its txt, in either form, and its captions with those of the script."""
    assert described["text"] == described.get("caption", text) == text, described["uid"]
    if "matched_texts" not in described:
        assert text in [each["text"] for each in described["texts"]], described["uid"]
        return
    assert described["texts"] == [each["text"] for each in described["matched_texts"] if each["kept"]], described["uid"]
    assert text in described["texts"], described["uid"]
    assert all(isinstance(entry, str) and entry for entry in described["entries"]), described["uid"]
    captions = {key: value for key, value in described.items() if key.startswith("caption_")}
    assert all(isinstance(value, str) for value in captions.values()), described["uid"]
    made = in_json(described["uid"])
    assert captions.keys() != made.keys() or captions == made, described["uid"]


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
    for key, members in (each for tar in tars for each in samples_of(tar).items()):
        assert all(kind in ("jpg", "txt") or kind.endswith("json") for kind in members), key
        sample: dict = {}
        for kind, data in members.items():
            sample |= json.loads(data) if kind.endswith("json") else {"text" if kind == "txt" else "image": data}
        text = sample["text"].decode() if isinstance(sample["text"], bytes) else sample["text"]
        lists = [[each] if isinstance(each := sample.get(name, []), str) else each for name in ("texts", "syn_text")]
        assert all(isinstance(each, str) for each in [text, *lists[0], *lists[1]]), key
        count += bool(sample["image"] and text)
    return count


def energon_count(folder: Path, tars: list[str]) -> int:
    """Samples that Megatron-Energon loads with `.nv-meta`; each has an image that decodes, and its txt as caption."""
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    data = get_train_dataset(
        str(folder), worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0), batch_size=None,
        shuffle_buffer_size=None, max_samples_per_sequence=None, repeat=False,
    )  # fmt: skip
    texts, found = texts_of(tars), {}
    for sample in get_loader(data):
        assert sample.image.ndim == 3, sample.__key__
        found[sample.__key__.rpartition("/")[2]] = sample.caption
    assert found == texts
    return len(found)


def dali_count(tars: list[str]) -> int:
    """Samples that DALI's reader finds by our indexes; caption, json and image must be those of the tar."""
    import numpy as np
    from nvidia.dali import fn, pipeline_def, types

    indexes = [tar.replace(".tar", ".idx") for tar in tars]
    expected = [sample for tar in tars for sample in samples_of(tar).values()]

    @pipeline_def(batch_size=1, num_threads=1, device_id=None)
    def pipeline() -> tuple:
        members = fn.readers.webdataset(
            paths=tars, index_paths=indexes, ext=["txt", "json", "jpg;png;webp"], missing_component_behavior="error",
            dtypes=[types.UINT8] * 3, name="reader",
        )  # fmt: skip
        return tuple(members)

    made = pipeline()
    made.build()
    count = made.epoch_size("reader")
    for number in range(count):
        text, described, image = (bytes(np.array(each[0])) for each in made.run())
        sample = expected[number]
        assert (text, described) == (sample["txt"], sample["json"]), number
        assert image in sample.values(), number
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


def readme_command(lifeline: Lifeline, folder: Path) -> int:
    """Run the command that the README of the shards shows, in its folder, with a small model on the CPU."""
    lines = (folder / "README.md").read_text().split("```sh\n")[1].split("```")[0].replace("\\\n", " ").split()
    words = shlex.split(" ".join(lines).replace("ViT-B-32", "ViT-S-32-alt"))
    with tempfile.TemporaryDirectory() as logs:
        more = ["--device", "cpu", "--precision", "fp32", "--logs", logs]
        return lifeline.run([sys.executable, *words[1:], *more], cwd=folder, stderr=subprocess.DEVNULL)


def train(lifeline: Lifeline, pattern: str, options: list[str]) -> int:
    """Train on the CPU with OpenCLIP's own program; return the steps that its log tells of."""
    with tempfile.TemporaryDirectory() as logs, tempfile.TemporaryFile("w+") as errors:
        command = [
            sys.executable, "-m", "open_clip_train.main", "--train-data", pattern, "--dataset-type", "webdataset",
            "--train-num-samples", str(STEPS * BATCH), "--batch-size", str(BATCH), "--epochs", "1", "--workers", "1",
            "--model", "ViT-S-32-alt", "--device", "cpu", "--precision", "fp32", "--log-every-n-steps", "1",
            "--warmup", "5", "--logs", logs, "--name", "check", *options,
        ]  # fmt: skip
        failed = lifeline.run(command, stdout=subprocess.DEVNULL, stderr=errors)
        log = Path(logs, "check", "out.log")
        told = log.read_text() if log.exists() else ""
        errors.seek(0)
        last = errors.read()[-3000:]
    if failed:
        sys.exit(f"OpenCLIP's training failed:\n{last}")
    steps = re.findall(r"Train Epoch: 0 \[.*?Loss: [\d.]+", told)
    print(f"  {steps[0][-20:].strip()} ... {steps[-1][-20:].strip()}" if steps else "  no step was logged")
    return len(steps)


if __name__ == "__main__":
    main()
