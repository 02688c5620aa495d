"""`make evidence` in small: all commands over a web of shapes in two languages, without npm and without training."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from curation.core.parts import sum_receipts
from curation.core.tables import Table
from jobs import curate
from tests.evidence import retrieval
from tests.evidence.arms import curate_arms
from tests.evidence.many_languages import curate_languages
from tests.evidence.material import Material
from tests.evidence.sizes import Sizes
from tests.evidence.sketches import make_sketches
from tests.evidence.web import make_links, make_web
from tests.jobs.conftest import rows
from tests.shared_runs import SESSION, free_port


def in_process(given: list[str]) -> None:
    curate.run(compose_config("curate", CurateConfig, [*given, *SESSION]))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return make_sketches(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def sizes(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    made = Sizes(
        out=tmp_path_factory.mktemp("evidence"), concepts=30, links=800, languages="en,de", english=0.7, arm=80,
        lists="names", exponent=2, port=free_port(0), arms="balanced,random,everything",
    )  # fmt: skip
    make_web(material, made, made.out, made.port)
    return made


@pytest.fixture(scope="module")
def counts(material: Material, sizes: Sizes) -> dict[str, dict[str, Any]]:
    return curate_arms(material, sizes, in_process)


def test_every_link_of_the_web_is_accounted_for(
    material: Material, sizes: Sizes, counts: dict[str, dict[str, Any]]
) -> None:
    links = make_links(material, sizes)
    account = sum_receipts(Table(str(sizes.out / "balanced" / "pairs")).parts())
    account.check()
    assert account.rows_in == len(links) == 800
    assert account.drops["blank_text"] == sum(link.kind == "blank" for link in links)
    assert account.rows_out == counts["balanced"]["pairs"]
    told = {link.path: link.text for link in links}
    matched = rows(sizes.out / "balanced", "matches")
    assert {urlsplit(url).path: texts[0]["text"] for url, texts in zip(
        matched["url"].to_pylist(), matched["texts"].to_pylist(), strict=True
    )}.items() <= told.items()  # fmt: skip
    assert matched.num_rows == counts["everything"]["matched_images"] == counts["everything"]["kept"]
    english = {link.path for link in links if link.written == "en"}
    assert 0.8 * len(english) < matched.num_rows <= len(english)


def test_balancing_shows_more_concepts_than_as_many_images_at_random(counts: dict[str, dict[str, Any]]) -> None:
    balanced, chance, everything = (counts[arm] for arm in ("balanced", "random", "everything"))
    assert balanced["kept"] == chance["kept"] < everything["kept"] / 3
    assert balanced["effective_concepts"] > 1.5 * chance["effective_concepts"]
    assert balanced["concepts"] > chance["concepts"]


def test_samples_are_what_arrives_without_copies(sizes: Sizes, counts: dict[str, dict[str, Any]]) -> None:
    urls = rows(sizes.out / "everything", "curated")["url"].to_pylist()
    dead = sum("/gone/" in url for url in urls)
    copies = sum("/mirror/" in url and url.replace("/mirror", "") in urls for url in urls)
    assert dead > 0
    assert copies > 0
    assert counts["everything"]["samples"] == len(urls) - dead - copies
    sizes_file = json.loads((sizes.out / "everything" / "shards" / "sizes.json").read_text())
    assert counts["everything"]["samples"] == sum(sizes_file.values())


def test_faulty_texts_are_counted_by_the_truth(
    material: Material, sizes: Sizes, counts: dict[str, dict[str, Any]]
) -> None:
    links = {link.path: link for link in make_links(material, sizes)}
    kept = [links[urlsplit(url).path] for url in rows(sizes.out / "everything", "curated")["url"].to_pylist()]
    wrong = sum(link.kind == "wrong" for link in kept)
    assert 0 < counts["everything"]["wrong"] == wrong
    assert counts["everything"]["foreign"] == sum(link.written == "de" for link in kept if link.kind == "plain")
    assert counts["everything"]["idle"] == 0  # no entry of the lists is in them


def test_the_same_sizes_give_the_same_shards(
    material: Material, sizes: Sizes, counts: dict[str, dict[str, Any]]
) -> None:
    shards = sorted((sizes.out / "balanced" / "shards").glob("*.tar"))
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in shards]
    assert curate_arms(material, sizes, in_process) == counts
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in shards] == before


def test_languages_are_measured_against_the_truth(material: Material, sizes: Sizes) -> None:
    table = curate_languages(material, sizes, in_process)
    found = json.loads((sizes.out / "languages" / "languages.json").read_text())
    assert [row["lang"] for row in found] == ["de", "en"]
    for row in found:
        assert row["texts"] > 300
        assert 0.8 * row["texts"] < row["detected"] <= row["texts"]
        assert row["matched"] <= row["detected"]
        assert 0 < row["kept"] < row["matched"]
        assert row["t"] >= 1
    assert "all 2" in table


def test_a_set_of_all_languages_is_counted_by_the_truth(
    material: Material, sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "TITLES", {"one_t": "all, one t"})
    small = replace(sizes, out=sizes.out / "retrieval", links=400, port=free_port(0))
    (found,) = retrieval.curate_sets(material, small, in_process).values()
    assert found["written"].keys() == {"de", "en"}
    assert sum(found["written"].values()) == found["samples"] > 50
    assert found["t"]["de"] == found["t"]["en"] > 0
    sizes_file = json.loads((small.out / "one_t" / "shards" / "sizes.json").read_text())
    assert found["samples"] == sum(sizes_file.values())
