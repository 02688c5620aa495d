"""Repeats of the tail in the loader: as often as the law says, and resumed between two uses of a sample."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.online import OnlineBalance
from curation.balancing.probabilities import entry_repeats
from curation.balancing.targets import EntryTargets
from curation.balancing.thresholds import write_probabilities
from curation.core.parquet_sink import write_rows
from curation.core.parts import Part
from curation.core.schemas import THRESHOLDS

COUNTS = np.array([2, 8, 25, 100, 0, 3, 50])
TARGETS = EntryTargets({"en": (np.array([1, 5, 6], np.int32), np.array([0.4, -9.0, 3.0]))})
T, MOST = 20.0, 4.0
USES = [4.0, 1.0, 20 / 25, 20 / 100, 1.0, 3.0, 60 / 50]
"""Uses of a text of each entry in an epoch: min(MOST, threshold / count), with thresholds 20, 8, 20, 20, 20, 9, 60."""
TEXTS = {**{str(k): [k] for k in range(7)}, "two": [3, 5], "heads": [2, 3], "unseen": [99]}
WISHED = {**{str(k): USES[k] for k in range(7)}, "two": 3.0, "heads": 1 - (1 - 0.8) * (1 - 0.2), "unseen": 1.0}


@pytest.fixture
def part(tmp_path: Path) -> Part:
    save_array(str(tmp_path / "counts/en.npy"), COUNTS)
    row = dict.fromkeys(THRESHOLDS.names, 0) | {"lang": "en", "t": T}
    output = write_rows(str(tmp_path / "t.parquet"), pa.Table.from_pylist([row], THRESHOLDS))
    return Part(str(tmp_path), {"id": "of t", "files": [{**output, "path": "t.parquet"}]})


@pytest.fixture
def folder(part: Part) -> str:
    write_probabilities(CountFiles(f"{part.path}/counts"), part, f"{part.path}/out", TARGETS, MOST)
    return f"{part.path}/out"


def _samples(copies: int = 1) -> list[dict[str, Any]]:
    found = []
    for number, (name, ids) in enumerate(list(TEXTS.items()) * copies):
        described = {"text": name, "lang": "en", "texts": [{"text": name, "lang": "en", "entry_ids": ids}]}
        found.append({"__key__": f"{number:024x}", "json": json.dumps(described).encode()})
    return found


def test_repeats_equal_the_law_over_epochs(folder: str) -> None:
    """Uses of a sample in an epoch are the floor or the ceiling of the wished number. Over 250 epochs of 8 samples with
    a text their sum lies within 5 standard deviations: with 10 texts a right build fails for one seed in 170,000."""
    copies, epochs = 8, 250
    stage, samples, draws = OnlineBalance(folder, seed=3), _samples(copies), copies * epochs
    uses: Counter[str] = Counter()
    for _ in range(epochs):
        uses.update(sample["txt"].decode() for sample in stage.run(samples))
    for name, wished in WISHED.items():
        part = wished % 1.0
        deviation = math.sqrt(part * (1 - part) * draws)
        assert abs(uses[name] - draws * wished) <= 5 * deviation, name
    counts = stage.counts()
    assert counts["samples"] == counts["not_kept"] + counts["alt_text"] == draws * len(TEXTS)
    assert counts["alt_text"] + counts["repeated"] == uses.total()


def test_a_state_between_two_uses_is_resumed_there(folder: str) -> None:
    whole = [sample["txt"] for sample in OnlineBalance(folder, seed=3).run(_samples())]
    assert whole[:4] == [b"0"] * 4
    for place in range(len(whole) + 1):
        stage = OnlineBalance(folder, seed=3)
        stage.load_state_dict({"workers": 1, "positions": [[0, 0, place]]})
        assert [sample["txt"] for sample in stage.run(_samples())] == whole[place:]


def test_without_the_setting_nothing_is_repeated(part: Part, folder: str) -> None:
    write_probabilities(CountFiles(f"{part.path}/counts"), part, folder, TARGETS)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["en.npy", "thresholds.json"]
    stage = OnlineBalance(folder, seed=3)
    assert max(Counter(sample["txt"] for sample in stage.run(_samples())).values()) == 1
    assert "repeated" not in stage.counts()


def test_repeats_equal_a_loop() -> None:
    found = entry_repeats(TARGETS.effective("en", COUNTS), T, MOST)
    assert found.tolist() == pytest.approx([max(1.0, one) for one in USES])
