"""The parts of `make evidence` that need neither Spark nor a network."""

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from tests.conftest import ROOT
from tests.evidence import packages
from tests.evidence.host import PictureHost
from tests.evidence.many_languages import markdown
from tests.evidence.material import Concept, Material
from tests.evidence.outcome import chart, counts_table, table
from tests.evidence.retrieval import retrieval_table, sets_table, settings
from tests.evidence.sizes import Sizes, parse
from tests.evidence.sketches import make_sketches
from tests.evidence.trainings import train_and_examine
from tests.evidence.web import KINDS, chosen_concepts, make_links, make_web, truth

SIZES = Sizes(concepts=30, links=2000, languages="en,de")

# Stands for OpenCLIP's environment: the fake model knows the first half of the concepts.
PYTHON = """#!{python} -IS
import json, sys
if sys.argv[1] == "-c":
    print("cpu")
else:
    train, exam = json.load(open(sys.argv[-1]))
    if "{fault}" in train["name"]:
        sys.exit("no room")
    open("{log}", "a").write(train["name"] + "\\n")
    count = len(exam["concepts"])
    shares = [float(number < count // 2) for number in range(count)]
    marks = {{"top1": shares, "top5": shares, "found": shares}}
    json.dump({{lang: marks for lang in exam["exams"]}}, open(exam["results"], "w"))
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_sketches(tmp_path_factory.mktemp("material"))


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        return answer.read()


def test_each_address_has_a_picture_of_its_own(material: Material) -> None:
    with PictureHost(material.folder, 0) as host:
        first, again, mirrored, second = (
            get(host.port, path)
            for path in (
                "/pen/red-kite_0000001.jpg", "/pen/red-kite_0000001.jpg", "/mirror/pen/red-kite_0000001.jpg",
                "/pen/red-kite_0000002.jpg",
            )
        )  # fmt: skip
        assert first == again == mirrored != second
        for path in ("/gone/pen/red-kite_0000001.jpg", "/pen/red-wind_0000001.jpg", "/../concepts.json"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(host.port, path)


def test_a_taken_port_is_told_in_one_line(material: Material) -> None:
    with PictureHost(material.folder, 0) as host, pytest.raises(HeadtailError, match=f"port {host.port}"):
        PictureHost(material.folder, host.port).__enter__()


def test_links_have_the_kinds_and_languages_that_were_asked_for(material: Material) -> None:
    links = make_links(material, SIZES)
    found = truth(links)
    assert found["links"] == 2000
    assert {kind: count / 2000 for kind, count in found["kinds"].items()} == pytest.approx(KINDS, abs=0.03)
    assert sum(link.lang == "en" for link in links) / 2000 == pytest.approx(SIZES.english, abs=0.15)
    assert make_links(material, SIZES) == links
    assert make_links(material, replace(SIZES, seed=2)) != links


def test_frequencies_follow_zipf(material: Material) -> None:
    links = make_links(material, replace(SIZES, links=10_000))
    counts = [sum(link.concept == concept for link in links) for concept in (0, 1, 7)]
    assert counts[0] / counts[1] == pytest.approx(2**1.15, rel=0.15)
    assert counts[0] / counts[2] == pytest.approx(8**1.15, rel=0.2)


def test_other_languages_are_the_rarer_the_smaller_they_are() -> None:
    languages = Sizes().chosen_languages(Material(Path(), tuple(
        Concept(str(number), dict.fromkeys(("en", "sc", "ru", "af", "de"), "x"), {}) for number in range(4)
    )))  # fmt: skip
    assert languages == ["en", "de", "ru", "af", "sc"]


def test_a_web_of_other_sizes_is_refused(material: Material, tmp_path: Path) -> None:
    sizes = replace(SIZES, links=100)
    made = make_web(material, sizes, tmp_path, 1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "wat").iterdir()}
    assert make_web(material, sizes, tmp_path, 1) == made
    with pytest.raises(HeadtailError, match="links=100: name another folder"):
        make_web(material, replace(sizes, links=200), tmp_path, 1)
    (tmp_path / "web.json").unlink()
    make_web(material, sizes, tmp_path, 1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "wat").iterdir()} == before


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / packages.NAMES.file_name).write_bytes(b"something else")
    with pytest.raises(HeadtailError, match="is not cldr-annotations-full"):
        packages.fetch(packages.NAMES, tmp_path)


def test_without_npm_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HeadtailError, match="npm is not installed") as told:
        packages.fetch(packages.NAMES, tmp_path)
    assert "\n" not in str(told.value)


def test_a_download_that_is_not_the_pinned_package_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho changed > {packages.NAMES.file_name}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(HeadtailError, match="is not cldr-annotations-full"):
        packages.fetch(packages.NAMES, tmp_path / "cache")
    assert not (tmp_path / "cache" / packages.NAMES.file_name).exists()


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("concept=3", "concept=3 is no setting"),
        ("concepts=many", "expected a number"),
        ("seeds=0", "above 0"),
        ("lists=mine", "starter or names"),
    ],
)
def test_a_wrong_setting_is_told(argument: str, told: str) -> None:
    with pytest.raises(HeadtailError, match=told):
        parse([argument])


def test_arms_are_named_in_order() -> None:
    assert parse(["arms=random,t50,balanced"]).chosen_arms == ["balanced", "random", "t50"]
    for wrong in ("random", "balanced,often"):
        with pytest.raises(HeadtailError, match="arms="):
            _ = parse([f"arms={wrong}"]).chosen_arms


def results(*halves: tuple[float, float]) -> list[dict[str, list[float]]]:
    return [{"top1": [a, a, b, b], "top5": [1, 1, 1, 1]} for a, b in halves]


def test_the_table_tells_deviations_and_where_a_difference_is_within_its_own() -> None:
    counts = {
        "balanced": {"samples": 4802, "concepts": 4, "effective_concepts": 3.9},
        "random": {"samples": 4831, "concepts": 3, "effective_concepts": 1.5},
    }
    found = {"balanced": results((0.5, 0.4), (0.52, 0.4)), "random": results((0.5, 0.1), (0.53, 0.1))}
    lines = table(counts, found).splitlines()
    balanced, chance, better = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert balanced[:6] == ["balanced", "4,802", "4", "4", "45.5 ± 0.7", "100.0 ± 0.0"]
    assert chance[6:] == ["51.5 ± 2.1", "51.5 ± 2.1", "10.0 ± 0.0", "10.0 ± 0.0"]
    assert better[0] == "balanced less random"
    assert better[6] == "-0.5 ± 2.5, within its deviation"
    assert better[9] == "+30.0 ± 0.0"
    drawn = chart(found)
    assert drawn.count("<rect") == 1 + 4 * 2 + 2
    assert ">60%<" in drawn  # the axis ends above the highest quarter; top-5 is not drawn
    assert ">100%<" not in drawn


def test_the_arms_are_told_before_any_training() -> None:
    counts = {
        "balanced": {"kept": 2003, "samples": 1905, "concepts": 128, "effective_concepts": 76.2, "t": [2.68442],
                     "foreign": 381, "wrong": 19, "idle": 0},
        "random": {"kept": 9, "samples": 8, "concepts": 7, "effective_concepts": 6.5, "t": [1e9],
                   "foreign": 0, "wrong": 0, "idle": 2},
    }  # fmt: skip
    assert counts_table(counts).splitlines()[2:] == [
        "| balanced | 2.684 | 2,003 | 1,905 | 128 | 76 | 20.0% | 1.0% | 0.0% |",
        "| random, of the same size | none | 9 | 8 | 7 | 6 | 0.0% | 0.0% | 25.0% |",
    ]


def test_a_table_of_languages_ends_with_their_sums() -> None:
    row = {"lang": "de", "texts": 10, "detected": 8, "right_of_its_list": 0.5, "most_mistaken_for": "nl", "matched": 6,
           "entries": 5, "t": 2.0, "tail_share": 0.25, "kept": 3}  # fmt: skip
    lines = markdown([row, {**row, "lang": "so", "detected": 0, "right_of_its_list": None, "matched": 0, "kept": 0,
                            "entries": 0, "t": None, "tail_share": None}]).splitlines()  # fmt: skip
    assert lines[2] == "| `de` | 10 | 80.0% | 50.0% | `nl` | 60.0% | 5 | 2 | 25.0% | 50.0% |"
    assert lines[3] == "| `so` | 10 | 0.0% |  | `nl` | 0.0% | 0 |  |  |  |"
    assert lines[4] == "| all 2 | 20 | 40.0% |  |  | 30.0% | 5 |  |  | 50.0% |"


def test_trainings_are_done_once_and_again_where_they_differ(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    python, log = tmp_path / "python", tmp_path / "trained"
    python.write_text(PYTHON.format(python=sys.executable, log=log, fault="no such arm"))
    python.chmod(0o755)
    sizes = replace(SIZES, out=tmp_path, seeds=2, training=python)
    for arm in ("balanced", "random"):
        (tmp_path / arm / "shards").mkdir(parents=True)
        (tmp_path / arm / "shards" / "00000.tar").touch()
    found = train_and_examine(material, sizes)
    assert [len(found[arm]) for arm in ("balanced", "random")] == [2, 2]
    assert found["balanced"][0]["top1"] == [1.0] * 15 + [0.0] * 15
    runs = ["balanced-0", "balanced-1", "random-0", "random-1"]
    assert train_and_examine(material, sizes) == found
    assert sorted(log.read_text().split()) == runs
    train_and_examine(material, replace(sizes, samples_seen=1000))
    assert sorted(log.read_text().split()) == sorted(2 * runs)
    tasks = json.loads((tmp_path / "models" / "random-1-tasks.json").read_text())
    assert tasks[0]["shards"].endswith("random/shards/00000.tar")
    assert tasks[0]["probabilities"] == ""
    assert (
        tasks[1]["exams"]["en"]["names"][:2]
        == [concept.names["en"] for concept in chosen_concepts(material, sizes)][:2]
    )
    python.write_text(PYTHON.format(python=sys.executable, log=log, fault="random"))
    with pytest.raises(HeadtailError, match=r"training random-\d failed: .*random-\d.log says why"):
        train_and_examine(material, sizes)


def test_a_training_that_was_stopped_goes_on(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    python, checkpoint = tmp_path / "python", tmp_path / "models" / "balanced-0" / "checkpoints" / "epoch_3.pt"
    python.write_text(PYTHON.format(python=sys.executable, log=tmp_path / "trained", fault="balanced"))
    python.chmod(0o755)
    sizes = replace(SIZES, out=tmp_path, seeds=1, arms="balanced", training=python)
    (tmp_path / "balanced" / "shards").mkdir(parents=True)
    (tmp_path / "balanced" / "shards" / "00000.tar").touch()
    with pytest.raises(HeadtailError, match="failed"):
        train_and_examine(material, sizes)
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    python.write_text(PYTHON.format(python=sys.executable, log=tmp_path / "trained", fault="no such arm"))
    train_and_examine(material, sizes)
    assert checkpoint.exists(), "OpenCLIP goes on behind it"
    train_and_examine(material, replace(sizes, samples_seen=1000))
    assert not checkpoint.exists(), "it is of another training"


@pytest.mark.parametrize(("side_by_side", "readers"), [(0, 8), (3, 2), (30, 1)])
def test_trainings_side_by_side_on_a_gpu_share_the_cores(
    side_by_side: int, readers: int, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "cpu_count", lambda: 9)
    python = tmp_path / "python"
    fake = PYTHON.format(python=sys.executable, log=tmp_path / "trained", fault="no such arm")
    python.write_text(fake.replace('"cpu"', '"cuda"'))
    python.chmod(0o755)
    (tmp_path / "balanced" / "shards").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "balanced" / "shards" / f"{number:05}.tar").touch()
    sizes = replace(SIZES, out=tmp_path, seeds=5, arms="balanced", training=python, side_by_side=side_by_side)
    train_and_examine(material, sizes)
    task = json.loads((tmp_path / "models" / "balanced-0-tasks.json").read_text())[0]
    assert (task["model"], task["workers"]) == ("toy-64", readers)


def test_online_balancing_reads_everything_with_the_probabilities_of_balanced(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    python = tmp_path / "python"
    python.write_text(PYTHON.format(python=sys.executable, log=tmp_path / "trained", fault="no such arm"))
    python.chmod(0o755)
    for run in ("balanced", "everything"):
        (tmp_path / run / "shards").mkdir(parents=True)
        (tmp_path / run / "shards" / "00000.tar").touch()
    found = train_and_examine(material, replace(SIZES, out=tmp_path, seeds=1, arms="balanced,online", training=python))
    task = json.loads((tmp_path / "models" / "online-0-tasks.json").read_text())[0]
    assert task["shards"] == str(tmp_path / "everything" / "shards" / "00000.tar")
    assert task["probabilities"] == str(tmp_path / "balanced" / "entry_probabilities")
    lines = table({"balanced": {"samples": 9, "concepts": 4, "effective_concepts": 3.9}}, found).splitlines()
    assert lines[3].startswith("| online, of everything with the t of balanced |  |  |  | 50.0 |")


def test_retrieval_is_told_by_language_with_the_mean_of_those_beside_english() -> None:
    def models(*shares: tuple[float, float, float]) -> list[dict[str, dict[str, list[float]]]]:
        return [
            {
                lang: {"top1": [share, share], "top5": [1, 1], "found": [0, 1]}
                for lang, share in zip(("en", "de", "fr"), each, strict=True)
            }
            for each in shares
        ]

    found = {
        "english": models((0.6, 0.1, 0.1), (0.62, 0.1, 0.1)),
        "one_t": models((0.5, 0.2, 0.1), (0.5, 0.22, 0.1)),
        "t_per_language": models((0.5, 0.4, 0.1), (0.5, 0.42, 0.1)),
    }
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in retrieval_table(found).splitlines()]
    assert lines[0][1:3] == ["named: English only", "named: all, one t"]
    assert lines[2][:4] == ["`en`", "61.0 ± 1.4", "50.0 ± 0.0", "50.0 ± 0.0"]
    assert lines[3][-2:] == ["50.0 ± 0.0", "+20.0 ± 2.0"]
    assert lines[5][:4] == ["all but `en`", "10.0 ± 0.0", "15.5 ± 0.7", "25.5 ± 0.7"]


def test_the_sets_differ_in_languages_and_in_how_t_is_chosen() -> None:
    sizes = Sizes(out=Path("web"), languages="en,de", arm=70)
    told = {arm: set(settings(sizes, arm)) for arm in ("english", "one_t", "t_per_language")}
    common = set.intersection(*told.values())
    assert {"balance.target_images=70", "entry_lists=web/lists", "balance.reference=en"} <= common
    assert {arm: sorted(each - common) for arm, each in told.items()} == {
        "english": ["languages=en", "output=web/english"],
        "one_t": ["balance.others=same_t", "output=web/one_t"],
        "t_per_language": ["balance.others=tail_share", "output=web/t_per_language"],
    }


def test_sets_are_told_by_the_languages_of_their_texts() -> None:
    counts = {"one_t": {"samples": 10, "effective_concepts": 3.2, "written": {"": 1, "de": 3, "en": 4, "fr": 2},
                        "t": {"en": 4.5, "fr": 4.5}}}  # fmt: skip
    lines = sets_table(counts, ["en", "de"]).splitlines()
    assert lines[2:] == ["| all, one t | 10 | 3 | 4 | 3 | 3 |", "| its t |  |  | 4.5 |  |  |"]


def test_without_openclip_one_line_says_so(material: Material, tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="make check-training"):
        train_and_examine(material, replace(SIZES, training=tmp_path / "python"))
