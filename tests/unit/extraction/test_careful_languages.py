"""The careful rule in extraction: whole pages whatever the batches, repeats, undecided texts, groups, and columns."""

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from curation.core.choices import LanguageRule, SourceKind
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.recipes import recipe_settings
from curation.extraction import distinct, extract
from curation.extraction.careful_languages import packed, unpacked
from curation.extraction.distinct import EVIDENCE, distinct_rows
from curation.extraction.extract import ExtractTask, extract_file
from curation.extraction.language_model import LanguageModel
from curation.extraction.language_rule import Classified, Decided, classify
from jobs.extraction_settings import as_begun, settings_of
from tests.unit.extraction.settings import extraction_settings, language_rules, table_columns
from tests.unit.extraction.test_distinct import batch_of

CAREFUL = language_rules(rule=LanguageRule.careful)
DANISH = ["en rød drage flyver over den gamle by og floden", "der er mange mennesker på gaden ved kirken"]


def wat_page(number: int, texts: list[str], tag: str = "", first_image: int = 0) -> bytes:
    links = [{"path": "IMG@/src", "url": f"/{first_image + at}.jpg", "alt": text} for at, text in enumerate(texts)]
    metas = [{"name": "HTML@/lang", "content": tag}] if tag else []
    html = {"HTML-Metadata": {"Head": {"Metas": metas}, "Links": links}}
    body = json.dumps({"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": html}}}).encode()
    head = (
        f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: http://example.org/{number}\r\n"
        f"WARC-Date: 2025-01-18T01:58:10Z\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + body + b"\r\n\r\n", mtime=0)


def read(folder: Path, data: bytes, name: str = "a.wat.gz", **changes: object) -> tuple[Receipt, list[dict]]:
    (folder / name).write_bytes(data)
    settings = extraction_settings(**{"language": CAREFUL, **changes})
    receipt = extract_file(ExtractTask(str(folder / name), str(folder / "out.parquet")), settings)
    table = pq.read_table(folder / "out.parquet")
    assert table.schema.equals(settings.schema)
    assert not receipt.failures
    return receipt, table.to_pylist()


def languages(rows: list[dict]) -> dict[str, tuple[str, str]]:
    return {row["text"]: (row["lang"], row["lang_by"]) for row in rows}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([(["byens havn"], "da")], ("da", "page"), id="declared"),
        pytest.param([(["byens havn", *DANISH], "")], ("da", "page"), id="longer texts behind it"),
        pytest.param([([*DANISH, "byens havn"], "")], ("da", "page"), id="longer texts before it"),
        pytest.param([(DANISH, ""), (["byens havn"], "")], None, id="longer texts of another page"),
    ],
)
def test_evidence_of_the_page(tmp_path: Path, pages: list, expected: tuple[str, str] | None) -> None:
    data = b"".join(wat_page(number, texts, tag, number * 10) for number, (texts, tag) in enumerate(pages))
    receipt, rows = read(tmp_path, data)
    (alone,) = languages(read(tmp_path, wat_page(0, ["byens havn"]))[1]).values()
    assert alone[0] != "da"
    assert languages(rows)["byens havn"] == (expected or alone)
    counted = {name: count for name, count in receipt.facts.items() if name.startswith("lang_by.")}
    assert counted == {f"lang_by.{by}": count for by, count in Counter(row["lang_by"] for row in rows).items()}


def test_evidence_is_that_of_all_candidates_before_repeats_go(tmp_path: Path) -> None:
    """The longer texts of the second page are repeats of the first page's, and still speak for it."""
    data = wat_page(1, DANISH) + wat_page(2, [*DANISH, "byens havn"])
    assert languages(read(tmp_path, data)[1])["byens havn"] == ("da", "page")


