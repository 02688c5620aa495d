"""Names of synsets, from Princeton's files and from tab files of every layout."""

import gzip
from pathlib import Path

import pytest

from curation.core.errors import HeadtailError
from metadata.sources.pack_wordnet import pack, synset_lines
from metadata.sources.wordnet import (
    DATABASE_FILES,
    LICENCE_FILE,
    SYNSETS,
    copy_shipped,
    list_wordnets,
    read_names,
    shipped_wordnet,
)

DATABASE = Path("/usr/share/wordnet")
needs_database = pytest.mark.skipif(not DATABASE.is_dir(), reason="the package wordnet-base is not installed")

NOUNS = """  1 This software and database is being provided to you, the LICENSEE
00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 ~ 00002137 n 0000 ~ 04424418 n 0000 | that which is perceived
00002137 03 n 02 Abstract_entity 0 abstraction 6 010 @ 00001740 n 0000 | a general concept
00002452 03 s 0b a 0 b(ip) 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 k(a) 0 000 | eleven words
odd row
00002684 03 n 01 entity 0 000 | the same name again
"""


def test_database_files(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(NOUNS)
    (tmp_path / "index.noun").write_text("ignored")
    found = list_wordnets([str(tmp_path)])
    assert list(found) == ["en"]
    paths = [file.path for file in found["en"]]
    names = read_names("en", paths, first_only=True)
    assert names.counts == {"entity": 2, "abstract entity": 1, "a": 1}
    assert names.receipt.check().drops == {"comment": 1, "malformed": 1}
    every = read_names("en", paths, first_only=False).counts
    assert list(every) == ["entity", "Abstract entity", "abstraction", *"abcdefghijk"]


HEAD = "# W\tfra\thttp://x\tCC BY 3.0\n"
TABS = {
    "plain": (HEAD + "1-n\tlemma\tchat_noir\n", ["chat noir"], {"comment": 1}),
    "with language": (HEAD + "1-n\tfra:lemma\tchat\n", ["chat"], {"comment": 1}),
    "roots": (HEAD + "1-n\tlemma\tchat\n1-n\tfra:lemma:root\tch\n", ["chat"], {"comment": 1, "other_type": 1}),
    "definitions": (HEAD + "1-n\tfra:def\t0\tun animal\n", [], {"comment": 1, "other_type": 1}),
    "more columns": (HEAD + "1-n\tlemma\tchat\textra\n", ["chat"], {"comment": 1}),
    "no header": ("1-n\tlemma\tchat\n", ["chat"], {}),
    "broken": (HEAD + "1-n\tlemma\n\n1-n\tlemma\t \n", [], {"comment": 1, "malformed": 3}),
    "windows letters": (HEAD + "1-n\tlemma\t\x9cuvre\n", ["œuvre"], {"comment": 1}),
    "byte order mark, CR LF": (
        "\ufeff" + (HEAD + "1-n\tlemma\tchat\n").replace("\n", "\r\n"),
        ["chat"],
        {"comment": 1},
    ),
    "particles": (HEAD + "1-a\tfra:lemma\t美丽+的\n", ["美丽的"], {"comment": 1}),
    "markup": (HEAD + "1-a\tlemma\t&lt;big&gt;\n1-a\tlemma\t(''x'') y\n", [], {"comment": 1, "malformed": 2}),
}


@pytest.mark.parametrize("name", TABS)
@pytest.mark.parametrize("packed", [False, True])
def test_tab_files(tmp_path: Path, name: str, packed: bool) -> None:
    text, expected, drops = TABS[name]
    path = tmp_path / ("wn-data-fra.tab.gz" if packed else "wn-data-fra.tab")
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
    assert list(list_wordnets([str(path)])) == ["fr"]
    names = read_names("fr", [str(path)], first_only=True)
    assert list(names.counts) == expected
    assert names.receipt.check().drops == drops


def test_albanian_is_not_alemannic(tmp_path: Path) -> None:
    (tmp_path / "wn-data-als.tab").write_text("# Albanet\tals\tu\tCC BY 3.0\n1-n\tlemma\tmace\n")
    assert list(list_wordnets([str(tmp_path)])) == ["sq"]


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wn-data-fra.tab.gz"
    path.write_bytes(gzip.compress(b"# W\tfra\tu\tCC\n" + b"1-n\tlemma\tchat\n" * 9999, mtime=0)[:80])
    with pytest.raises(HeadtailError, match="fetch it again"):
        read_names("fr", [str(path)], first_only=True)


@needs_database
def test_debians_wordnet() -> None:
    paths = [file.path for file in list_wordnets([str(DATABASE)])["en"]]
    names = read_names("en", paths, first_only=True)
    assert names.receipt.check().rows_out == 117_659
    assert len(names.counts) == 86_571
    assert names.counts["mr. moto"] == 1


def test_the_shipped_names_are_those_of_the_whole_database_with_its_licence() -> None:
    names = read_names("en", [str(shipped_wordnet())], first_only=True)
    assert (names.receipt.rows_out, len(names.counts)) == (117_659, 86_571)
    assert names.receipt.drops == {"comment": 29}
    assert len(read_names("en", [str(shipped_wordnet())], first_only=False).counts) == 148_730
    with gzip.open(shipped_wordnet(), "rt") as file:
        head = [next(file) for _ in range(29)]
    licence = shipped_wordnet().with_name(LICENCE_FILE).read_text()
    assert [f"# {line}".rstrip() for line in licence.splitlines()] == [line.rstrip() for line in head]
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence


@needs_database
def test_the_shipped_names_can_be_made_again() -> None:
    with gzip.open(shipped_wordnet(), "rt") as file:
        assert synset_lines(DATABASE) == file.read().splitlines()


def test_packed_names_are_read_as_the_database_is(tmp_path: Path) -> None:
    head = "".join(f"  {number} line {number}\n" for number in range(1, 30))
    for number, name in enumerate(DATABASE_FILES):
        (tmp_path / name).write_text(head + NOUNS.replace("entity", f"entity_{number}"))
    (tmp_path / "packed").mkdir()
    pack(tmp_path, tmp_path / "packed")
    assert (tmp_path / "packed" / LICENCE_FILE).read_text().splitlines()[::28] == ["line 1", "line 29"]
    database = [str(tmp_path / name) for name in DATABASE_FILES]
    for first_only in (True, False):
        whole = read_names("en", database, first_only)
        packed = read_names("en", [str(tmp_path / "packed" / SYNSETS)], first_only)
        assert list(packed.counts.items()) == list(whole.counts.items())
        assert packed.licences == whole.licences


def test_shipped_names_do_not_count_beside_a_database(tmp_path: Path) -> None:
    copies = copy_shipped(tmp_path / "sources" / "wordnet" / "eng")
    before = [copy.stat().st_mtime_ns for copy, _ in copies]
    assert copy_shipped(tmp_path / "sources" / "wordnet" / "eng") == copies
    assert [copy.stat().st_mtime_ns for copy, _ in copies] == before
    (tmp_path / "data.noun").write_text(NOUNS)
    shipped, database = str(tmp_path / "sources"), str(tmp_path / "data.noun")
    assert [file.path for file in list_wordnets([shipped])["en"]] == [str(copies[0][0])]
    (once,) = list_wordnets([shipped, str(shipped_wordnet())])["en"]
    assert once.path in (str(copies[0][0]), str(shipped_wordnet()))
    for paths in ([shipped, database], [database, shipped]):
        assert [file.path for file in list_wordnets(paths)["en"]] == [database]
