"""Balance shards with captions inside OpenCLIP's own loader, and read them by the rules of other loaders.

`make check-training` runs it on the captioned set of the sample (captioned.py). Other shards are copied, and a json
that has no such captions gets two, one of them missing in each third sample. Exit code 0 only if every reader gets what
the json says.
"""

import inspect
import io
import json
import os
import sys
import tarfile
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from headtail import OnlineBalance, position_after

CAPTIONS = {"caption_long": 0.3, "caption_short": 0.15}
PROBABILITY = 0.1
WORKERS, BATCH = 2, 8
PLACE = "wds.select(filter_no_caption_or_no_image),"
"""The line of OpenCLIP 3.3.0 behind which the stage stands."""


def main() -> None:
    """Check the folder that the first argument names."""
    shards = Path(sys.argv[1]).absolute()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        tars, described = with_captions(shards, Path(scratch, "shards"))
        folder = Path(scratch, "probabilities")
        folder.mkdir()
        for lang in {text["lang"] for each in described.values() for text in texts_of(each)}:
            np.save(folder / f"{lang}.npy", np.full(1 << 20, PROBABILITY, np.float32))
        expected, counts = alone(tars, folder)
        print("one process:", ", ".join(f"{name} {count}" for name, count in counts.items()))
        agree("captions in OpenCLIP's loader", openclip(tars, folder, len(expected)), Counter(expected.values()))
        agree("captions behind the shuffle, as on OpenCLIP's main branch", main_branch(tars, folder), expected)
        alt_texts = {key: each["text"] for key, each in described.items()}
        priority = {key: first_of(each, "caption_short", "caption_long") for key, each in described.items()}
        agree("texts by OpenCLIP's keys of the json", main_branch(tars, None, "caption_short;caption_long"), priority)
        both = {key: captions(each) for key, each in described.items()}
        agree("captions that datasets streams", huggingface(tars), both)
        agree("texts by RayGen's rules", raygen(tars), alt_texts)
        for start in ("fork", "spawn"):
            whole = batches(tars, folder, start)
            for had in (WORKERS, 3 * WORKERS):
                rest = dict(enumerate(batches(tars, folder, start, had)))
                expected_rest = dict(enumerate(whole[had:]))
                agree(f"batches after a restart behind {had}, workers by {start}", rest, expected_rest)


def agree(what: str, found: dict, expected: dict) -> None:
    """Print how many agree; end with exit code 1 where they differ."""
    count = found.total() if isinstance(found, Counter) else len(found)
    print(f"{what}: {count:,}", flush=True)
    if found != expected or not found:
        differ = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
        example = f"{differ[0]!r} is {found.get(differ[0])!r}" if differ else "there is none"
        sys.exit(f"{what}: {len(differ):,} of {len(expected):,} differ: {example}")


def with_captions(shards: Path, copy: Path) -> tuple[list[str], dict[str, dict]]:
    """Copy the tars with captions in each json; return their paths, and the json of each sample."""
    copy.mkdir()
    described = {}
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as old, tarfile.open(copy / path.name, "w") as new:
            for member in old:
                data = old.extractfile(member).read()
                key, _, extension = member.name.partition(".")
                if extension == "json":
                    number = len(described)
                    made = {
                        "caption_long": f"A long caption of sample {number}, made by a script.",
                        "caption_short": "" if number % 3 == 0 else f"Sample {number}.",
                    }
                    described[key] = made | json.loads(data)
                    data = json.dumps(described[key]).encode()
                    member.size = len(data)
                new.addfile(member, io.BytesIO(data))
    return [str(path) for path in sorted(copy.glob("*.tar"))], described


def texts_of(described: dict) -> list[dict]:
    """The matched texts, in either form of the json."""
    return described.get("matched_texts", described["texts"])


def first_of(described: dict, *names: str) -> str:
    """The first text under these keys that is not empty."""
    return next(described[name] for name in names if described[name])


def captions(described: dict) -> list[str]:
    """Both captions."""
    return [described[name] for name in CAPTIONS]


def stage(folder: Path, epoch: object = 0) -> OnlineBalance:
    """The stage whose draws all places must share; OpenCLIP's epoch is 0, too."""
    return OnlineBalance(str(folder), seed=7, epoch=epoch, captions=CAPTIONS)