@pytest.mark.parametrize("links", [1, 2, 3, 1000])
def test_batches_that_cut_a_page_change_nothing(tmp_path: Path, links: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = wat_page(1, ["byens havn", "kat", *DANISH, "ko"]) + wat_page(2, ["hest"], first_image=50)
    receipt, whole = read(tmp_path, data)
    monkeypatch.setattr(extract, "BATCH_LINKS", links)
    again, rows = read(tmp_path, data)
    assert rows == whole
    assert (again.rows_in, again.rows_out, again.drops) == (receipt.rows_in, receipt.rows_out, receipt.drops)


@pytest.mark.parametrize("held", [1, 1 << 30], ids=["laid by", "held"])
def test_the_strongest_evidence_wins_whatever_the_order(
    tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "HELD_BYTES", held)
    pages = [
        wat_page(1, ["byens havn"]),
        wat_page(2, ["byens havn"], "sv"),
        wat_page(3, ["byens havn"], "da"),
        wat_page(4, ["ko"], "da"),
    ]
    alone = {row["lang"]: row["lang_score"] for page in pages[:3] for row in read(tmp_path, page)[1]}
    found = set()
    for seed in range(5):
        random.Random(seed).shuffle(pages)
        rows = read(tmp_path, b"".join(pages))[1]
        found.add(tuple((row["lang"], row["lang_score"]) for row in rows if row["text"] == "byens havn"))
    strongest = min(alone, key=lambda code: (-alone[code], code))
    assert len(alone) == 3
    assert found == {((strongest, alone[strongest]),)}


def test_packed_decisions_are_ordered_by_score_then_code() -> None:
    rng = np.random.default_rng(3)
    scores, codes = rng.choice([0.25, 0.5, 1.0], 200).astype(np.float32), rng.integers(0, 5, 200).astype(np.int16)
    found = Decided(codes, scores, rng.integers(0, 4, 200).astype(np.uint8))
    assert all((a == b).all() for a, b in zip(unpacked(packed(found)), found, strict=True))
    best = np.argmax(packed(found))
    assert scores[best] == 1.0
    assert codes[best] == codes[scores == 1.0].min()


@pytest.mark.parametrize("rows", [3, 1 << 20], ids=["rows wait", "all fit"])
def test_distinct_rows_keep_the_largest_evidence(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "MAX_ROWS", rows)
    monkeypatch.setattr(distinct, "HELD_BYTES", 1000)
    rng = random.Random(7)
    given = [(f"{rng.randrange(60):024x}", "text", "alt", rng.randrange(1 << 40)) for _ in range(900)]
    expected: dict[str, int] = {}
    for uid, _, _, number in given:
        expected[uid] = max(expected.get(uid, 0), number)
    batches = []
    for at in range(0, 900, 30):
        batch = batch_of(given[at : at + 30])
        batches.append(batch.append_column(EVIDENCE, batch["number"].cast(pa.uint64())))
    drops: Counter[str] = Counter()
    found = [row for batch in distinct_rows(iter(batches), drops) for row in batch.to_pylist()]
    assert {row["uid"]: row[EVIDENCE] for row in found} == expected
    assert len(found) == len(expected) == 900 - drops["same_text"]


@pytest.mark.parametrize("links", [2, 1000])
def test_an_error_at_a_text_costs_its_link(tmp_path: Path, links: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_at_cats(texts: pa.Array, model: LanguageModel) -> Classified:
        if "kat" in texts.to_pylist():
            raise ValueError("a cat")
        return classify(texts, model)

    monkeypatch.setattr(extract, "BATCH_LINKS", links)
    monkeypatch.setattr(extract, "classify", fails_at_cats)
    (tmp_path / "a.wat.gz").write_bytes(wat_page(1, ["kat", "byens havn", *DANISH]) + wat_page(2, ["ko"]))
    settings = extraction_settings(language=CAREFUL)
    receipt = extract_file(ExtractTask(str(tmp_path / "a.wat.gz"), str(tmp_path / "out.parquet")), settings)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert languages(rows)["byens havn"] == ("da", "page")
    assert {row["text"] for row in rows} == {"byens havn", *DANISH, "ko"}
    assert (receipt.rows_in, receipt.rows_out, receipt.drops) == (5, 4, {"reader_error": 1})
    assert receipt.facts["reader_errors"] == 1


@pytest.mark.parametrize(
    ("unknown", "lang", "drops"), [("en", "en", {}), ("other", "other", {}), ("drop", None, {"language_unknown": 1})]
)
def test_undecided_texts(tmp_path: Path, unknown: str, lang: str | None, drops: dict[str, int]) -> None:
    rules = language_rules(rule=LanguageRule.careful, unknown=unknown)
    receipt, rows = read(tmp_path, wat_page(1, ["DSC_0012", "a red kite over the hill"]), language=rules)
    assert receipt.drops == drops
    assert receipt.facts["language_unknown"] == 1
    assert languages(rows).get("DSC_0012") == (None if lang is None else (lang, "unknown"))
    assert {row["lang_score"] for row in rows if row["lang_by"] == "unknown"} == ({0.0} if lang else set())


def test_a_group_shares_a_list(tmp_path: Path) -> None:
    rules = language_rules(rule=LanguageRule.careful, merge=(("no", "nn", "da"),), languages=("no",))
    receipt, rows = read(tmp_path, wat_page(1, [DANISH[0], "a red kite over the hill"]), language=rules)
    assert languages(rows) == {DANISH[0]: ("no", "model")}
    assert receipt.drops == {"language": 1}


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl"])
def test_the_language_column_of_a_table(tmp_path: Path, name: str) -> None:
    values = [("byens havn", "da-DK"), ("hund og kat", ""), ("kat", None)]
    if name == "a.tsv":
        lines = ["url\ttext\tlang"] + [
            f"http://h.org/{at}\t{text}\t{tag or ''}" for at, (text, tag) in enumerate(values)
        ]
    else:
        lines = [
            json.dumps({"url": f"http://h.org/{at}", "text": t, "lang": tag}) for at, (t, tag) in enumerate(values)
        ]
    data = "\n".join(lines).encode()
    columns = table_columns(lang="lang")
    _, rows = read(tmp_path, data, name, source=SourceKind.table, columns=columns)
    assert languages(rows)["byens havn"] == ("da", "given")
    assert "page" not in {row["lang_by"] for row in rows}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unknown": "klingon"}, "language.unknown=klingon is no list"),
        ({"merge": (("no", "klingon"),)}, "language.merge: klingon is no list code"),
        ({"merge": (("no", "da"), ("sv", "da"))}, "language.merge: da is named twice"),
        ({"merge": (("no", "da"), ("sv",))}, "language.merge: sv is alone; a group is two languages or more"),
        ({"merge": (("no", "da"),), "languages": ("da",)}, "languages names da, .* list no: name no"),
        ({"unknown": "de", "languages": ("fr",)}, "language.unknown=de is none of languages="),
    ],
    ids=["unknown", "merge", "twice", "alone", "merged away", "unknown is dropped"],
)
def test_wrong_settings(changes: dict, message: str) -> None:
    with pytest.raises(HeadtailError, match=message):
        language_rules(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": "de", "languages": ("fr", "de")},
        {"unknown": "da", "languages": ("no",), "merge": (("no", "da"),)},
        {"languages": ("fr",)},
        {"unknown": "drop", "languages": ("fr",)},
    ],
    ids=["named", "merged", "default", "drop"],
)
def test_settings_that_agree(changes: dict) -> None:
    language_rules(**changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["language.rule=published", "language.unknown=drop"], "language.unknown=drop is for texts that"),
        (["language=none", "languages=en", "language.unknown=de"], "language.unknown=de is for texts that"),
        (["language=none", "languages=en", "language.rule=careful"], "language.rule=careful weighs the labels of"),
    ],
    ids=["published", "no classifier", "careful without a classifier"],
)
def test_settings_of_another_rule_are_refused(given: list[str], message: str) -> None:
    with pytest.raises(HeadtailError, match=message):
        compose_config("extract_pairs", ExtractPairsConfig, ["output=/r", "source.paths=/c", *given])


