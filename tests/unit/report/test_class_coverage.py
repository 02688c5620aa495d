"""Class names of benchmarks: which lists there are, how names are found, and their numbers against plain loops."""

import json
import math
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.schema.jobs import ReportStatsConfig
from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import EXPECTED_UNIT, EntryNumbers
from curation.core.choices import Edges
from curation.core.errors import HeadtailError
from curation.matching.entry_store import EntryStore
from curation.matching.spacing import pad_entry, space_text
from curation.report.class_coverage import ALERT_SHARE, CoverageNumbers, alerts, coverage_values
from curation.report.class_lists import (
    CLASSES_FILE,
    LICENCE_FILE,
    MAX_BYTES,
    SHIPPED,
    ClassList,
    class_settings,
    read_class_lists,
)
from curation.report.class_lookup import find_classes, notes_on_classes, plan_classes
from curation.report.coverage_section import benchmarks
from curation.report.pack_class_lists import LISTS, pack
from curation.report.page import render
from tests.browser.report_example import HOSTILE, example_report

ENTRIES = ["dog", "hot dog", "hot dog bun", "Beagle", "cat", "great white shark", "no count", "dogs"]
COUNTS = [900, 40, 60, 7, 300, 2, 0]
NAMES = ["dog", "hot", "beagle", "cat", "white shark", "no count", "gnu", "hot dog"]


def test_the_shipped_lists_are_those_of_the_package_and_come_with_their_licence() -> None:
    lists = read_class_lists([SHIPPED])
    sizes = {each.task: len(each.names) for each in lists}
    assert len(sizes) == 17
    assert (sizes["imagenet1k"], sizes["mnist"], sizes["clevr_count_all"]) == (1000, 10, 8)
    assert sizes["clevr_closest_object_distance"] == 5, "the sixth name of the list is empty"
    assert {each.lang for each in lists} == {"en"}
    assert (files("curation.report") / LICENCE_FILE).read_text().startswith("MIT License\n\nCopyright (c) 2022, Mehdi")


def test_the_shipped_file_can_be_made_again(tmp_path: Path) -> None:
    shipped = Path(str(files("curation.report")))
    tasks = json.loads((shipped / CLASSES_FILE).read_text())["tasks"]
    about = "Name: clip-benchmark\nVersion: 1.6.2\nHome-page: https://github.com/mehdidc/clip_benchmark\n"
    for licence in ((shipped / LICENCE_FILE).read_text(), "All rights reserved\n"):
        with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
            wheel.writestr("clip_benchmark-1.6.2.dist-info/METADATA", about)
            wheel.writestr("clip_benchmark-1.6.2.dist-info/LICENSE", licence)
            wheel.writestr(LISTS, json.dumps(tasks))
        if licence.startswith("MIT"):
            pack(tmp_path / "a.whl", tmp_path)
            for name in (CLASSES_FILE, LICENCE_FILE):
                assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()
    with pytest.raises(ValueError, match="has the licence 'All rights reserved', expected MIT"):
        pack(tmp_path / "a.whl", tmp_path)


def test_own_lists_have_languages_and_change_the_recipe(tmp_path: Path) -> None:
    own = tmp_path / "tasks.json"
    own.write_text(json.dumps({"beasts": {"de": ["Hund", " "], "en": ["dog"]}, "toys": ["ball"]}))
    lists = read_class_lists([SHIPPED, str(own)])
    assert lists[-3:] == [
        ClassList("beasts", "de", ("Hund",)),
        ClassList("beasts", "en", ("dog",)),
        ClassList("toys", "en", ("ball",)),
    ]
    default = ReportStatsConfig.__dataclass_fields__["benchmarks"].default_factory()
    assert default == [SHIPPED]
    assert class_settings(default, read_class_lists(default)) == {}, "reports of before would be written again"
    changed = [class_settings(sources, read_class_lists(sources)) for sources in ([], [str(own)])]
    assert changed[0] != changed[1]
    assert notes_on_classes(lists, ["en"]) == [
        "class names in de are not looked up: the run matched no entry list of this language"
    ]


