"""Reads the names of WordNet's synsets from Princeton's database and the tab files of Open Multilingual Wordnet.

headtail ships the lemmas of Princeton's WordNet 3.0 beside this module (`SYNSETS`, a line a synset); `pack_wordnet.py`
makes that file from the database.
"""

import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.input_files import FileInfo, list_files
from curation.core.languages import LANGUAGES
from curation.core.receipts import Receipt
from curation.core.remote import open_patiently
from curation.core.storage import write_bytes

DATABASE_FILES = ("data.adj", "data.adv", "data.noun", "data.verb")
SYNSETS = "wordnet-3.0-synsets.tsv.gz"
LICENCE_FILE = "wordnet-3.0-LICENSE"
LICENCE = "WordNet 3.0 licence (Princeton University)"
# A lemma of data.adj may end with its position in a sentence: `galore(ip)`.
_POSITION = re.compile(r"\((?:a|p|ip)\)$")
_WINDOWS_1252 = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
} | dict.fromkeys((0x200E, 0x200F, 0xFEFF))
_BY_WORDNET = {language.wordnet: language.code for language in LANGUAGES.values() if language.wordnet}


@dataclass
class SynsetNames:
    """The names of one language: `counts` holds the number of synsets of each name, in the order of the files.

    Rows in of `receipt` are lines of the files, rows out the lines with a name.
    """

    lang: str
    counts: Counter[str] = field(default_factory=Counter)
    receipt: Receipt = field(default_factory=lambda: Receipt("wordnet"))
    licences: list[str] = field(default_factory=list)


def is_database(path: str) -> bool:
    """Whether a file belongs to Princeton's database."""
    return path.rsplit("/", 1)[-1] in DATABASE_FILES


def shipped_wordnet() -> Path:
    """Return the path of the names of WordNet 3.0 that headtail ships."""
    return Path(__file__).with_name(SYNSETS)


def copy_shipped(folder: Path) -> list[tuple[Path, str]]:
    """Copy the shipped names and their licence to a folder; return the path and the SHA-256 in hex of each file.

    A copy that is there stays as it is: lists that were made with it are told by its time of change.
    """
    copied = []
    for name in (SYNSETS, LICENCE_FILE):
        data, copy = shipped_wordnet().with_name(name).read_bytes(), folder / name
        if not copy.exists() or copy.read_bytes() != data:
            write_bytes(str(copy), data)
        copied.append((folder / name, hashlib.sha256(data).hexdigest()))
    return copied


def list_wordnets(paths: list[str]) -> dict[str, list[FileInfo]]:
    """Return the WordNet files among paths by language code, in the order of their paths; other files are ignored.

    The first line of a tab file names its language, or else the name of the file does (`wn-data-fra.tab`). Where there
    is a database of Princeton's, the shipped names are ignored: each synset counts once.
    """
    found: dict[str, list[FileInfo]] = {}
    shipped: list[FileInfo] = []
    for file in list_files(paths) if paths else []:
        if is_database(file.path):
            found.setdefault("en", []).append(file)
        elif file.path.endswith(SYNSETS):
            shipped = shipped or [file]
        elif file.path.endswith((".tab", ".tab.gz")):
            code, _ = _read_header(file.path)
            if code in _BY_WORDNET:
                found.setdefault(_BY_WORDNET[code], []).append(file)
    if shipped and "en" not in found:
        found["en"] = shipped
    return found


def read_names(lang: str, paths: list[str], first_only: bool) -> SynsetNames:
    """Return the names of a language's WordNet files.

    With `first_only` the name of a synset of Princeton's is its first lemma in lower case, as in the first paper;
    otherwise each lemma is a name as it is written. Tab files do not rank their lemmas: all are names.
    """
    names = SynsetNames(lang)
    for path in paths:
        for name in _princeton_names(path, first_only, names) if _is_princeton(path) else _tab_names(path, names):
            names.counts[name] += 1
    return names


