"""Draws of the loader against their probabilities, in epochs and workers."""

import io
import json
import multiprocessing
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset as wds

from curation.balancing.online import OnlineBalance

EPOCHS = 6
WORKERS = 2
PROBABILITIES = {"en": [0.05, 0.4, 1.0], "de": [0.25]}


def _text(name: str, lang: str, ids: list[int], **more: Any) -> dict:
    return {"text": name, "lang": lang, "entry_ids": ids, **more}


TEXTS = [
    [_text("head", "en", [0])],
    [_text("two heads", "en", [0, 1])],
    [_text("tail", "en", [0, 2])],
    [_text("unseen entry", "en", [7])],
    [_text("german", "de", [0]), _text("english", "en", [1])],
    [_text("drawn before", "en", [1], kept=True, keep_probability=0.8), _text("lost", "en", [2], kept=False)],
]
COPIES = 250
PAIR = {
    "head": 0.05,
    "two heads": 1 - 0.95 * 0.6,
    "tail": 1.0,
    "unseen entry": 1.0,
    # each on its own; where both are kept either is used
    "german": 0.25 * (1 - 0.4 / 2),
    "english": 0.4 * (1 - 0.25 / 2),
    "drawn before": 0.5,
}
IMAGE = {**PAIR, "german": 0.125, "english": 0.2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for lang, values in PROBABILITIES.items():
        np.save(tmp_path / f"{lang}.npy", np.array(values, np.float32))
    return tmp_path


def described_in(form: int, uid: str, texts: list[dict]) -> dict:
    """The json of a sample in one of its forms (sample_json.py)."""
    if form == 1:
        return {"uid": uid, "text": "", "texts": texts}
    plain = [text["text"] for text in texts if text.get("kept", True)]
    return {"uid": uid, "caption": "", "text": "", "texts": plain, "matched_texts": texts, "entries": ["word"]}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Each set of texts 250 times, over six shards, half of the samples in each form."""
    folder, paths = tmp_path_factory.mktemp("shards"), []
    for shard in range(6):
        paths.append(str(folder / f"{shard:05d}.tar"))
        with tarfile.open(paths[-1], "w") as tar:
            for number in range(shard, len(TEXTS) * COPIES, 6):
                described = described_in(1 + number % 2, f"{number:024x}", TEXTS[number // COPIES])
                members = [("json", json.dumps(described).encode()), ("txt", b"?")]
                members += [("jpg", b"no image")] if number % 10 == 0 else []  # images pass through unseen
                for ending, data in members:
                    info = tarfile.TarInfo(f"{number:024x}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    return paths


@pytest.fixture(scope="module")
def samples(shards: list[str]) -> dict[str, list[dict]]:
    """The samples of each shard, which the workers of all epochs would read anew."""
    return {shard: list(wds.DataPipeline(wds.SimpleShardList([shard]), wds.tarfile_to_samples())) for shard in shards}


def _worker(worker: int, samples: dict[str, list[dict]], stage: OnlineBalance, results: Any) -> None:
    os.environ.update(WORKER=str(worker), NUM_WORKERS=str(WORKERS))
    pipeline = wds.DataPipeline(
        wds.SimpleShardList(list(samples)),
        wds.split_by_worker,
        lambda found: (dict(sample) for shard in found for sample in samples[shard["url"]]),
        stage,
        wds.to_tuple("__key__", "txt"),
    )
    results.put((worker, [(key, text.decode()) for key, text in pipeline]))


def _epoch(samples: dict[str, list[dict]], stage: OnlineBalance) -> list[tuple[str, str]]:
    """One epoch with workers that are started for it, as a loader without persistent workers does."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_worker, args=(k, samples, stage, results)) for k in range(WORKERS)]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    return [sample for k in range(WORKERS) for sample in found[k]]


@pytest.mark.parametrize(("unit", "expected"), [("pair", PAIR), ("image", IMAGE)], ids=["pair", "image"])
def test_over_epochs_each_text_is_kept_with_its_probability(
    unit: str, expected: dict[str, float], folder: Path, samples: dict[str, list[dict]]
) -> None:
    """1,500 draws of each text: within 4.5 standard deviations, by chance alone one run in 10,000 would fail."""
    stage = OnlineBalance(str(folder), unit, seed=5)
    epochs = [_epoch(samples, stage) for _ in range(EPOCHS)]
    seen = Counter(text for epoch in epochs for _, text in epoch)
    draws = EPOCHS * COPIES
    for text, p in expected.items():
        assert abs(seen[text] - draws * p) <= 4.5 * np.sqrt(draws * p * (1 - p)), text
    assert set(seen) == set(expected)
    assert all(len({key for key, _ in epoch}) == len(epoch) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


@pytest.mark.parametrize("unit", ["pair", "image"])
def test_seed_and_epoch_decide_the_draws(unit: str, folder: Path, samples: dict[str, list[dict]]) -> None:
    few = dict(list(samples.items())[:WORKERS])

    def first_epochs(seed: int, count: int, epoch: int = 0) -> list[list[tuple[str, str]]]:
        stage = OnlineBalance(str(folder), unit, seed=seed, epoch=epoch)
        return [_epoch(few, stage) for _ in range(count)]

    epochs = first_epochs(5, 2)
    assert first_epochs(5, 2) == epochs
    assert epochs[0] != epochs[1]
    assert first_epochs(6, 1) != epochs[:1]
    assert first_epochs(5, 1, epoch=1) == epochs[1:]


def test_workers_draw_independently(folder: Path, shards: list[str]) -> None:
    """The same shard read by two workers gives other draws."""
    stage = OnlineBalance(str(folder))
    drawn = []
    for worker in (0, 1):
        os.environ.update(WORKER=str(worker), NUM_WORKERS="2")
        try:
            pipeline = wds.DataPipeline(wds.SimpleShardList(shards[:1]), wds.tarfile_to_samples(), stage)
            drawn.append([sample["__key__"] for sample in pipeline])
        finally:
            del os.environ["WORKER"], os.environ["NUM_WORKERS"]
    assert drawn[0] != drawn[1]


def test_a_shared_epoch_decides_where_there_is_one(folder: Path) -> None:
    class Shared:
        value = 3

        def get_value(self) -> int:
            return self.value

    samples = [{"__key__": str(k), "json": json.dumps({"texts": TEXTS[1]})} for k in range(200)]
    stage = OnlineBalance(str(folder), epoch=Shared())
    first = [sample["__key__"] for sample in stage.run(samples)]
    assert [sample["__key__"] for sample in stage.run(samples)] == first
    Shared.value = 4
    assert [sample["__key__"] for sample in stage.run(samples)] != first


def test_the_json_tells_the_text_that_was_drawn(folder: Path) -> None:
    sample = {"__key__": "a", "json": json.dumps({"text": "x", "texts": TEXTS[2]}), "jpg": b"1", "txt": b"x"}
    (drawn,) = OnlineBalance(str(folder)).run([sample])
    assert drawn["txt"] == b"tail"
    assert json.loads(drawn["json"])["text"] == "tail"
    assert drawn["jpg"] == b"1"
    assert sample["txt"] == b"x"


@pytest.mark.parametrize(("before", "words"), [("tail", ["word"]), ("x", [])], ids=["same text", "another text"])
def test_the_newer_json_tells_the_caption_and_its_words(folder: Path, before: str, words: list[str]) -> None:
    described = described_in(2, "a", TEXTS[2]) | {"text": before, "caption": before}
    (drawn,) = OnlineBalance(str(folder)).run([{"__key__": "a", "json": json.dumps(described)}])
    told = {"text": "tail", "caption": "tail", "lang": "en", "entries": words}
    assert json.loads(drawn["json"]) == described | told


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        pytest.param({"__key__": "a"}, "sample a has no json", id="no json"),
        pytest.param({"__key__": "a", "json": b"{}"}, "sample a has no matched texts", id="no texts"),
        pytest.param(
            {"__key__": "a", "json": {"texts": [_text("x", "fr", [0])]}},
            r"has no fr\.npy: the languages are de, en",
            id="another language",
        ),
    ],
)
def test_a_sample_that_cannot_be_drawn_goes_to_the_handler(sample: dict, message: str, folder: Path) -> None:
    good = {"__key__": "b", "json": {"texts": TEXTS[2]}}
    with pytest.raises(ValueError, match=message):
        list(OnlineBalance(str(folder)).run([sample, good]))
    lenient = OnlineBalance(str(folder), handler=wds.ignore_and_continue)
    assert [found["__key__"] for found in lenient.run([sample, good])] == ["b"]


def test_a_folder_without_probabilities_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no entry probabilities"):
        OnlineBalance(str(tmp_path))
    with pytest.raises(ValueError, match="unit must be pair or image"):
        OnlineBalance(str(tmp_path), unit="text")