def alone(tars: list[str], folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """What the stage keeps without a loader, by key, and its counts."""
    import webdataset as wds

    made = stage(folder)
    samples = wds.DataPipeline(wds.SimpleShardList(tars), wds.tarfile_to_samples(), made)
    return {sample["__key__"]: sample["txt"].decode() for sample in samples}, made.counts()


def openclip(tars: list[str], folder: Path, size: int) -> Counter[str]:
    """The captions that OpenCLIP's pipeline function for training yields, with the stage at its place in the source."""
    from open_clip_train import data

    source = inspect.getsource(data.get_wds_dataset)
    assert source.count(PLACE) == 1, source
    names = {**vars(data), "stage": partial(stage, folder)}
    exec(source.replace(PLACE, f"{PLACE} stage(shared_epoch),"), names)
    args = Namespace(
        train_data="::".join(tars), train_num_samples=size, train_data_upsampling_factors=None, dataset_resampled=False,
        seed=0, batch_size=1, workers=1, world_size=1,
    )  # fmt: skip
    made = names["get_wds_dataset"](args, lambda image: image.size[0], is_train=True, tokenizer=lambda text: [text])
    return Counter(text for _, texts in made.dataloader for text in texts)


def main_branch(tars: list[str], folder: Path | None, keys: str = "caption") -> dict[str, str]:
    """The texts that stages in the order of OpenCLIP's main branch take from the json: the first key with a text.

    No package carries that version, so its stages are made of webdataset's own. `folder` puts the stage behind the
    shuffle. Renaming drops all members but image and json, and then the json is dropped.
    """
    import webdataset as wds

    def caption(sample: dict) -> dict:
        meta = json.loads(sample.pop("json"))
        values = (meta.get(key) for key in keys.split(";"))
        text = next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")
        return {**sample, "key": meta["uid"], "text": text}

    samples = wds.DataPipeline(
        wds.SimpleShardList(tars), wds.split_by_node, wds.split_by_worker, wds.tarfile_to_samples(),
        wds.shuffle(bufsize=100, initial=20), *([stage(folder)] if folder else []),
        wds.select(lambda sample: "json" in sample and any(each in sample for each in ("jpg", "png", "webp"))),
        wds.rename(image="jpg;png;jpeg;webp", json="json", keep=False), wds.map(caption),
        wds.select(lambda sample: bool(sample["text"])), wds.to_tuple("key", "text"),
    )  # fmt: skip
    return dict(samples)


def huggingface(tars: list[str]) -> dict[str, list[str]]:
    """Both captions of each sample that `datasets` streams: the same keys in each json."""
    from datasets import Image, load_dataset

    samples = load_dataset("webdataset", data_files={"train": tars}, split="train", streaming=True)
    return {each["__key__"]: captions(each["json"]) for each in samples.cast_column("jpg", Image(decode=False))}


def raygen(tars: list[str]) -> dict[str, str]:
    """Texts by the documented rules of RayGen: merged `json` members, `text` a string, `texts` a list of strings."""
    found = {}
    for key, members in members_of(tars):
        assert not {"png", "webp"} & {name.lower() for name in members}, key
        merged = {}
        for name in sorted(members):
            if name.endswith("json"):
                merged |= json.loads(members[name])
        assert isinstance(merged["text"], str), key
        # The older form of our json has objects there.
        assert "matched_texts" not in merged or all(isinstance(text, str) for text in merged["texts"]), key
        found[key] = merged["text"]
    return found


def batches(tars: list[str], folder: Path, start: str, had: int = 0) -> list[list[str]]:
    """The keys of each batch that a DataLoader of PyTorch yields of an epoch, behind the first `had` batches."""
    import webdataset as wds
    from torch.utils.data import DataLoader

    made = stage(folder)
    made.load_state_dict(position_after(had, BATCH, WORKERS))
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(tars), wds.split_by_worker, wds.tarfile_to_samples(), made, wds.to_tuple("__key__"),
        wds.batched(BATCH, partial=False),
    )  # fmt: skip
    loader = DataLoader(pipeline, batch_size=None, num_workers=WORKERS, multiprocessing_context=start)
    return [list(keys) for (keys,) in loader]


def members_of(tars: list[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The key and the members of each sample."""
    for path in tars:
        with tarfile.open(path) as tar:
            samples: dict[str, dict[str, bytes]] = {}
            for member in tar:
                key, _, extension = member.name.partition(".")
                samples.setdefault(key, {})[extension] = tar.extractfile(member).read()
        yield from samples.items()


if __name__ == "__main__":
    main()