def test_a_run_that_was_begun_with_published_refuses_settings_of_careful() -> None:
    config = ExtractPairsConfig()
    config.language.unknown = "drop"
    with pytest.raises(HeadtailError, match=r"language\.unknown=drop is for texts that language\.rule=careful"):
        as_begun(settings_of(config), config, [SimpleNamespace(manifest={"settings": {}})])


def test_a_language_column_needs_the_careful_rule() -> None:
    with pytest.raises(HeadtailError, match=r"source\.lang_column=lang is evidence for language\.rule=careful"):
        extraction_settings(language=language_rules(rule=LanguageRule.published), columns=table_columns(lang="lang"))


def test_a_run_keeps_the_rule_by_which_it_was_begun() -> None:
    config = ExtractPairsConfig()
    new = settings_of(config)
    assert new.language.is_careful
    old = recipe_settings(settings_of(ExtractPairsConfig(language=type(config.language)(rule=LanguageRule.published))))
    assert "rule" not in old["language"]  # as in the manifests of before
    begun = [SimpleNamespace(manifest={"settings": old})]
    assert recipe_settings(as_begun(new, config, begun)) == old
    assert as_begun(new, config, []) == new
    careful = [SimpleNamespace(manifest={"settings": recipe_settings(new)})]
    assert as_begun(new, config, careful) == new
    config.source.lang_column = "lang"  # a difference that is told, or decides for `overwrite`
    assert as_begun(settings_of(config), config, begun).language.is_careful
    config.source.lang_column = ""
    config.language.rule = LanguageRule.careful
    assert as_begun(settings_of(config), config, begun).language.is_careful


def test_a_setting_of_the_other_rule_is_refused() -> None:
    config = ExtractPairsConfig()
    old = recipe_settings(settings_of(ExtractPairsConfig(language=type(config.language)(rule=LanguageRule.published))))
    begun: Any = SimpleNamespace(manifest={"settings": old})
    assert recipe_settings(as_begun(settings_of(config), config, [begun])) == old
    config.language.unknown = "drop"
    with pytest.raises(HeadtailError, match=r"language\.unknown=drop"):
        as_begun(settings_of(config), config, [begun])


def test_without_a_classifier_the_rule_means_nothing() -> None:
    config = ExtractPairsConfig(languages=["en"])
    config.language.model = "none"
    assert recipe_settings(settings_of(config).language) == {"model": "none", "languages": ["en"], "min_score": 0.0}
