"""Examples of dropped pairs and images: of their reasons, masked, and never a reason to end a report."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.schemas import MATCHES, PAIRS
from curation.matching.entry_store import EntryStore
from curation.report.examples import (
    SILENT,
    Example,
    PairsTask,
    pair_examples,
    plan_texts,
    read_texts,
    smallest,
)
from curation.report.stats import _failures


@pytest.fixture
def store(tmp_path: Path) -> EntryStore:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "en.txt").write_text("kite\n")
    return EntryStore.open(str(lists))


def write_pairs(path: Path, texts: list[tuple[str, str]]) -> PairsTask:
    rows = [
        {"uid": f"{k:024x}", "url": "http://x/", "text": text, "text_key": "alt", "lang": lang, "lang_score": 0.5,
         "page_url": None, "crawl": "c", "source_file": "f"}
        for k, (text, lang) in enumerate(texts)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, PAIRS), path)
    return PairsTask(str(path))


def test_pairs_without_an_entry_and_without_a_list(tmp_path: Path, store: EntryStore) -> None:
    texts = [("a red kite", "en"), ("a red boat", "en"), ("ein Drachen", "de"), ("un bateau", "fr")]
    task = write_pairs(tmp_path / "p.parquet", texts * 2)
    found = pair_examples(task, store, [], 0).check()
    assert sorted((one["reason"], one["text"]) for one in found.outputs) == [
        *[("no_metadata", "ein Drachen")] * 2, *[("no_metadata", "un bateau")] * 2, *[("unmatched", "a red boat")] * 2,
    ]  # fmt: skip
    found = pair_examples(task, store, ["de", "en"], 0)
    assert {one["text"] for one in found.outputs} == {"ein Drachen", "a red boat"}


def test_an_empty_file_of_pairs_has_no_examples(tmp_path: Path, store: EntryStore) -> None:
    assert pair_examples(write_pairs(tmp_path / "p.parquet", []), store, [], 0).outputs == []


@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
def test_pairs_that_cannot_be_read_are_a_failure_of_the_receipt(
    tmp_path: Path, store: EntryStore, damaged: bool
) -> None:
    path = tmp_path / "p.parquet"
    if damaged:
        path.write_bytes(b"PAR1 nothing")
    found = pair_examples(PairsTask(str(path)), store, [], 0)
    assert (found.outputs, len(found.failures)) == ([], 1)


def test_texts_of_images_are_read_from_their_buckets(tmp_path: Path) -> None:
    uids = [f"{k * 5000:04x}{0:020x}" for k in range(12)]
    buckets = []
    for bucket in range(2):
        text = {"text_key": "alt", "lang": "en", "lang_score": None, "entry_ids": [1]}
        rows = [
            {"uid": uid, "url": "http://x/", "texts": [text | {"text": f"text of {uid}"}]}
            for uid in uids
            if int(uid[:4], 16) * 2 // 65536 == bucket
        ]
        path = tmp_path / f"{bucket}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, MATCHES), path, row_group_size=2)
        buckets.append([str(path)])
    examples = [Example("balance_pairs", "not_drawn", 0.1, uid) for uid in uids[::5]]
    found = [output for task in plan_texts(examples, buckets) for output in read_texts(task).outputs]
    assert {one["uid"]: one["text"] for one in found} == {uid: f"text of {uid}" for uid in uids[::5]}


def test_examples_hide_what_must_not_be_shown() -> None:
    found = [Example("extract_pairs", reason, 0.1, "a", "text") for reason in (*SILENT, "long_text")]
    assert [one.reason for one in smallest(found)] == ["long_text"]
    assert {"removed", "opted_out", "email", "listed_word", "private_host"} <= SILENT
    many = [Example("match_pairs", "unmatched", k / 100, "a", str(k)) for k in range(30)]
    assert [one.text for one in smallest(reversed(many))] == [str(k) for k in range(10)]


@pytest.mark.parametrize("gap", [0, 270, 280, 299, 590, 1990])
@pytest.mark.parametrize("address", ["some.body@example.org", "some.body%40example.org", "+49 30 1234567"])
def test_what_is_cut_is_masked_before(gap: int, address: str) -> None:
    words = "a " * (gap // 2) + address + " and more" * 300
    value = Example(
        "s", "r", 0.0, "u", text=words, url=f"https://h.org/{'a/' * (gap // 2)}{address}{'/b' * 900}"
    ).value()
    for shown in (value["text"], value["url"]):
        assert len(shown) <= 300
        assert "body" not in shown
        assert "123" not in shown


def test_a_long_address_is_masked_before_it_is_cut() -> None:
    """Also where masks make it much shorter: what is cut after MAX_READ characters is not taken for a whole one."""
    start = "http://h.org/" + f"{'a' * 64}@{'b' * 240}.com/" * 3
    for length in (990, 1990):
        url = f"{start}{'c/' * ((length - len(start)) // 2)}jane@example.org/x.jpg?a=b"
        rows = pa.table(
            {"uid": ["a" * 24], "url": [url], "status": ["timeout"], "http_status": pa.array([None], pa.int32())}
        )
        (found,) = _failures(rows, 0)
        assert "jane" not in found.value()["url"]


def test_examples_are_masked_and_cut() -> None:
    example = Example(
        "match_pairs", "unmatched", 0.1, "a", "a@b.example " + "x" * 100_000, "en", "https://me:pw@b.test/1?key=secret"
    )
    value = example.value()
    assert value["text"].startswith("[email] xx")
    assert len(value["text"]) == 300
    assert value["url"] == "https://b.test/1"