def database_lemmas(line: str) -> list[str]:
    """Return the lemmas of a line of Princeton's database, none if it is another line.

    The line is `offset lex_filenum ss_type w_cnt word lex_id [word lex_id ...] ...` by wndb(5WN); w_cnt is hexadecimal.

    >>> database_lemmas("00001 00 a 02 hot_dog 0 galore(ip) 1 000 | gloss")
    ['hot dog', 'galore']
    """
    cells = line.partition("|")[0].split(" ")
    try:
        words = cells[4 : 4 + 2 * int(cells[3], 16) : 2]
    except (IndexError, ValueError):
        return []
    return [_POSITION.sub("", word).replace("_", " ") for word in words]


def _is_princeton(path: str) -> bool:
    return is_database(path) or path.endswith(SYNSETS)


def _open_text(path: str) -> Iterator[str]:
    with open_patiently(path) as file:
        stream = gzip.GzipFile(fileobj=file) if path.endswith(".gz") else file
        try:
            for number, line in enumerate(stream):
                yield line.decode("utf-8" if number else "utf-8-sig", "replace").rstrip("\r\n")
        except (OSError, EOFError) as error:
            raise HeadtailError(f"{path} cannot be read to its end ({error}): fetch it again") from error


def _princeton_names(path: str, first_only: bool, names: SynsetNames) -> Iterator[str]:
    """Yield the names of a file of the database, or of the shipped one, whose lines hold lemmas between tabs."""
    shipped = path.endswith(SYNSETS)
    if LICENCE not in names.licences:
        names.licences.append(LICENCE)
    for line in _open_text(path):
        names.receipt.rows_in += 1
        if line.startswith("#" if shipped else "  "):
            names.receipt.drops["comment"] += 1
            continue
        lemmas = line.split("\t") if shipped else database_lemmas(line)
        if not lemmas or not lemmas[0]:
            names.receipt.drops["malformed"] += 1
            continue
        names.receipt.rows_out += 1
        yield from [lemmas[0].lower()] if first_only else lemmas


def _tab_names(path: str, names: SynsetNames) -> Iterator[str]:
    """Yield the names of a file of lines `synset <tab> type <tab> value`.

    Names have the type `lemma` or `fra:lemma`; other types are forms, roots, definitions.
    """
    _, licence = _read_header(path)
    names.licences.append(f"{path.rsplit('/', 1)[-1]}: {licence or 'see the LICENSE file beside it'}")
    for line in _open_text(path):
        names.receipt.rows_in += 1
        cells = line.split("\t")
        kind = cells[1].split(":") if len(cells) > 2 else []
        if line.startswith("#"):
            names.receipt.drops["comment"] += 1
        elif len(cells) < 3:
            names.receipt.drops["malformed"] += 1
        elif kind not in (["lemma"], [kind[0], "lemma"]):
            names.receipt.drops["other_type"] += 1
        else:
            name = _clean(cells[2])
            if not name or "''" in name or "&lt;" in name:
                names.receipt.drops["malformed"] += 1
            else:
                names.receipt.rows_out += 1
                yield name


def _clean(name: str) -> str:
    """Return a lemma of a tab file without markup and faults.

    The Chinese Open Wordnet writes an optional particle as `+的`. The French one has letters of Windows-1252 as control
    characters (`\\x9cuvre`). Marks of direction come from Wiktionary.
    """
    text = name.replace("_", " ").replace("+的", "的").replace("+地", "地").translate(_WINDOWS_1252)
    return " ".join(text.split())


def _read_header(path: str) -> tuple[str, str]:
    """Return language (three letters) and licence of a tab file, from `# name <tab> lang <tab> url <tab> licence`."""
    lines = _open_text(path)
    first = next(lines, "")
    cells = first.lstrip("# ").split("\t") if first.startswith("#") else []
    stem = path.rsplit("/", 1)[-1].split(".")[0].rsplit("-", 1)[-1]
    code = cells[1].strip() if len(cells) > 1 else stem
    return code, cells[3].strip() if len(cells) > 3 else ""
