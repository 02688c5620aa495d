"""The card and croissant.json of a set say what its manifest and report say, and nothing in them is markup."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import SAMPLES
from curation.report.card_facts import LICENCES, CardFacts, Licence, crawls_of, protocol, read_report, scores_of
from curation.report.croissant import CONTEXT, IMAGES, JSON_FILES, SIDE_CARS, STEM, croissant
from curation.report.data_card import data_card, markdown
from curation.report.page import FORMAT
from curation.shards.readme import shard_readme
from curation.shards.shard_set import ShardSet
from tests.browser.report_example import HOSTILE, example_report

FILES = [
    {"path": f"{k:05d}.parquet", "rows": 3000 + k, "tar": f"{k:05d}.tar", "tar_bytes": 7, "tar_sha256": f"{k:064x}"}
    for k in range(2)
]
EMPHASIS = "*a* _b_ [c](http://d.test) `e` | f"


@pytest.fixture
def facts() -> CardFacts:
    manifest = {
        "files": FILES,
        "rows_out": 6001,
        "drops": {"duplicate_image": 5},
        "stage": "write_shards",
        "settings": {},
    }
    report = example_report()
    for stage in report["stages"]:
        stage["settings"] = {"filter": HOSTILE[0], "language.model": "lid.176.ftz", "opt_out": ["noai"]}
    report["languages"][1]["lang"] = "zh_min_nan"
    part = Part("/secret/folder/shards", manifest)
    return CardFacts(HOSTILE[1], Licence.of("CC-BY-4.0", ""), part, report, ("CC-MAIN-2024-51",), EMPHASIS)


def split(card: str) -> tuple[dict[str, Any], str]:
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_head_has_what_the_hub_asks_for_and_the_configs_of_the_shards(facts: CardFacts) -> None:
    head, body = split(data_card(facts))
    plain, files = split(shard_readme(facts.part))
    assert head["configs"] == plain["configs"]
    assert (head["pretty_name"], head["license"]) == (HOSTILE[1], "cc-by-4.0")
    assert "license_name" not in head
    assert head["size_categories"] == ["1K<n<10K"]
    assert head["task_categories"] == ["image-to-text", "text-to-image", "zero-shot-image-classification"]
    assert "common-crawl" in head["tags"]
    assert set(head["language"]) == {"en", "fr", "ar", "zh", "th"}, "zh_min_nan is no code of the Hub"
    commands = re.findall(r"```.*?```", files, re.DOTALL)
    assert len(commands) == 4
    assert all(command in body for command in commands)
    assert body.count("\n# ") == 1


def test_a_licence_that_the_hub_does_not_name_comes_with_its_address(facts: CardFacts) -> None:
    facts = replace(facts, licence=Licence.of("Our terms", "https://example.org/terms"))
    head, body = split(data_card(facts))
    named = (head["license"], head["license_name"], head["license_link"])
    assert named == ("other", "Our terms", "https://example.org/terms")
    assert "[Our terms](<https://example.org/terms>)" in body
    assert croissant(facts)["license"] == "https://example.org/terms"
    assert all(link.startswith("https://") for link in LICENCES.values())


@pytest.mark.parametrize(
    ("name", "link", "message"),
    [
        ("ours", "", "license=ours is none of apache-2.0, .*: for another licence, give license_link"),
        ("unknown", "", "license=unknown is none of"),
        ("ours", "javascript:alert(1)", "license_link must be an address such as https://"),
        ("cc-by-4.0", "https://a.test/>x", "license_link must be an address"),
    ],
    ids=["without an address", "unknown", "a script", "markup"],
)
def test_a_licence_is_asked_for(name: str, link: str, message: str) -> None:
    with pytest.raises(HeadtailError, match=message):
        Licence.of(name, link)


def test_nothing_that_others_wrote_is_markup(facts: CardFacts) -> None:
    _, body = split(data_card(facts))
    text = re.sub(r"```.*?```|`[^`\n]*`|<https?://[^>\s]*>", "", body.replace("\\`", ""), flags=re.DOTALL)
    assert HOSTILE[0] not in text
    assert not re.search(r"(?<!\\)<", text)
    assert markdown(HOSTILE[0]) in body
    assert markdown(EMPHASIS) == "\\*a\\* \\_b\\_ \\[c\\](http://d.test) \\`e\\` \\| f"
    assert markdown(EMPHASIS) in body
    assert not re.search("[\u202e\u2066\x00]", data_card(facts))


def test_no_folder_of_this_machine_is_named(facts: CardFacts) -> None:
    assert "/secret" not in data_card(facts) + json.dumps(croissant(facts))


def test_numbers_are_those_of_the_report(facts: CardFacts) -> None:
    body = data_card(facts)
    for stage in facts.report["stages"]:
        assert f"| {stage['rows_in']:,} | {stage['rows_out']:,} |" in body
    for row in facts.report["languages"]:
        assert f"| {row['samples']:,} |" in body
    assert "6,001 images of the web" in body
    assert "∞ (8.05)" in body
    assert "\n| colours | 400 | 5 | 2 | 20,110 | 7,292 | 31,020 | 7,480 | " in body
    assert f"{markdown(HOSTILE[0][:80])} (2,310), 17 (402) |" in body
    assert "\n- 186 entries of en (180 with a weight, 6 with a t)\n" in body
    assert "Concepts of images (colours) decided as well, combined by product." in body
    plain = {name: value for name, value in facts.report.items() if name not in ("concepts", "targets")}
    assert "Concepts" not in data_card(replace(facts, report=plain))
    assert "X-Robots-Tag (noai) was obeyed" in body
    assert croissant(facts)["rai:dataPreprocessingProtocol"] == protocol(facts)


def test_croissant_names_each_tar_with_its_hash_and_all_references_resolve(facts: CardFacts) -> None:
    found = croissant(facts)
    assert found["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert found["@context"]["containedIn"] == CONTEXT["containedIn"] == "cr:containedIn"
    things = {each["@id"]: each for each in found["distribution"]}
    assert {name: things[name]["sha256"] for name in ("00000.tar", "00001.tar")} == {
        file["tar"]: file["tar_sha256"] for file in FILES
    }
    assert [each["@id"] for each in things[IMAGES]["containedIn"]] == ["00000.tar", "00001.tar"]
    again = [things[each["@id"]] for each in things[JSON_FILES]["containedIn"]]
    assert [(each["contentUrl"], each["sha256"]) for each in again] == [(f["tar"], f["tar_sha256"]) for f in FILES]
    records, _ = found["recordSet"]
    made = [*found["distribution"], *found["recordSet"], *(each for one in found["recordSet"] for each in one["field"])]
    assert max(Counter(each["@id"] for each in made).values()) == 1
    named = re.findall(r'"fileSet": {"@id": "([^"]+)"}', json.dumps(found["recordSet"]))
    assert set(named) == {IMAGES, SIDE_CARS, JSON_FILES} <= set(things)
    assert {each["name"] for each in records["field"]} == {*SAMPLES.names, "image"}
    assert records["key"]["@id"] in {each["@id"] for each in records["field"]}
    for term in re.findall(r'"(\w+)":', json.dumps(found["recordSet"])):
        assert term in CONTEXT, term
    match = re.match(STEM, "0a1b.jpg")
    assert match
    assert re.match(STEM, match[1]).groups() == match.groups(), "a reader applies it twice"
    assert found["rai:dataCollectionTimeframe"] == ["2024-12-16", "2026-11-23"]


def test_croissant_describes_scores_and_the_captions_in_the_json(facts: CardFacts, tmp_path: Path) -> None:
    boxes = pa.struct([("x", pa.int32())])
    types = {"clip": pa.float32(), "vector": pa.list_(pa.float32()), "faces": boxes, "ok": pa.bool_()}
    schema = pa.schema([*SAMPLES, *types.items()])
    pq.write_table(schema.empty_table(), tmp_path / "00000.parquet")
    captions = {"long": {"samples_with": 6000}, "short": {"samples_with": 2}}
    more = {"score_columns": list(types), "captions": captions, "settings": {"json_version": 2}}
    part = Part(str(tmp_path), facts.part.manifest | more)
    samples, descriptions = croissant(replace(facts, part=part, scores=scores_of(part)))["recordSet"]
    fields = {each["name"]: each for each in samples["field"]}
    assert [fields[name]["dataType"] for name in ("clip", "vector", "ok")] == ["cr:Float32", "cr:Float32", "sc:Boolean"]
    assert [name for name, each in fields.items() if each.get("isArray")] == ["vector"]
    assert fields["clip"]["source"]["extract"] == {"column": "clip"}
    assert "faces" not in fields
    assert samples["description"].endswith("further columns of other types: faces.")
    assert "caption_long (6,000 samples" in descriptions["description"]
    assert "matched_texts" in descriptions["description"]
    assert [each["source"]["extract"] for each in descriptions["field"]] == [
        {"fileProperty": "filename"},
        {"fileProperty": "content"},
    ]


def test_the_report_must_be_that_of_the_shards(facts: CardFacts, tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match=r"there is no .*report.json: run report_stats first"):
        read_report(str(tmp_path), facts.part)
    path = tmp_path / "report.json"
    for shards, message in (({"count": 2, "bytes": 15}, "is of other shards"), (None, "is of other shards")):
        path.write_text(json.dumps({"format": FORMAT, "shards": shards}))
        with pytest.raises(HeadtailError, match=message):
            read_report(str(tmp_path), facts.part)
    path.write_text("[")
    with pytest.raises(HeadtailError, match="is damaged"):
        read_report(str(tmp_path), facts.part)
    right = {"shards": {"count": 2, "bytes": 14}}
    path.write_text(json.dumps(right | {"format": 0}))
    with pytest.raises(HeadtailError, match="has format 0, expected"):
        read_report(str(tmp_path), facts.part)
    path.write_text(json.dumps(right | {"format": FORMAT}))
    assert read_report(str(tmp_path), facts.part)


def test_crawls_are_read_from_the_inputs_of_pairs() -> None:
    paths = ["crawl-data/CC-MAIN-2024-51/segments/1/wat/a.gz", "s3://commoncrawl/crawl-data/CC-NEWS-2023/b", "c"]
    part = Part("/p", {"settings": {"crawl": "CC-MAIN-2013-20"}, "inputs": [{"path": path} for path in paths]})
    other = Part("/q", {"settings": {}, "inputs": []})
    assert crawls_of([part, other]) == ("CC-MAIN-2013-20", "CC-MAIN-2024-51", "CC-NEWS-2023")


def test_a_set_that_changes_has_no_description_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "croissant.json").touch()
    ShardSet(str(tmp_path)).retract()
    assert not (tmp_path / "croissant.json").exists()
