"""How much of real captions the starter lists cover, beside wordfreq as it stands and a list of 415,854 entries.

`python -m tests.benchmarks.starter`; the last line is one JSON object. The captions are 10,000 of LAION-400M and those
of Wikipedia in eleven languages; beside them stand 300 German and Serbian sentences, whose nouns and alphabet wordfreq
does not have (../shared/data). For each list:

- words: the share of the words of all captions that are an entry. A word is what stands between blanks and the marks
  that the matcher spaces, with a letter in it. Without blanks it is a whole sentence: read `texts` in Japanese.
- texts: the share of captions in which the matcher finds an entry that has a letter.
- entries: the mean number of such entries in a caption.

`wordfreq` is the package's words as they stand, `folded` the same with words in small letters, which is the most that a
list of those words can cover. `entries_415k` is English: elsewhere it finds names, and what is spelt alike.
"""

import json
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.choices import Edges
from curation.matching.engines import Matcher
from curation.matching.entry_store import EntryStore
from curation.matching.spacing import MARKS
from metadata.lists.starter import starter_inputs, write_starter_lists
from metadata.sources.word_frequencies import word_lists
from tests.conftest import SHARED
from tests.real_texts import english_entries, lines, sentences

_WORDS = re.compile(rf"[^\s{MARKS}]+")


def main() -> None:
    """Make the lists, match the captions, and print the result."""
    if not SHARED.exists():
        sys.exit("the real data of ../shared/data is not here")
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large")
        large.mkdir()
        (large / "en.json").write_text(json.dumps(english_entries()))
        matcher = Compared(EntryStore.open(str(large)), "en")
        result = {name: measure(lang, texts, matcher, Path(folder, name)) for name, lang, texts in captions()}
    for name, row in result.items():
        print(name, json.dumps(row), file=sys.stderr)
    print(json.dumps({"benchmark": "starter", **result}))


class Compared:
    """A list to compare: its entries, and its matcher; only entries with a letter count."""

    def __init__(self, store: EntryStore, lang: str) -> None:
        entries = store.entries(lang)
        self.entries = set(entries.drop_null().to_pylist())
        self.matcher: Matcher = store.matcher(lang)
        self.has_letter = np.array([any(map(str.isalpha, entry or "")) for entry in entries.to_pylist()])

    def coverage(self, texts: list[str]) -> dict[str, float]:
        """Return the shares of words and texts, and the mean number of entries of a text."""
        ids = self.matcher.match(pa.array(texts, pa.string()))
        counts = [int(self.has_letter[row.as_py()].sum()) if len(row) else 0 for row in ids]
        return {
            "words": covered(texts, self.entries),
            "texts": round(sum(count > 0 for count in counts) / len(counts), 4),
            "entries": round(sum(counts) / len(counts), 2),
        }


def captions() -> list[tuple[str, str, list[str]]]:
    """Return name, language and texts of each set of captions."""
    laion = [text for text in pq.read_table(SHARED / "captions/laion-10000.parquet")["TEXT"].to_pylist() if text]
    by_lang: dict[str, list[str]] = defaultdict(list)
    for line in lines(SHARED / "languages/wit-captions-11-half.tsv.gz"):
        lang, text = line.split("\t")
        by_lang[lang].append(text)
    translated = sentences()
    return [
        ("laion", "en", laion),
        *((lang, lang, texts) for lang, texts in sorted(by_lang.items())),
        ("ntrex_de", "de", translated["deu"]),
        ("ntrex_sr_cyrillic", "sr", translated["srp-Cyrl"]),
    ]


def measure(lang: str, texts: list[str], large: Compared, folder: Path) -> dict:
    """Return the coverage of each list, and what the starter list of the language takes."""
    row: dict = {"texts": len(texts), "entries_415k": large.coverage(texts)}
    if lang not in word_lists():
        return row | {"starter": None}
    started = time.perf_counter(), time.process_time()
    write_starter_lists(str(folder), starter_inputs([lang], []))
    seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    starter = Compared(EntryStore.open(str(folder), Edges.script), lang)
    words = {word for word, _ in word_lists()[lang].words()}
    return row | {
        "starter": starter.coverage(texts),
        "wordfreq": {"words": covered(texts, words), "folded": covered(texts, words, fold=True)},
        "list_entries": len(starter.entries),
        "list_bytes": (folder / f"{lang}.parquet").stat().st_size,
        "seconds": round(seconds[0], 1),
        "processor_seconds": round(seconds[1], 1),
    }


def covered(texts: list[str], entries: Collection[str], fold: bool = False) -> float:
    """Return the share of the words of texts that are among the entries."""
    words = [word for text in texts for word in _WORDS.findall(text) if any(map(str.isalpha, word))]
    found = sum((word.casefold() if fold else word) in entries for word in words)
    return round(found / len(words), 4)


if __name__ == "__main__":
    main()
