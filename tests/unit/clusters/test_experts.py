"""Weights of data experts: those of plain loops, for a task of class names and an encoder."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExpertWeightsConfig
from curation.clusters.experts import class_units, encoded, expert_weights
from curation.clusters.hierarchy import Hierarchy, write_hierarchy
from curation.core.errors import HeadtailError
from curation.core.whole_vectors import SCALE, whole_units
from jobs import expert_weights as job

CENTRES = np.random.default_rng(5).normal(size=(9, 6))
HIERARCHY = Hierarchy(whole_units(CENTRES)[0], (0, 1, 2, 0, 1, 2, 0, 0, 1), (1,) * 9, {"from": "embeddings"})


def encode(texts: list[str]) -> np.ndarray:
    """An encoder as a user has one: a vector by the length and the letters of a text."""
    return np.array([[len(text), *(text.count(letter) for letter in "aeiot")] for text in texts], np.float32)


def too_short(texts: list[str]) -> np.ndarray:
    return encode(texts)[:, :2]


@pytest.mark.parametrize("temperature", [0.01, 0.2, 5.0])
def test_weights_are_those_of_loops(temperature: float) -> None:
    units, _ = whole_units(np.random.default_rng(6).normal(size=(300, 6)))
    expected = [0.0] * 3
    for row in units.astype(float) / SCALE:
        near = [math.exp(-(2 - 2 * float(row @ centre)) / temperature) for centre in HIERARCHY.centres / SCALE]
        for number, value in zip(HIERARCHY.coarse, near, strict=True):
            expected[number] += value / sum(near) / len(units)
    found = expert_weights(units, HIERARCHY, temperature)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found.sum() == pytest.approx(1)


def test_a_class_is_the_mean_direction_of_its_prompts() -> None:
    vectors = np.array([[2.0, 0.0], [0.0, 9.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, -1.0]])
    assert class_units(vectors, 2).tolist() == [[2828, 2828], [0, -SCALE]]


def test_the_job_prints_and_writes_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_hierarchy(f"{tmp_path}/clusters", HIERARCHY, [[] for _ in range(9)])
    (tmp_path / "classes.json").write_text(
        json.dumps({"pets": ["cat", "dog"], "digits": {"de": ["eins"], "en": ["one"]}})
    )
    given = [f"clusters={tmp_path}/clusters", f"classes=[{tmp_path}/classes.json]", f"weights={tmp_path}/w.json"]
    encoder = f"encoder={__name__}:encode"
    for _ in range(2):
        job.run(compose_config("expert_weights", ExpertWeightsConfig, [*given, encoder]))
    told = json.loads((tmp_path / "w.json").read_text())
    assert told["clusters"] == HIERARCHY.id
    assert {task: list(langs) for task, langs in told["weights"].items()} == {"pets": ["en"], "digits": ["de", "en"]}
    prompts = encode(["a photo of a cat.", "a photo of a dog."])
    expected = expert_weights(class_units(prompts, 1), HIERARCHY, 0.1).round(4).tolist()
    assert told["weights"]["pets"]["en"] == expected
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["task", "lang", "classes", "coarse-0", "coarse-1", "coarse-2"]
    assert lines[1].split() == ["pets", "en", "2", "of", "2", *(f"{weight:.4f}" for weight in expected)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], r"is of embeddings: encoder=package\.module:function"),
        (["encoder=no.such:thing"], r"encoder=no\.such:thing cannot be called, .*: ModuleNotFoundError"),
        ([f"encoder={__name__}:too_short"], r"gave an array of shape \(\d+, 2\) for \d+ texts, expected 6 numbers"),
        (["tasks=[pets,ptes]"], "tasks: ptes is no task of classes=clip-benchmark"),
        (["templates=[a photo]"], "templates must each hold {}"),
        (["weights=README.md"], r"weights=README\.md is a file of other content"),
        (["output=x", "matches=y"], None),
    ],
    ids=["no encoder", "no module", "width", "task", "template", "file", "entries"],
)
def test_a_mistake_is_one_line(settings: list[str], message: str | None, tmp_path: Path) -> None:
    of = HIERARCHY if message else replace(HIERARCHY, facts={"from": "entries"})
    write_hierarchy(f"{tmp_path}/clusters", of, [[] for _ in range(9)])
    given = [f"clusters={tmp_path}/clusters", *([] if settings else ["tasks=[pets]"]), *settings]
    with pytest.raises(HeadtailError, match=message or "y holds no complete table: run match_pairs first"):
        job.run(compose_config("expert_weights", ExpertWeightsConfig, given))


def test_an_encoder_is_called_once_for_all_texts() -> None:
    assert encoded(f"{__name__}:encode", ["a", "bee"], 6).tolist() == encode(["a", "bee"]).tolist()
