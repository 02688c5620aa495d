"""A balanced stream: its draws over epochs, its workers, and PyTorch's classes where these are."""

import functools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

import headtail
from headtail import BalancedDataset, EntryList, HeadtailError

ENTRIES = EntryList(["dog", "cat"])
SAMPLES = [{"text": "a dog", "url": f"u{number}", "image": object()} for number in range(300)] + [
    {"text": "a cat", "url": "v", "image": object()},
    {"text": "no entry", "url": "w", "image": object()},
]


@functools.cache
def found() -> headtail.Matches:
    return headtail.match({name: [each[name] for each in SAMPLES] for name in ("text", "url")}, ENTRIES)


def stream(**more: Any) -> BalancedDataset:
    return BalancedDataset(SAMPLES, found().balancer(t=60, seed=4), **more)


def urls(samples: Any) -> list[str]:
    return [sample["url"] for sample in samples]


def test_over_epochs_each_sample_is_kept_with_its_probability() -> None:
    balanced = stream()
    epochs = [urls(balanced) for _ in range(40)]
    seen = Counter(url for epoch in epochs for url in epoch)
    assert seen.pop("v") == 40
    assert "w" not in seen
    # p = 60 / 300 in 40 draws of 300 samples: within 4.5 standard deviations together.
    assert abs(seen.total() - 12_000 * 0.2) < 4.5 * np.sqrt(12_000 * 0.2 * 0.8)
    assert len(seen) > 290
    assert len({tuple(epoch) for epoch in epochs}) == 40
    assert [urls(again) for again in [stream()] for _ in range(1)] == epochs[:1]


def test_the_number_of_an_epoch_can_be_set() -> None:
    first, second = stream(), stream(buffer=7)  # draws do not depend on the buffer
    epochs = [urls(first) for _ in range(3)]
    second.set_epoch(1)
    assert [urls(second), urls(second)] == epochs[1:]
    with pytest.raises(HeadtailError, match="epoch must be a number of at least 0, got -1"):
        second.set_epoch(-1)
    with pytest.raises(HeadtailError, match="buffer must be a number of at least 1"):
        stream(buffer=0)


def resumed(state: dict, **more: Any) -> list[str]:
    """The rest of an epoch, read by a new object after the state went through a checkpoint."""
    fresh = stream(**more)
    fresh.load_state_dict(json.loads(json.dumps(state)))
    return urls(fresh)


@pytest.mark.parametrize("had", [0, 1, 20, 61])
def test_an_epoch_goes_on_where_it_was_stopped(had: int) -> None:
    whole = stream()
    first, second = urls(whole), urls(whole)
    stopped = stream()
    urls(stopped)
    batches = iter(stopped)
    assert [next(batches)["url"] for _ in range(had)] == second[:had]
    state = stopped.state_dict()
    assert state == {"workers": 1, "positions": [[0, 1, had]]}
    # A position counts samples that were yielded, so the buffer may differ.
    assert resumed(state) == resumed(state, buffer=11) == second[had:]
    fresh = stream()
    fresh.load_state_dict(state)
    assert fresh.state_dict() == state
    assert [urls(fresh), urls(fresh)] == [second[had:], urls(whole)]
    assert resumed(whole.state_dict()) == urls(whole)  # between two epochs
    assert first != second


def test_a_state_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HeadtailError, match="the state is 9700 samples beyond the end of epoch 0 of worker 0"):
        resumed({"workers": 1, "positions": [[0, 0, 9_700 + len(urls(stream()))]]})
    with pytest.raises(HeadtailError, match="the state is of a loader with 2 workers, this one has 1"):
        resumed(headtail.position_after(4, batch_size=5, workers=2))
    for damaged in ({}, {"workers": 1, "positions": [[0, 0]]}, {"workers": 1, "positions": [[1, 0, 0]]}):
        with pytest.raises(HeadtailError, match="is no state of a loader"):
            resumed(damaged)
    with pytest.raises(HeadtailError, match="is no state of a loader"):
        resumed({"workers": 1, "positions": [[0, 0, -1]]})


def test_without_redrawing_every_epoch_keeps_the_balanced_table() -> None:
    balanced = stream(redraw=False)
    kept = found().balance(t=60, seed=4)["url"].to_pylist()
    assert urls(balanced) == urls(balanced) == kept
    assert all(sample["image"] is SAMPLES[0]["image"] for sample in balanced if sample["url"] == "u0")


def test_samples_of_webdataset_are_bytes_with_a_key() -> None:
    samples = [{"__key__": f"{number}", "txt": b"a dog", "jpg": b""} for number in range(50)]
    balancer = headtail.Balancer(ENTRIES, {"en": np.array([50])}, 10, text="txt", uid="__key__")
    assert 0 < len(list(BalancedDataset(samples, balancer))) < 30
    with pytest.raises(HeadtailError, match="a sample has no 'txt': each needs 'txt', '__key__'"):
        list(BalancedDataset([*samples, {"__key__": "x"}], balancer))


def test_the_stage_for_webdataset_is_there() -> None:
    from curation.balancing.online import OnlineBalance

    assert headtail.OnlineBalance is OnlineBalance
