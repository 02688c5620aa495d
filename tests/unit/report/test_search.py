"""The search of the page has all entries with their numbers, in the page or in files, and hostile words stay words."""

import json
import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.schema.jobs import ReportStatsConfig
from curation.balancing.counts import CountFiles, save_array
from curation.core.draws import draw
from curation.core.parquet_sink import ParquetSink
from curation.core.schemas import CURATED, ENTRIES
from curation.report import search_files
from curation.report.page import render
from curation.report.search_examples import PoolTask, PoolText, merge_pool, read_pool
from curation.report.search_files import MEGABYTES, Search, SearchPlan, search_settings
from curation.report.search_rows import LETTERS, SearchNumbers, json_bodies
from tests.browser.report_example import HOSTILE, example_page, example_report
from tests.unit.report.test_stats import make_images

WORDS = {
    "en": [
        *HOSTILE[:4],
        "</script><script>alert(1)</script>",
        "a\\",
        'b"',
        "c\u2028d\u2029",
        "<!--",
        "red kite",
        "dog",
    ],
    "de": [f"Wort {k}" for k in range(40)],
    "fr": ["jamais"],
}


def safe(word: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "\ufffd", word)


def plan(folder: Path, pool: dict[str, list[PoolText]] | None = None, has_shards: bool = True) -> SearchPlan:
    """A plan over WORDS; entry k of a language with n words has the count (7 * k) % n, so that one has none."""
    batches = []
    for lang, words in WORDS.items():
        rows = [
            {"lang": lang, "entry_id": k, "entry": word, "source": [None, "titles", HOSTILE[0]][k % 3]}
            for k, word in enumerate(words)
        ]
        batches.append(pa.RecordBatch.from_pylist(rows, pa.schema([ENTRIES.field(name) for name in rows[0]])))
        for name in ("count", "kept", "in_shards"):
            save_array(f"{folder}/{name}/{lang}.npy", np.array(numbers(lang)[name]))
    files = [CountFiles(f"{folder}/{name}") for name in ("count", "kept", "in_shards")]
    return SearchPlan(batches, SearchNumbers(files[0], files[1], files[2] if has_shards else None), pool or {})


