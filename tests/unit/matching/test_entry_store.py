"""Opening, hashing and compiling entry lists, on disk and elsewhere."""

import gzip
import json
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES
from curation.matching import entry_store
from curation.matching.cache_folders import compiled_folder, user_cache
from curation.matching.entry_store import EntryStore


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "en.json").write_text(json.dumps(["dog", "cat", "dog", "Mr. Smith", "a photo"]))
    (folder / "de.txt").write_bytes(b"Hund\r\nKatze\n\nschwarze Katze\n")
    table = pa.table({"text": ["猫", "犬"], "source": ["wordnet", "titles"], "score": [1.0, 70.0]})
    pq.write_table(table, folder / "zh.parquet")
    (folder / "other.json.gz").write_bytes(gzip.compress(b'["hello"]', mtime=0))
    (folder / "_manifest.json").write_text("{}")
    (folder / "README.md").write_text("no list")
    return folder


def test_a_folder_is_a_list_per_language(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    assert store.languages == ("de", "en", "other", "zh")
    assert store.entries("en").to_pylist() == ["dog", "cat", None, "Mr. Smith", "a photo"]
    assert store.entries("de").to_pylist() == ["Hund", "Katze", None, "schwarze Katze"]
    assert store.entries("other").to_pylist() == ["hello"]
    assert store.entry_list("zh").sources.to_pylist() == ["wordnet", "titles"]
    assert store.entry_list("zh").scores.to_pylist() == [1.0, 70.0]
    assert store.entry_list("en").sources.to_pylist() == [None] * 5
    assert store.unmatchable("en").tolist() == [3]
    assert store.list_sizes([]) == {"de": 3, "en": 4, "other": 1, "zh": 2}
    assert store.list_sizes({"en", "fr"}) == {"en": 4}


def test_lists_without_a_usable_entry_are_refused(lists: Path) -> None:
    (lists / "fr.txt").write_text("\n \n")
    EntryStore.open(str(lists)).check_entries()
    EntryStore.open(str(lists)).check_entries(["fr", "en"])
    with pytest.raises(HeadtailError, match=rf"{lists}/fr.txt holds no usable entry"):
        EntryStore.open(str(lists)).check_entries(["fr"])
    (lists / "it.json").write_text("{}")
    with pytest.raises(HeadtailError, match=r"it.json is no entry list: expected a JSON list"):
        EntryStore.open(str(lists)).check_entries(["en"])


def test_a_list_is_read_once_for_its_hash_and_its_entries(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = entry_store.read_entries
    monkeypatch.setattr(entry_store, "read_entries", lambda path: read.append(path) or real(path))
    store = EntryStore.open(str(lists))
    store.check_entries()
    assert store.hash == EntryStore.open(str(lists)).hash
    assert len(read) == len(store.languages)


def test_a_file_is_a_store_of_one_language(lists: Path) -> None:
    assert EntryStore.open(str(lists / "en.json")).languages == ("en",)
    assert EntryStore.open(str(lists / "en.json"), lang="de").languages == ("de",)
    (lists / "en.json").rename(lists / "metadata.json")
    assert EntryStore.open(str(lists / "metadata.json"), lang="en").languages == ("en",)
    with pytest.raises(HeadtailError, match=r"'metadata' is none"):
        EntryStore.open(str(lists / "metadata.json")).check_languages()


def test_the_hash_tells_contents_not_files(lists: Path, tmp_path: Path) -> None:
    first = EntryStore.open(str(lists)).hash
    (lists / "en.json").rename(tmp_path / "en.json")
    (lists / "en.txt").write_text("dog\ncat\ndog\nMr. Smith\na photo")
    assert EntryStore.open(str(lists)).hash == first
    assert EntryStore.open(str(lists), edges="blank").hash == first
    (lists / "en.txt").write_text("cat\ndog\ndog\nMr. Smith\na photo")
    second = EntryStore.open(str(lists)).hash
    assert second != first
    (lists / "en.txt").write_text("cat\ndog\ndog\nMr. Smith\na photo\n\n")  # a hole more
    assert EntryStore.open(str(lists)).hash not in (first, second)


def test_the_hash_is_the_same_before_and_after_compiling(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    before = store.hash
    for lang in store.languages:
        store.matcher(lang)
    assert EntryStore.open(str(lists)).hash == before


def test_a_compiled_list_is_used_again_and_an_edited_one_is_not(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    path = store.compile("en")
    assert path.parent == lists / ".compiled"
    stamp = path.stat().st_mtime_ns
    again = EntryStore.open(str(lists))
    assert again.compile("en") == path
    assert path.stat().st_mtime_ns == stamp
    again.matcher("en")
    assert not again._lists  # nothing was parsed
    (lists / "en.json").write_text(json.dumps(["cat"]))
    edited = EntryStore.open(str(lists))
    assert edited.compile("en") != path
    assert edited.matcher("en").match(pa.array(["cat dog"])).to_pylist() == [[0]]


def test_compiling_twice_gives_the_same_bytes(lists: Path, tmp_path: Path) -> None:
    one = EntryStore.open(str(lists), cache=str(tmp_path / "one")).compile("de")
    two = EntryStore.open(str(lists), cache=str(tmp_path / "two")).compile("de")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("damage", ["emptied", "other", "cut off"])
def test_a_file_that_is_no_compiled_list_is_named(lists: Path, damage: str) -> None:
    path = EntryStore.open(str(lists)).compile("en")
    path.write_bytes({"emptied": b"", "other": b"something else\n" * 400, "cut off": path.read_bytes()[:-8]}[damage])
    with pytest.raises(HeadtailError, match="no compiled entry list"):
        EntryStore.open(str(lists)).matcher("en")


def rewritten(path: Path, change: Callable[[dict], None]) -> None:
    """Change the header of a compiled list and leave its tables."""
    data = path.read_bytes()
    magic, header = data[:14], json.loads(data[14:4096])
    change(header)
    path.write_bytes((magic + json.dumps(header).encode()).ljust(4096) + data[4096:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda h: h["arrays"]["slots"].update(size=h["arrays"]["slots"]["size"] - 4), "size", id="rows"),
        pytest.param(lambda h: h["arrays"]["slots"].update(size=0), "size", id="no row"),
        pytest.param(lambda h: h["arrays"]["slots"].update(size=-8), "size", id="negative size"),
        pytest.param(lambda h: h["arrays"]["steps"].update(offset=0), "size", id="table over the header"),
        pytest.param(lambda h: h["arrays"].update(more={"offset": 0, "size": 4}), "size", id="a third table"),
        pytest.param(lambda h: h.pop("arrays"), "arrays", id="no tables"),
        pytest.param(lambda h: h.update(edges="other"), "checksum", id="unknown edge rule"),
        pytest.param(lambda h: h.update(edges="blank"), "of edges script", id="another edge rule"),
        pytest.param(lambda h: h.update(file="0" * 64), "of file", id="another list"),
        pytest.param(lambda h: h.update(lang="de"), "of lang en", id="another language"),
    ],
)
def test_a_header_is_not_believed(lists: Path, change: Callable[[dict], None], message: str) -> None:
    rewritten(EntryStore.open(str(lists)).compile("en"), change)
    with pytest.raises(HeadtailError, match=rf"no compiled entry list.*{message}"):
        EntryStore.open(str(lists)).matcher("en")


def test_a_flipped_bit_is_found(lists: Path) -> None:
    path = EntryStore.open(str(lists)).compile("en")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(HeadtailError, match="its checksum is wrong"):
        EntryStore.open(str(lists)).matcher("en")


def test_the_hash_is_that_of_the_list(lists: Path) -> None:
    path = EntryStore.open(str(lists)).compile("en")
    honest = EntryStore.open(str(lists)).hash
    rewritten(path, lambda header: header.update(list="0" * 64))
    entry_store._facts.clear()
    assert EntryStore.open(str(lists)).hash == honest


def test_a_planted_compiled_list_is_not_used(lists: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    user_cache.cache_clear()
    path = EntryStore.open(str(lists)).compile("en")
    honest = path.read_bytes()
    path.write_bytes(b"planted")
    path.chmod(0o666)  # others could have written it
    assert EntryStore.open(str(lists)).matcher("en").match(pa.array(["a cat"])).to_pylist() == [[1]]
    assert path.read_bytes() == honest
    path.unlink()
    (lists / "en.json").rename(lists / "planted")
    path.symlink_to(lists / "planted")
    (lists / "planted").rename(lists / "en.json")
    EntryStore.open(str(lists)).matcher("en")
    assert not path.is_symlink()
    assert json.loads((lists / "en.json").read_text())[0] == "dog"
    path.parent.chmod(0o777)  # others could plant more
    compiled_folder.cache_clear()
    assert EntryStore.open(str(lists)).compile("en").is_relative_to(tmp_path / "home" / "headtail")
    compiled_folder.cache_clear()
    user_cache.cache_clear()


def test_compiled_lists_are_ours_under_any_umask(lists: Path) -> None:
    before = os.umask(0)
    try:
        path = EntryStore.open(str(lists)).compile("en")
    finally:
        os.umask(before)
    assert path.parent.parent == lists
    assert not (path.stat().st_mode | path.parent.stat().st_mode) & 0o022
    EntryStore.open(str(lists)).matcher("en")


def test_a_lock_follows_no_link(lists: Path, tmp_path: Path) -> None:
    path = EntryStore.open(str(lists)).compile("en")
    path.unlink()
    path.with_suffix(".lock").unlink()
    (tmp_path / "precious").write_text("kept")
    path.with_suffix(".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(HeadtailError, match="is a symbolic link, expected a lock file"):
        EntryStore.open(str(lists)).compile("en")
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_read_only_folder_leads_to_the_cache(lists: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (lists / ".compiled").write_text("in the way")  # root may write anywhere, so permissions would prove nothing
    user_cache.cache_clear()
    path = EntryStore.open(str(lists)).compile("en")
    user_cache.cache_clear()
    assert path.is_relative_to(tmp_path / "home" / "headtail")


def test_a_store_travels_light(lists: Path) -> None:
    store = EntryStore.open(str(lists))
    store.matcher("en")
    carried = pickle.dumps(store)
    assert len(carried) < 2000
    assert pickle.loads(carried).matcher("de").match(pa.array(["ein Hund"])).to_pylist() == [[0]]


def test_the_texts_of_one_list_are_held_at_a_time(tmp_path: Path) -> None:
    for lang in sorted(LANGUAGES)[:10]:
        (tmp_path / f"{lang}.txt").write_text("\n".join(f"{lang} entry {number}" for number in range(10_000)))
    store = EntryStore.open(str(tmp_path))
    before = pa.total_allocated_bytes()
    _ = store.hash
    held = pa.total_allocated_bytes() - before
    assert held < 2 * store.entries(store.languages[0]).nbytes


def test_many_processes_build_one_list_once(lists: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["curation.matching.entry_store"])  # imported once, not by each process
    with context.Pool(4) as pool:
        found = pool.map(_compile, [str(lists)] * 8)
    assert len(set(found)) == 1
    assert len(os.listdir(lists / ".compiled")) == 2  # the file and its lock


def _compile(path: str) -> tuple[str, int]:
    compiled = EntryStore.open(path).compile("en")
    return str(compiled), compiled.stat().st_ino


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("en.json", b'{"dog": 1}', "expected a JSON list of texts, found dict", id="object in json"),
        pytest.param("en.json", b'["dog", ', "is no entry list", id="json that breaks off"),
        pytest.param("en.txt", b"caf\xe9", "is no entry list", id="txt that is no UTF-8"),
        pytest.param("en.txt", b'["dog", "cat"]', "found a JSON list: name the file .json", id="json in txt"),
        pytest.param("en.json.gz", b"not gzip", "is no entry list", id="gz that is not packed"),
        pytest.param("en.parquet", b"not parquet", "is no entry list", id="text in parquet"),
    ],
)
def test_a_file_that_is_no_list_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HeadtailError, match=message):
        EntryStore.open(str(tmp_path)).entries("en")


def test_what_is_not_there_is_named(lists: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="names no file"):
        EntryStore.open(str(tmp_path / "nothing"))
    with pytest.raises(HeadtailError, match=r"no entry list of language fr: the lists are de, en, other, zh"):
        EntryStore.open(str(lists)).entries("fr")
    (lists / "en.txt").write_text("dog")
    with pytest.raises(HeadtailError, match="two entry lists of language en"):
        EntryStore.open(str(lists))
    pq.write_table(pa.table({"entry": ["dog"]}), tmp_path / "en.parquet")
    with pytest.raises(HeadtailError, match="expected a column text, found entry"):
        EntryStore.open(str(tmp_path / "en.parquet")).entries("en")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"], ids=["no byte", "byte order mark"])
def test_an_empty_list(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "en.txt").write_bytes(content)
    store = EntryStore.open(str(tmp_path))
    assert len(store.entries("en")) == 0
    assert store.unmatchable("en").tolist() == []


def test_lists_elsewhere_are_copied_into_the_cache(tmp_path: Path) -> None:
    storage.write_bytes("memory://lists/en.txt", b"dog\ncat")
    store = EntryStore.open("memory://lists", cache=str(tmp_path))
    assert store.languages == ("en",)
    assert store.matcher("en").match(pa.array(["a cat"])).to_pylist() == [[1]]
    storage.write_bytes("memory://lists/en.txt", b"cat\ndog!")
    assert EntryStore.open("memory://lists", cache=str(tmp_path)).entries("en").to_pylist() == ["cat", "dog!"]
