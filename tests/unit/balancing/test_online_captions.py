"""Captions, masks and positions of the loader's stage, and its place on the main branch of OpenCLIP."""

import io
import json
import random
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset as wds

from curation.balancing.online import OnlineBalance
from curation.balancing.worker_state import position_after

COUNT = 1250
SEEDS = range(3)
CAPTIONS = {"caption_long": 0.3, "caption_short": 0.15}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("probabilities")
    np.save(folder / "en.npy", np.array([0.4, 1.0], np.float32))
    return str(folder)


def sample(number: int, form: int = 2) -> dict[str, Any]:
    """A sample of either form of json: a head text, kept with 0.4, and no short caption in each fourth."""
    matched = [
        {"text": f"a dog {number}", "lang": "en", "entry_ids": [0], "kept": True, "keep_probability": 1.0},
        {"text": "was not kept", "lang": "en", "entry_ids": [1], "kept": False, "keep_probability": 1.0},
    ]
    described: dict[str, Any] = {"uid": f"{number:024x}", "text": f"a dog {number}", "lang": "en", "texts": matched}
    if form == 2:
        short = "" if number % 4 == 0 else f"Dog {number}."
        described |= {"caption": described["text"], "texts": [f"a dog {number}"], "matched_texts": matched}
        described |= {"entries": ["dog"], "caption_long": f"The dog of number {number}.", "caption_short": short}
    return {"__key__": f"{number:024x}", "json": json.dumps(described).encode(), "txt": b"?", "jpg": b"\xff"}


def stage(folder: str, **more: Any) -> OnlineBalance:
    return OnlineBalance(folder, **more)


def kept(stage: OnlineBalance, samples: Any) -> dict[str, str]:
    return {found["__key__"]: found["txt"].decode() for found in stage.run(samples)}


def test_captions_come_with_their_weights_after_the_sample_is_kept(folder: str) -> None:
    """7 counts of 3 seeds, each within 4.5 standard deviations: one run in 7,000 would fail by chance."""
    samples = [sample(number) for number in range(COUNT)]
    epochs = []
    for seed in SEEDS:
        drawn = stage(folder, seed=seed, captions=CAPTIONS)
        with_captions, without = kept(drawn, samples), kept(stage(folder, seed=seed), samples)
        assert list(with_captions) == list(without)
        assert all(text.startswith("a dog") for text in without.values())
        counts = drawn.counts()
        there = sum(int(key, 16) % 4 != 0 for key in without)
        laws = {
            "kept": (counts["samples"] - counts["not_kept"], COUNT, 0.4),
            "alt_text": (counts["alt_text"] - counts["caption_short_missing"], len(without), 0.55),
            "long": (counts["caption_long"], len(without), 0.3),
            "short": (counts["caption_short"], there, 0.15),
            "missing": (counts["caption_short_missing"], len(without) - there, 0.15),
            "tells long": (sum(text.startswith("The dog") for text in with_captions.values()), len(without), 0.3),
            "tells short": (sum(text.startswith("Dog") for text in with_captions.values()), there, 0.15),
        }
        for name, (found, draws, p) in laws.items():
            assert abs(found - draws * p) <= 4.5 * np.sqrt(draws * p * (1 - p)), (seed, name)
        texts = ("alt_text", "caption_long", "caption_short")
        assert counts["samples"] == COUNT == counts["not_kept"] + sum(counts[name] for name in texts)
        assert counts["caption_long_missing"] == counts["masked"] == counts["faulty"] == 0
        epochs += [with_captions, kept(drawn, samples)]
    assert len({tuple(epoch.items()) for epoch in epochs}) == len(epochs)


def test_caption_and_keeping_are_drawn_apart(folder: str) -> None:
    """Of samples that an epoch keeps, no more have a caption than of those that another keeps: see above."""
    samples = [sample(number) for number in range(COUNT)]
    drawn = stage(folder, captions={"caption_long": 0.3})
    first, second = kept(drawn, samples), kept(drawn, samples)
    both = first.keys() & second.keys()
    assert abs(len(both) - COUNT * 0.16) <= 4.5 * np.sqrt(COUNT * 0.16 * 0.84)
    twice = sum(first[key].startswith("The") and second[key].startswith("The") for key in both)
    assert abs(twice - len(both) * 0.09) <= 4.5 * np.sqrt(len(both) * 0.09 * 0.91)


