"""How large the search of a report is, how long writing it takes, and how fast a browser answers a key.

    python -m tests.benchmarks.search languages=30 entries=500000 megabytes=10

It invents entry lists of words with counts by a Zipf law, of which a quarter match nothing, writes the page, and types
into it in Chromium where that is installed: among all languages within the page, then in one whose file was loaded. The
last line is one JSON object.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.balancing.counts import CountFiles, save_array
from curation.balancing.entry_table import Words
from curation.core.languages import LANGUAGES
from curation.matching.entry_store import EntryStore
from curation.report.page import write_report
from curation.report.search_examples import PoolText
from curation.report.search_files import SearchPlan
from curation.report.search_rows import SearchNumbers
from tests.benchmarks.memory import PeakMemory
from tests.browser.chromium import BROWSER, DRIVER, open_chromium
from tests.browser.report_example import example_report

SYLLABLES = [f"{first}{second}" for first in "bdklmnrst" for second in "aeiou"]
QUERIES = ("k", "ka", "kab", "e", "ma", "lori", "xyz", "a b")


_ANSWER = """
const [query, how, done] = arguments, start = performance.now(), rows = document.getElementById("find-rows");
const text = document.getElementById("find-text");
document.getElementById("find-how").value = how;
text.value = query;
text.dispatchEvent(new Event("input"));
const look = () => rows.getAttribute("aria-busy") === "false" ? done(performance.now() - start) : setTimeout(look);
look();
"""


def main(languages: int = 30, entries: int = 500_000, megabytes: float = 10.0, folder: str = "") -> None:
    """Write lists, counts and the page, then type into it."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        langs = list(LANGUAGES)[:languages]
        pool = {lang: _write_language(place, lang, entries, k) for k, lang in enumerate(langs)}
        rows = [{**example_report()["languages"][0], "lang": lang, "name": LANGUAGES[lang].name} for lang in langs]
        report = example_report() | {"languages": rows, "forecast": None}
        store = EntryStore.open(str(place / "lists"))
        files = [CountFiles(str(place / name)) for name in ("count", "kept", "kept")]
        plan = SearchPlan(Words.of_lists(store, []), SearchNumbers(*files), pool)
        start = time.perf_counter()
        with PeakMemory() as peak:
            search = plan.write(str(place / "report"), report, megabytes, "")
            write_report(str(place / "report"), report, search)
        assert search
        figures = {
            "languages": languages,
            "entries": entries,
            "seconds": round(time.perf_counter() - start, 1),
            "peak_megabytes": round(peak.driver * 1024),
            "page_megabytes": round((place / "report/index.html").stat().st_size / 1e6, 2),
            "within": search.within,
            "beside": search.beside,
            "file_megabytes": round(search.file_bytes / languages / 1e6, 2),
            "all_files_megabytes": round(search.file_bytes / 1e6, 1),
        }
        if BROWSER and DRIVER:
            figures |= _type(place / "report/index.html", langs[0], place / "profile")
        print(json.dumps({"benchmark": "search", **figures}))


def _write_language(place: Path, lang: str, entries: int, number: int) -> list[PoolText]:
    rng = np.random.default_rng(number)
    syllables = np.array(SYLLABLES)
    words = [
        f"{''.join(word)} {k:x}" for k, word in enumerate(syllables[rng.integers(0, len(SYLLABLES), (entries, 4))])
    ]
    sources = rng.choice(["titles", "unigrams", "bigrams", "wordnet"], entries)
    for name in ("lists", "count", "kept"):
        (place / name).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": words, "source": sources}), place / f"lists/{lang}.parquet")
    counts = (3e6 / (rng.permutation(entries) + 1)).astype(np.int64)
    counts[rng.random(entries) < 0.25] = 0
    save_array(f"{place}/count/{lang}.npy", counts)
    save_array(f"{place}/kept/{lang}.npy", np.minimum(counts, 60))
    frequent = np.argsort(-counts)[: 3 * 2000].reshape(-1, 3).tolist()
    return [PoolText(k / 2000, lang, " ".join(words[i] for i in ids), ids) for k, ids in enumerate(frequent)]


def _type(page: Path, lang: str, profile: Path) -> dict[str, Any]:
    """Return the milliseconds of opening the search, the longest that a key takes, and the longest until all is drawn.

    What a key takes is searching, the first rows and their layout: the page does nothing else in this time.
    """
    browser = open_chromium(profile)
    try:
        browser.get(f"file://{page}")
        timed = "const start = performance.now(); {}; document.body.offsetHeight; return performance.now() - start"
        first = browser.execute_script(timed.format("document.getElementById('find-text').focus()"))
        key = timed.format(
            "const text = document.getElementById('find-text'), how = document.getElementById('find-how');"
            "how.value = arguments[1]; text.value = arguments[0]; text.dispatchEvent(new Event('input'))"
        )

        asked = [(query, how) for query in QUERIES for how in ("prefix", "part")]

        def longest() -> float:
            return round(max(browser.execute_script(key, *each) for each in asked), 1)

        def answer() -> float:
            return round(max(browser.execute_async_script(_ANSWER, *each) for each in asked), 1)

        found = {"open_ms": round(first, 1), "page_key_ms": longest(), "page_answer_ms": answer()}
        browser.execute_script(
            "const lang = document.getElementById('find-lang'); lang.value = arguments[0];"
            "lang.dispatchEvent(new Event('change')); document.getElementById('find-more').click()",
            lang,
        )
        start = time.perf_counter()
        while not browser.execute_script("return document.getElementById('find-more').hidden"):
            time.sleep(0.02)
        found["load_ms"] = round((time.perf_counter() - start) * 1000)
        return found | {"language_key_ms": longest(), "language_answer_ms": answer()}
    finally:
        browser.quit()


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    kinds = {"languages": int, "entries": int, "megabytes": float, "folder": str}
    main(**{name: kinds[name](value) for name, value in given.items()})
