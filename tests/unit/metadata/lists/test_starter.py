"""Starter lists: their order, ids, sources and scores; the same bytes again; what they refuse."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig, StarterListsConfig
from curation.core.choices import Edges
from curation.core.errors import HeadtailError
from curation.matching.entry_store import EntryStore
from jobs import build_metadata, starter_lists
from metadata.lists.inputs import chosen_languages
from metadata.lists.rules import EntryTable
from metadata.lists.starter import StarterInputs, add_sources, starter_inputs
from metadata.sources.word_frequencies import NEEDS_PACKAGE, word_lists
from metadata.sources.wordnet import list_wordnets, shipped_wordnet
from tests.word_package import SOURCE, install_words

WORDS = {
    "de": ["die", ["haus", "00"], "strasse", "0,5", "3d"],
    "el": ["τησ", "ο"],
    "en": ["the", "hot dog", "usa"],
    "nb": ["og"],
    "sh": ["ljubav"],
}
NOUNS = "00001740 03 n 01 dog 0 000 | x\n00001741 03 n 02 Hot_dog 0 red_hot 0 000 | x\n00001742 03 n 01 dog 0 000 | x\n"


@pytest.fixture(autouse=True)
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_words(tmp_path, monkeypatch, WORDS)


def make(folder: Path, *overrides: str) -> Path:
    starter_lists.run(compose_config("starter_lists", StarterListsConfig, [f"output={folder}", *overrides]))
    return folder / "entry_lists"


def rows(path: Path) -> list[tuple]:
    return [tuple(row.values()) for row in pq.read_table(path).slice(100).to_pylist()]


def test_a_list_without_a_wordnet(tmp_path: Path) -> None:
    lists = make(tmp_path / "a", "languages=[de]")
    assert [row["text"] for row in pq.read_table(lists / "de.parquet").slice(0, 100).to_pylist()] == [
        str(number) for number in range(100)
    ]
    assert rows(lists / "de.parquet") == [
        ("die", "wordfreq", 1e7), ("haus", "wordfreq", 9.772e6), ("strasse", "wordfreq", 9.55e6),
        ("3d", "wordfreq", 9.12e6),
        ("Die", "wordfreq_form", 1e7), ("DIE", "wordfreq_form", 1e7), ("Haus", "wordfreq_form", 9.772e6),
        ("HAUS", "wordfreq_form", 9.772e6), ("straße", "wordfreq_form", 9.55e6), ("Strasse", "wordfreq_form", 9.55e6),
        ("Straße", "wordfreq_form", 9.55e6), ("3D", "wordfreq_form", 9.12e6),
    ]  # fmt: skip


def test_names_of_a_wordnet_come_first_and_each_entry_once(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(NOUNS)
    inputs = StarterInputs(
        chosen_languages(["en"]), list_wordnets([str(tmp_path / "data.noun")]), {"en": word_lists()["en"]}
    )
    table = EntryTable()
    account = add_sources(table, "en", inputs)
    assert [(text, *found) for text, found in table.texts.items()] == [
        ("dog", "wordnet", 2), ("hot dog", "wordnet", 1),
        ("the", "wordfreq", 1e7), ("usa", "wordfreq", 9.55e6),
        ("Dog", "wordnet_form", 2), ("DOG", "wordnet_form", 2), ("Hot dog", "wordnet_form", 1),
        ("Hot Dog", "wordnet_form", 1), ("red hot", "wordnet_form", 1), ("Red hot", "wordnet_form", 1),
        ("Red Hot", "wordnet_form", 1),
        ("The", "wordfreq_form", 1e7), ("THE", "wordfreq_form", 1e7), ("Usa", "wordfreq_form", 9.55e6),
        ("USA", "wordfreq_form", 9.55e6),
    ]  # fmt: skip
    assert {row["source"]: (row["available"], row["added"]) for row in account["sources"]} == {
        "wordnet": (2, 2), "wordfreq": (3, 2), "wordnet_form": (8, 7), "wordfreq_form": (6, 4)
    }  # fmt: skip


def test_texts_match_as_they_are_written(tmp_path: Path) -> None:
    store = EntryStore.open(str(make(tmp_path / "a", "languages=[de,el,sr,no]")), Edges.blank)
    texts = {"de": "Haus in der Straße", "el": "Της", "no": "Og", "sr": "Љубав Ljubav"}
    found = {}
    for lang, text in texts.items():
        ids = store.matcher(lang).match(pa.array([text]))[0].as_py()
        found[lang] = [store.entries(lang)[entry].as_py() for entry in ids]
    assert found == {"de": ["Haus", "Straße"], "el": ["Της"], "no": ["Og"], "sr": ["Ljubav", "Љубав"]}


def test_the_same_packages_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make(tmp_path / "a", "languages=[el,de]"), make(tmp_path / "b", "languages=[de,el]")
    files = ["README.md", "_manifest.json", "_table.md", "_wikis", "de.parquet", "el.parquet"]
    assert sorted(path.name for path in first.iterdir()) == files
    for path in (*first.glob("*.*"), *first.glob("_wikis/*")):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path
    install_words(tmp_path, monkeypatch, WORDS, "3.1.2")
    third = make(tmp_path / "c", "languages=[de,el]")
    ids = {json.loads((lists / "_manifest.json").read_text())["id"] for lists in (first, second, third)}
    assert len(ids) == 2


def test_what_is_done_is_not_done_again_and_other_languages_replace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = make(tmp_path / "a", "languages=[de,el]")
    before = (lists / "de.parquet").stat().st_mtime_ns
    readme = (lists / "README.md").read_text()
    (lists / "README.md").unlink()
    make(tmp_path / "a", "languages=[el,de]")
    told = capsys.readouterr().err
    assert "no wordnet: de, el" in told
    assert f"is done: 2 lists in {lists}" in told
    assert (lists / "de.parquet").stat().st_mtime_ns == before
    assert (lists / "README.md").read_text() == readme
    make(tmp_path / "a", "languages=[el,no]")
    assert EntryStore.open(str(lists)).languages == ("el", "no")
    (lists / "_manifest.json").unlink()  # a run that was stopped
    make(tmp_path / "a", "languages=[de]")
    assert EntryStore.open(str(lists)).languages == ("de",)


def test_lists_of_another_job_are_not_replaced(tmp_path: Path) -> None:
    lists = make(tmp_path / "a", "languages=[de]")
    manifest = json.loads((lists / "_manifest.json").read_text())
    (lists / "_manifest.json").write_text(json.dumps(manifest | {"stage": "build_metadata", "id": "0"}))
    with pytest.raises(HeadtailError, match="holds lists of build_metadata: choose another folder"):
        make(tmp_path / "a", "languages=[el]")
    assert EntryStore.open(str(lists)).languages == ("de",)
    make(tmp_path / "b", "languages=[de]")
    given = [f"output={tmp_path}/b", "languages=[en]", f"wordnet={shipped_wordnet()}"]
    with pytest.raises(HeadtailError, match="b/entry_lists holds lists of starter_lists: choose another folder"):
        build_metadata.run(compose_config("build_metadata", BuildMetadataConfig, given))


def test_the_lists_say_their_licence_and_what_they_are_not(tmp_path: Path) -> None:
    lists = make(tmp_path / "a", "languages=[de]")
    readme, manifest = (lists / "README.md").read_text(), json.loads((lists / "_manifest.json").read_text())
    assert manifest["licence"].startswith("CC BY-SA 4.0")
    assert manifest["inputs"][0]["path"] == "wordfreq 3.1.1 small_de.msgpack.gz"
    assert pq.read_schema(lists / "de.parquet").metadata[b"licence"].decode() == manifest["licence"]
    assert manifest["licence"] in readme
    assert "## What these lists are not" in readme
    assert "Of de, it holds only words that stand once in a million" in readme
    assert "Princeton" not in readme


def test_wordnets_that_were_fetched_are_used_and_may_be_all_there_is(tmp_path: Path) -> None:
    folder = tmp_path / "sources" / "wordnet" / "ita"
    folder.mkdir(parents=True)
    (folder / "wn-data-ita.tab").write_text("# W\tita\thttp://x\tCC BY 3.0\n1-n\tlemma\tgatto_nero\n")
    lists = make(tmp_path / "a", "languages=[it]", f"sources={tmp_path}/sources")
    assert [text for text, *_ in rows(lists / "it.parquet")] == ["gatto nero", "Gatto nero", "Gatto Nero"]
    manifest = json.loads((lists / "_manifest.json").read_text())
    assert "licence" not in manifest
    assert manifest["notes"] == ["it: wordfreq: no words in wordfreq"]
    readme = (lists / "README.md").read_text()
    assert "wn-data-ita.tab: CC BY 3.0" in readme
    assert "hold words of wordfreq" not in readme


def test_languages_without_words_are_named() -> None:
    with pytest.raises(HeadtailError, match=r"no words of et, it, and no wordnet is given: .* lists are of bs, de, el"):
        starter_inputs(["de", "et", "it"], [])
    with pytest.raises(HeadtailError, match="'xx' is no Wikipedia language"):
        starter_inputs(["xx"], [])


def test_a_missing_package_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_words(tmp_path, monkeypatch, {}, "0", "raise ModuleNotFoundError('No module', name='wordfreq')")
    with pytest.raises(HeadtailError) as told:
        make(tmp_path / "a", "languages=[de]")
    assert str(told.value) == NEEDS_PACKAGE
    assert not (tmp_path / "a" / "entry_lists" / "_manifest.json").exists()
    install_words(tmp_path, monkeypatch, {}, "1", SOURCE.replace("gzip", "no_such_module"))
    with pytest.raises(HeadtailError, match=r"cannot be imported \(No module named 'no_such_module'\): pip install"):
        starter_inputs(["de"], [])


def test_the_real_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pytest.importorskip("wordfreq")
    lists = make(tmp_path / "a", "languages=[vi]")
    found = {text: score for text, source, score in rows(lists / "vi.parquet") if source == "wordfreq"}
    assert 10_000 < len(found) < 12_000
    assert max(found, key=lambda text: found[text]) == "là"