def test_draws_do_not_depend_on_the_order_and_captions_not_on_the_worker(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [sample(number) for number in range(600)]
    whole = kept(stage(folder, captions=CAPTIONS, seed=3), samples)
    mixed = random.Random(1).sample(samples, 600)
    assert kept(stage(folder, captions=dict(reversed(CAPTIONS.items())), seed=3), mixed) == whole
    monkeypatch.setenv("WORKER", "1")
    monkeypatch.setenv("NUM_WORKERS", "2")
    other = kept(stage(folder, captions=CAPTIONS, seed=3), samples)
    assert other.keys() != whole.keys()
    assert {key: other[key] for key in other.keys() & whole} == {key: whole[key] for key in other.keys() & whole}


def test_the_older_json_has_texts_and_may_have_captions(folder: str) -> None:
    samples = [sample(number, form=1) for number in range(200)]
    assert kept(stage(folder, captions=CAPTIONS), samples) == kept(stage(folder), samples)
    assert kept(stage(folder), samples) == kept(stage(folder), [sample(number) for number in range(200)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "a dog 1"), ("", "a dog 1"), (" \n", "a dog 1"), (["list"], "a dog 1"), (7, "a dog 1"), ("Ünï", "Ünï")],
    ids=["missing", "empty", "blank", "a list", "a number", "a caption"],
)
def test_where_a_caption_is_missing_the_alt_text_stays_and_is_counted(value: Any, expected: str, folder: str) -> None:
    given = sample(1)
    described = json.loads(given["json"])
    del described["caption_long"]
    described |= {} if value is None else {"caption_long": value}
    drawn = stage(folder, captions={"caption_long": 1.0}, seed=next(_seeds_that_keep(folder)))
    (found,) = drawn.run([{**given, "json": described}])
    told = json.loads(found["json"])
    assert found["txt"].decode() == told["text"] == told["caption"] == expected
    assert told["entries"] == ["dog"]  # those of the alt-text
    assert drawn.counts()["caption_long_missing"] == drawn.counts()["alt_text"] == (expected == "a dog 1")


def _seeds_that_keep(folder: str) -> Iterator[int]:
    return (seed for seed in range(100) if kept(stage(folder, seed=seed), [sample(1)]))


def test_entries_are_those_of_the_text_or_none(folder: str) -> None:
    given = sample(1)
    described = {**json.loads(given["json"]), "text": "the text of the shards"}
    (found,) = stage(folder, seed=next(_seeds_that_keep(folder))).run([{**given, "json": described}])
    assert json.loads(found["json"])["entries"] == []


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ({"a": 0.7, "b": 0.4}, "the weights add up to 1.1, expected at most 1"),
        ({"a": 0}, "the weight of a must be above 0 and at most 1, got 0"),
        ({"a": "0.1"}, "the weight of a must be above 0 and at most 1, got '0.1'"),
        ({"alt_text": 0.1}, "alt_text is the name of one of the counts"),
        ({"repeated": 0.1}, "repeated is the name of one of the counts"),
        ({"a": 0.1, "a_missing": 0.1}, "a_missing is the name of one of the counts"),
    ],
    ids=["more than all", "nothing", "a string", "a count", "a count of repeats", "a count of another"],
)
def test_impossible_captions_are_refused(captions: dict, message: str, folder: str) -> None:
    with pytest.raises(ValueError, match=message):
        stage(folder, captions=captions)


def test_a_mask_is_a_subset_of_the_same_draws(folder: str) -> None:
    samples = [sample(number) for number in range(900)]
    subset = [f"{number:024x}" for number in range(0, 900, 3)]
    whole = kept(stage(folder, captions=CAPTIONS), samples)
    masked = stage(folder, captions=CAPTIONS, mask=subset)
    # An odd key is that of a set that was packed anew: the json has the uid. A faulty json outside is not read.
    packed = [{**each, "__key__": f"0000/{place}"} if place == 3 else each for place, each in enumerate(samples)]
    packed[4] = {**packed[4], "json": b"{"}
    found = kept(masked, packed)
    assert list(found.values()) == [text for key, text in whole.items() if int(key, 16) % 3 == 0]
    assert masked.counts()["masked"] == 600
    with pytest.raises(ValueError, match=r"'dog\.1' is no uid: a mask needs samples with uids of 24 hex digits"):
        kept(masked, [{"__key__": "x", "json": {"uid": "dog.1"}}])


def test_an_epoch_goes_on_where_it_was_stopped(folder: str) -> None:
    samples = [sample(number) for number in range(500)]
    whole = stage(folder, captions=CAPTIONS, seed=1)
    epochs = [list(kept(whole, samples).items()) for _ in range(3)]
    stopped = stage(folder, captions=CAPTIONS, seed=1)
    kept(stopped, samples)
    list(islice(stopped.run(samples), 40))
    state = json.loads(json.dumps(stopped.state_dict()))
    assert state == position_after(4, batch_size=10, epoch=1)
    resumed = stage(folder, captions=CAPTIONS, seed=1)
    resumed.load_state_dict(state)
    assert [list(kept(resumed, samples).items()) for _ in range(2)] == [epochs[1][40:], epochs[2]]
    # Samples that were passed over were counted in the first run.
    assert resumed.counts()["samples"] - resumed.counts()["not_kept"] == len(epochs[1]) - 40 + len(epochs[2])


