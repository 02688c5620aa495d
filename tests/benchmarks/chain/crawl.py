"""The input of both sides: several WATs that share images, and the list of 415,854 entries.

English texts are words of real captions, as often as they are there, which makes them Zipf-like, and entries; the other
languages have the words of generate_wat.
"""

import json
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.benchmarks.generate_wat import LANGUAGE_WEIGHTS, SEED, VOCABULARY, write_wat
from tests.real_texts import captions, english_entries

COMMON_IMAGES = 200_000
ENTRY_SHARE = 0.15
"""Of the English words: entries, each as likely as any other."""


def vocabulary() -> dict[str, list[str]]:
    """Return the words of each language."""
    words = [word for caption in captions() for word in caption.split()]
    entries = random.Random(SEED).choices(english_entries(), k=int(len(words) * ENTRY_SHARE / (1 - ENTRY_SHARE)))
    return {**VOCABULARY, "en": words + entries}


def common_images(words: dict[str, list[str]]) -> list[dict[str, str]]:
    """Return image links that pages of all archives share."""
    rng = random.Random(SEED)
    links = []
    for number in range(COMMON_IMAGES):
        (lang,) = rng.choices(list(LANGUAGE_WEIGHTS), LANGUAGE_WEIGHTS.values())
        text = " ".join(rng.choices(words[lang], k=rng.randrange(2, 10)))
        links.append({"path": "IMG@/src", "url": f"https://img.example.org/common/{number}.jpg", "alt": text})
    return links


def _write(number: int, folder: Path, megabytes: int) -> dict[str, int]:
    told = folder / f"{number:03d}.json"
    if not told.exists():
        words = vocabulary()
        path = folder / f"{number:03d}.wat.gz"
        counts = write_wat(path, megabytes, SEED + number, words, common_images(words))
        told.write_text(json.dumps(counts))
    return json.loads(told.read_text())


def write_crawl(folder: Path, files: int, megabytes: int, processes: int) -> list[Path]:
    """Write WATs of so many megabytes each, unless an earlier run has left them; return their paths in order."""
    folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        counts = list(pool.map(partial(_write, folder=folder, megabytes=megabytes), range(files)))
    print(f"{files} WATs: { {name: sum(each[name] for each in counts) for name in counts[0]} }", flush=True)
    return [folder / f"{number:03d}.wat.gz" for number in range(files)]


def write_entries(folder: Path) -> Path:
    """Write the entry list as JSON; return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "en.json").write_text(json.dumps(english_entries(), ensure_ascii=False))
    return folder
