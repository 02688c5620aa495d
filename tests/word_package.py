"""A small package `wordfreq` for tests: the functions and files of the real one, and words of the test's choice."""

import gzip
import json
import sys
from pathlib import Path

import pytest

SOURCE = """
import gzip, json, pathlib

DATA = pathlib.Path(__file__).with_name("data")

def available_languages(wordlist="best"):
    return {path.name.split(".")[0].split("_")[1]: str(path) for path in DATA.glob("*.gz")}

def read_cBpack(path):
    return json.loads(gzip.open(path).read())
"""


def install_words(
    folder: Path, patch: pytest.MonkeyPatch, words: dict[str, list[str]], version: str = "3.1.1", source: str = SOURCE
) -> None:
    """Put a package with these words, most frequent first, in front of an installed one; `small_` are its files."""
    package = folder / f"site-{version}" / "wordfreq"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text(source)
    facts = package.parent / f"wordfreq-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wordfreq\nVersion: {version}\n")
    for lang, listed in words.items():
        # A word for each hundredth of a power of ten, from 1 in 100 words on.
        bands = [[] for _ in range(200)] + [[word] if isinstance(word, str) else word for word in listed]
        data = gzip.compress(json.dumps(bands).encode(), mtime=0)
        (package / "data" / f"small_{lang}.msgpack.gz").write_bytes(data)
    patch.syspath_prepend(str(package.parent))
    patch.setitem(sys.modules, "wordfreq", pytest)  # the module of now comes back after the test
    del sys.modules["wordfreq"]