MISTAKES = {
    "no JSON": ("{", "is no list of class names"),
    "a list": ('["dog"]', "expected a JSON object of tasks"),
    "a number": ('{"pets": [1]}', "the names of 'pets' in 'en' must be a list of texts of at most 256"),
    "a long name": (json.dumps({"pets": ["x" * 257]}), "must be a list of texts"),
    "control characters": ('{"pets": ["a\\u001b[31m"]}', "must be a list of texts"),
    "half a character": ('{"pets": ["\\ud800"]}', "must be a list of texts"),
    "a task of the shipped lists": ('{"mnist": ["0"]}', "has the task 'mnist' in en, as another source has"),
    "too many names": (json.dumps({"pets": ["x"] * 200_001}), "more than 200,000 class names"),
    "too large": (" " * (MAX_BYTES + 1), "it has more than 16 MiB"),
    "deep": ("[" * 100_000, "is no list of class names"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_other_files_are_refused(mistake: str, tmp_path: Path) -> None:
    text, message = MISTAKES[mistake]
    path = tmp_path / "tasks.json"
    path.write_text(text)
    with pytest.raises(HeadtailError, match=message):
        read_class_lists([SHIPPED, str(path)])


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(HeadtailError, match=r"benchmarks names /no/tasks.json, and there is no such file"):
        read_class_lists(["/no/tasks.json"])


@pytest.fixture
def numbers(tmp_path: Path) -> CoverageNumbers:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/en.json").write_text(json.dumps(ENTRIES))
    for name, values in {
        "raw": COUNTS,
        "expected": [30.5 * EXPECTED_UNIT, 20 * EXPECTED_UNIT],
        "in_shards": [20, 10, 5, 3, 11],
    }.items():
        save_array(f"{tmp_path}/{name}/en.npy", np.array(values, np.int64))
    added = EntryNumbers(None, CountFiles(f"{tmp_path}/expected"), CountFiles(f"{tmp_path}/in_shards"))
    return CoverageNumbers.of(CountFiles(f"{tmp_path}/raw"), {"en": {"t": 50.0}}, added)


def looked_up(tmp_path: Path, *lists: ClassList) -> list[dict[str, Any]]:
    store = EntryStore.open(str(tmp_path / "lists"))
    return [
        output
        for task in plan_classes(lists, store.languages)
        for output in find_classes(task, store, f"{tmp_path}/raw").outputs
    ]


def test_names_are_found_as_a_loop_over_spaced_entries_finds_them(tmp_path: Path, numbers: CoverageNumbers) -> None:
    assert numbers
    found = {each["name"]: each for each in looked_up(tmp_path, ClassList("pets", "en", tuple(NAMES)))}
    for name in NAMES:
        holding = [k for k, entry in enumerate(ENTRIES) if pad_entry(name, Edges.script) in space_text(entry)]
        cased = [k for k, entry in enumerate(ENTRIES) if entry.lower() == name.lower()]
        kind = "entry" if name in ENTRIES else "case" if cased else "part" if holding else "absent"
        best = max(cased or holding, key=lambda k: [*COUNTS, 0][k], default=-1)
        best = ENTRIES.index(name) if name in ENTRIES else best
        assert (found[name]["match"], found[name]["entry_id"]) == (kind, best), name
    assert {name: found[name]["entry"] for name in ("hot", "white shark", "beagle")} == {
        "hot": "hot dog bun",
        "white shark": "great white shark",
        "beagle": "Beagle",
    }


def test_numbers_are_those_of_a_loop(tmp_path: Path, numbers: CoverageNumbers) -> None:
    tasks = [
        ClassList("pets", "en", tuple(NAMES)),
        ClassList("two", "en", ("dog", "cat")),
        ClassList("x", "de", ("a",)),
    ]
    pets, two = coverage_values(tasks, looked_up(tmp_path, *tasks), numbers)
    kinds = ("classes", "entry_classes", "case_classes", "part_classes", "absent_classes")
    assert [pets[kind] for kind in kinds] == [8, 4, 1, 2, 1]
    named = {each["class"]: each for each in pets["names"]}
    assert [named[name]["raw"] for name in NAMES] == [900, 60, 7, 300, 2, 0, 0, 40]
    assert [named[name]["balanced"] for name in NAMES] == [50, 50, 7, 50, 2, 0, 0, 40]
    assert [named[name]["in_shards"] for name in NAMES] == [20, 5, 3, 11, 0, 0, 0, 10]
    assert (named["dog"]["expected"], named["hot dog"]["expected"]) == (30.5, 20)
    assert [each["in_shards"] for each in pets["names"]] == sorted(each["in_shards"] for each in named.values())
    assert (pets["zero"], pets["zero_in"], pets["alert"]) == (3, "in_shards", True)
    sums = {"raw": sum(COUNTS), "balanced": sum(min(count, 50) for count in COUNTS), "expected": 50.5, "in_shards": 49}
    for stage, total in sums.items():
        counts = [named[name][stage] for name in NAMES if named[name][stage]]
        wanted = sum(math.log(1 / len(counts) / (count / total)) / len(counts) for count in counts)
        told = pets["stages"][stage]
        assert (told["kl"], told["zero"]) == (None, 8 - len(counts))
        assert told["kl_counted"] == pytest.approx(wanted, abs=1e-6)
    assert two["stages"]["in_shards"]["kl"] == pytest.approx(-math.log(2) - math.log(20 * 11 / 49**2) / 2, abs=1e-6)
    assert two["rarest"] == {"class": "cat", "exposures": 11}
    assert alerts([pets, two]) == ["pets: 3 of 8 classes have no sample in the shards"]


def test_without_shards_the_exposures_are_expectations(tmp_path: Path, numbers: CoverageNumbers) -> None:
    task = ClassList("two", "en", ("dog", "hot dog"))
    found = looked_up(tmp_path, task)
    (row,) = coverage_values([task], found, CoverageNumbers(numbers.raw, numbers.t, numbers.expected))
    assert (row["rarest"], row["zero_in"]) == ({"class": "hot dog", "exposures": 20}, "expected")
    (row,) = coverage_values([task], found, CoverageNumbers(numbers.raw, {}))
    assert (row["rarest"], list(row["stages"])) == (None, ["raw"])


def test_a_tenth_of_the_classes_at_0_is_an_alert(tmp_path: Path, numbers: CoverageNumbers) -> None:
    for absent, alert in ((0, False), (1, True)):
        task = ClassList("ten", "en", ("dog",) * (10 - absent) + ("gnu",) * absent)
        (row,) = coverage_values([task], looked_up(tmp_path, task), numbers)
        assert row["alert"] is alert, ALERT_SHARE


def test_the_section_shows_hostile_names_as_text_and_infinity_as_such(tmp_path: Path, numbers: CoverageNumbers) -> None:
    task = ClassList(HOSTILE[0], "en", (HOSTILE[1], "dog", "hot"))
    rows = coverage_values([task], looked_up(tmp_path, task), numbers)
    html = benchmarks({"benchmarks": rows})
    assert "<script" not in html
    assert "<img" not in html
    assert "∞ (" in html
    assert "1 of 3 classes have no sample in the shards" in html
    assert benchmarks({}) == "", "reports of before have none"
    assert 'id="benchmarks"' not in render(example_report() | {"benchmarks": []})