def test_workers_go_on_each_where_it_was(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches of two workers, taken in turn as a DataLoader takes them, before and after a restart."""

    def batches(drawn: OnlineBalance) -> list[list[str]]:
        monkeypatch.setenv("NUM_WORKERS", "2")
        by_worker = []
        for worker in range(2):
            monkeypatch.setenv("WORKER", str(worker))
            mine = list(kept(drawn, (sample(number) for number in range(worker, 400, 2))))
            by_worker.append([mine[start : start + 5] for start in range(0, len(mine) // 5 * 5, 5)])
        return [batch for both in zip(*by_worker, strict=False) for batch in both]

    expected = batches(stage(folder, seed=2))
    for had in (1, 2, 7):
        resumed = stage(folder, seed=2)
        resumed.load_state_dict(position_after(had, batch_size=5, workers=2))
        found = batches(resumed)
        rest = expected[had:]
        # Batches are the same; where the first worker was one ahead, they begin with the other's.
        expected_turns = rest if had % 2 == 0 else [rest[place ^ 1] for place in range(len(rest) // 2 * 2)]
        assert found[: len(expected_turns)] == expected_turns
    monkeypatch.setenv("NUM_WORKERS", "3")
    resumed.load_state_dict(position_after(2, batch_size=5, workers=2))
    with pytest.raises(ValueError, match="the state is of a loader with 2 workers, this one has 3"):
        kept(resumed, [])


def test_a_state_is_of_the_epoch_that_the_trainer_begins(folder: str) -> None:
    class Shared:
        value = 4

        def get_value(self) -> int:
            return self.value

    samples = [sample(number) for number in range(100)]
    whole = kept(stage(folder, epoch=Shared()), samples)
    resumed = stage(folder, epoch=Shared())
    resumed.load_state_dict(position_after(1, batch_size=10, epoch=3))
    with pytest.raises(ValueError, match="the state is of epoch 3, the trainer begins epoch 4: set its epoch first"):
        kept(resumed, samples)
    resumed.load_state_dict(position_after(1, batch_size=10, epoch=4))
    assert list(kept(resumed, samples)) == list(whole)[10:]


def _extract(found: dict, key: str) -> dict:
    """Take the caption from the json, and drop the json, as the main branch of OpenCLIP does."""
    described = json.loads(found["json"])
    return {"image": found["image"], "text": described[key]}


BRANCHES: dict[str, Callable[[], list]] = {
    "txt": lambda: [
        wds.select(lambda found: "jpg" in found and "txt" in found),
        wds.rename(image="jpg;png;jpeg;webp", text="txt", keep=False),
        wds.map_dict(text=bytes.decode),
    ],
    "json key": lambda: [
        wds.select(lambda found: "jpg" in found and "json" in found),
        wds.rename(image="jpg;png;jpeg;webp", json="json", keep=False),
        wds.map(lambda found: _extract(found, "caption")),
    ],
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_on_the_main_branch_of_openclip_it_stands_behind_the_shuffle(branch: str, folder: str, tmp_path: Path) -> None:
    """The order of its stages: shards, tars, shuffle, filter, rename without keeping, caption, tokens, image."""
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for number in range(300):
            for ending, data in list(sample(number).items())[1:]:
                info = tarfile.TarInfo(f"{number:024x}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    head = [
        wds.SimpleShardList(str(tmp_path / "00000.tar")),
        wds.split_by_node,
        wds.split_by_worker,
        wds.tarfile_to_samples(),
        wds.shuffle(bufsize=50, initial=10, rng=random.Random(1)),
    ]
    tail = [wds.select(lambda found: bool(found["text"])), wds.to_tuple("image", "text")]
    drawn = stage(folder, captions=CAPTIONS)
    found = Counter(text for _, text in wds.DataPipeline(*head, drawn, *BRANCHES[branch](), *tail))
    assert found == Counter(kept(stage(folder, captions=CAPTIONS), [sample(number) for number in range(300)]).values())
    # Behind the filter and the renaming there is no json to draw from.
    # The samples are read before: a pipeline that ends early leaves its tar open.
    read = list(wds.DataPipeline(*head))
    late = wds.DataPipeline(lambda: iter(read), *BRANCHES[branch](), stage(folder), *tail)
    with pytest.raises(ValueError, match="has no json"):
        list(late)