def numbers(lang: str) -> dict[str, list[int]]:
    size = len(WORDS[lang])
    count = [(7 * k) % size for k in range(size)]
    return {"count": count, "kept": [n // 2 for n in count], "in_shards": [n // 4 for n in count][: size - 1]}


def report() -> dict[str, Any]:
    example = example_report()
    rows = {row["lang"]: row for row in example["languages"]}
    languages = [rows["en"], rows["de"] | {"name": HOSTILE[2]}, rows["fr"] | {"t": None}]
    return example | {"languages": languages, "run": example["run"] | {"id": "7f"}}


def lists_of(search: Search, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The entries by language as a browser reads them: those of the page, then those of the file."""
    assert "<" not in search.data
    data = json.loads(search.data)
    assert data["id"] == "7f"
    found = {one["lang"]: [one] for one in data["languages"]}
    for path in (folder / "entries").glob("*.js") if (folder / "entries").exists() else []:
        text = path.read_text("utf-8")
        assert not {"<", "\u2028", "\u2029", "\x00"} & set(text)
        value = json.loads(text.removeprefix("headtailEntries(").removesuffix(");\n"))
        assert (value["id"], f"{value['lang']}.js") == ("7f", path.name)
        found[value["lang"]].append(value)
    return found


def entries_of(lists: list[dict[str, Any]]) -> list[tuple[str, int, int, int, str]]:
    found = []
    for one in lists:
        for k, word in enumerate(one["words"].split("\n") if one["words"] else []):
            counts = [(one[name][k : k + 1] or [0])[0] for name in ("count", "kept", "in_shards")]
            found.append((word, *counts, one["sources"][LETTERS.index(one["source"][k])]))
    return found


@pytest.mark.parametrize("megabytes", [0.0036, 10], ids=["most in files", "all in the page"])
def test_every_entry_is_there_once_with_its_numbers_the_most_frequent_first(tmp_path: Path, megabytes: float) -> None:
    search = plan(tmp_path).write(f"{tmp_path}/report", report(), megabytes, f"{tmp_path}/entries")
    assert search
    assert len(search.data.encode()) <= megabytes * 1e6
    lists = lists_of(search, tmp_path / "report")
    assert list(lists) == [lang for lang, _ in search.languages] == ["en", "de", "fr"]
    total = 0
    for lang, words in WORDS.items():
        given = numbers(lang)
        rows = [
            (safe(word), *(n if k < len(given["in_shards"]) else n * (name != "in_shards")
             for name, n in ((name, (given[name] + [0])[k]) for name in given)), ["", "titles", HOSTILE[0]][k % 3])
            for k, word in enumerate(words)
        ]  # fmt: skip
        assert entries_of(lists[lang]) == sorted(rows, key=lambda row: -row[1])
        total += len(words)
    assert search.within + search.beside == total
    assert {one["left"] for (one, *_) in lists.values()} >= {1}
    assert search.file_bytes == sum(path.stat().st_size for path in (tmp_path / "report/entries").iterdir())
    without = sum(count == 0 for lang in WORDS for count in numbers(lang)["count"])
    assert (search.beside == without) == (megabytes == 10)


def test_files_are_the_same_each_time_and_those_of_before_go(tmp_path: Path) -> None:
    folder = tmp_path / "report/entries"
    folder.mkdir(parents=True)
    (folder / "zh.js").write_text("of a report of before")
    for _ in range(2):
        search = plan(tmp_path).write(f"{tmp_path}/report", report(), 0.004, "")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert set(files) == {"de.js", "en.js", "fr.js"}
        (folder / "de.js").write_text("damaged")
    again = plan(tmp_path).write(f"{tmp_path}/report", report(), 0.004, "")
    assert again == search
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert plan(tmp_path).write(f"{tmp_path}/report", report(), 0, "") is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["part-00000", "taken", "notes.txt"])
def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "report/entries"
    folder.mkdir(parents=True)
    taken = f"{folder}/" if name == "taken" else ""
    (folder / ("en.js" if taken else name)).write_text("mine")
    search = plan(tmp_path).write(f"{tmp_path}/report", report(), 0.004, taken)
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]
    assert search
    assert (search.beside, search.file_bytes) == (0, 0)
    assert {one["bytes"] for one in json.loads(search.data)["languages"]} == {0}
    assert "holds other things" in capsys.readouterr().err


def test_without_shards_there_are_no_counts_of_samples(tmp_path: Path) -> None:
    search = plan(tmp_path, has_shards=False).write(f"{tmp_path}/report", report(), 10, "")
    assert search
    assert all("in_shards" not in one for one in json.loads(search.data)["languages"])


def test_examples_name_the_places_of_their_entries_within_their_room(tmp_path: Path) -> None:
    texts = [PoolText(0.1, "de", HOSTILE[2], [3, 0, 5]), PoolText(0.2, "de", "nothing that matched", [0])]
    texts += [PoolText(0.3 + k / 100, "de", "long " * 50, [k]) for k in range(1, 40)]
    whole = plan(tmp_path, {"de": texts}).write(f"{tmp_path}/report", report(), 10, "")
    assert whole
    assert whole.data.count('"long ') == 39, "there is room for all"
    search = plan(tmp_path, {"de": texts}).write(f"{tmp_path}/report", report(), 0.01, "")
    assert search
    german = next(one for one in json.loads(search.data)["languages"] if one["lang"] == "de")
    words = german["words"].split("\n")
    assert german["texts"][0] == HOSTILE[2]
    assert sorted(words[place] for place in german["held"][0]) == ["Wort 3", "Wort 5"], "entry 0 has no count"
    assert "nothing that matched" not in german["texts"]
    assert 1 < len(german["texts"]) == len(german["held"]) < 40
    assert len(search.data.encode()) <= 10_000
    within, beside = lists_of(search, tmp_path / "report")["de"]
    assert len(words) + len(beside["words"].split("\n")) == 40
    held = {
        (word, text)
        for one in (within, beside)
        for text, places in zip(one["texts"], one["held"], strict=True)
        for word in map(one["words"].split("\n").__getitem__, places)
    }
    assert ("Wort 0", HOSTILE[2]) in held, "entry 0 lies in the file"
    assert (beside["words"].split("\n")[-1], "nothing that matched") in held
    assert {word for word, _ in held} > set(beside["words"].split("\n"))


def test_the_room_for_examples_in_a_file_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_files, "FILE_TEXTS_BYTES", 500)
    texts = [PoolText(k / 100, "de", "long " * 20, [k]) for k in range(40)]
    search = plan(tmp_path, {"de": texts}).write(f"{tmp_path}/report", report(), 0.004, "")
    assert search
    *_, beside = lists_of(search, tmp_path / "report")["de"]
    assert len(beside["texts"]) == 4


def test_the_pool_covers_each_kept_entry_twice_where_it_can(tmp_path: Path) -> None:
    images = make_images(120)
    for image in images:
        image["texts"][0]["text"] += " of me@example.org"
    gone = images[5]["uid"]
    for part in range(4):
        with ParquetSink(f"{tmp_path}/{part}.parquet", CURATED) as sink:
            sink.write(pa.RecordBatch.from_pylist(images[part::4], CURATED))
    receipts = [read_pool(PoolTask(f"{tmp_path}/{part}.parquet"), 4, (gone,)) for part in range(4)]
    pool = merge_pool(output for receipt in receipts for output in receipt.outputs)
    uids = [image["uid"] for image in images]
    draws = dict(zip(uids, draw(4, "examples", pa.array(uids)).tolist(), strict=True))
    kept = [(draws[i["uid"]], t) for i in images if i["uid"] != gone for t in i["texts"] if t["kept"]]
    held = Counter((t["lang"], entry) for _, t in kept for entry in t["entry_ids"])
    shown = Counter((each.lang, entry) for texts in pool.values() for each in texts for entry in each.entry_ids)
    assert {key for key, n in held.items() if shown[key] < min(n, 2)} == set()
    whole = {(t["lang"], t["text"].replace("me@example.org", "[email]")): d for d, t in kept}
    texts = [each for texts in pool.values() for each in texts]
    assert all(whole[each.lang, each.text] == each.draw == draws[each.uid] for each in texts)
    assert len(texts) < len(kept)
    for several in pool.values():
        assert [each.draw for each in several] == sorted(each.draw for each in several)


class Scripts(HTMLParser):
    """Collects the scripts of a page, by their type."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._kind: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._kind = dict(attrs).get("type") or "" if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._kind is not None:
            self.found.append((self._kind, data))
            self._kind = None


def test_the_page_has_its_own_scripts_only_and_its_policy_has_their_hashes(tmp_path: Path) -> None:
    values = report()
    search = plan(tmp_path, {"en": [PoolText(0.1, "en", HOSTILE[0], [9])]}).write(f"{tmp_path}/report", values, 10, "")
    html = render(values, search)
    scripts = Scripts(html).found
    assert sorted(kind for kind, _ in scripts) == ["", "", "application/json"]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    for kind, text in scripts:
        if kind:
            assert json.loads(text)["languages"][0]["texts"] == [HOSTILE[0]]
        else:
            digest = b64encode(sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'".replace("'", "&#39;") in policy[1]
    assert "'unsafe-inline'" not in policy[1].partition("script-src")[2].partition(";")[0]
    assert 'id="search"' not in example_page(), "without entries to search there is no section"


def test_the_default_changes_no_recipe() -> None:
    assert ReportStatsConfig.search_megabytes == MEGABYTES
    assert search_settings(MEGABYTES) == {}
    assert search_settings(0) != search_settings(5) != {}


def test_bodies_are_read_back_as_the_texts() -> None:
    texts = [safe(text) for words in WORDS.values() for text in words] + ["\u202e", "漢 é 😀", "\\u003c", '\\"']
    bodies = json_bodies(pa.array(texts)).to_pylist()
    assert [json.loads(f'"{body}"') for body in bodies] == texts
    assert json_bodies(pa.array(["\x00\n\t\x85é"])).to_pylist() == ["\ufffd\ufffd\ufffd\ufffdé"]
