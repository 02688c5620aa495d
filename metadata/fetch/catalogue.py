"""The files to download: names of dumps, page-view files and wordnets on Wikimedia's servers and their mirrors."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from curation.core.draws import hash64
from curation.core.errors import HeadtailError
from curation.core.languages import Language
from metadata.fetch.fetcher import Fetcher

# Folders of Open Multilingual Wordnet's repository that are not called like the language.
_WORDNET_FOLDERS = {
    "cmn": "cow", "cat": "mcr", "eus": "mcr", "glg": "mcr", "spa": "mcr", "ind": "msa", "zsm": "msa", "nno": "nor",
    "nob": "nor",
}  # fmt: skip
_SUM = re.compile(r"^([0-9a-f]{40}) [ *](\S+)$")


@dataclass(frozen=True)
class Source:
    """One file to download.

    `path` lies within the folder of sources. `checksum` is the published one, as algorithm and hex digits, or None.
    """

    kind: str
    url: str
    path: str
    licence: str
    checksum: tuple[str, str] | None = None


def dump_sources(fetcher: Fetcher, mirror: str, language: Language, day: str) -> list[Source]:
    """Return the files of a wiki's page dump of a day (`20260101`) or `latest`, with their SHA-1.

    A dump that is published in parts gives its parts, and multistream files come before files of one stream. Raises
    MissingError if the mirror has no list of that day, HeadtailError if the list names no page dump.
    """
    wiki = f"{'be_x_old' if language.code == 'be_tarask' else language.code}wiki"
    listing = f"{mirror.rstrip('/')}/{wiki}/{day}/{wiki}-{day}-sha1sums.txt"
    found: dict[str, tuple[str, str]] = {}
    for line in fetcher.read(listing).decode("utf-8", "replace").splitlines():
        if match := _SUM.match(line.strip()):
            found[match[2]] = ("sha1", match[1])
    name = re.compile(rf"{wiki}-(\d{{8}})-pages-articles(-multistream)?(\d*)\.xml(-p\d+p\d+)?\.bz2")
    files = {file: match for file in found if (match := name.fullmatch(file))}
    if not files:
        raise HeadtailError(f"{listing} lists no pages-articles file: the dump may not be finished, try another day")
    # Multistream before one stream, parts before the whole.
    best = max((bool(match[2]), bool(match[3])) for match in files.values())
    return [
        Source(
            "dump",
            f"{mirror.rstrip('/')}/{wiki}/{match[1]}/{file}",
            f"dumps/{wiki}/{file}",
            "CC BY-SA 4.0 and GFDL",
            found[file],
        )
        for file, match in sorted(files.items())
        if (bool(match[2]), bool(match[3])) == best
    ]


def page_view_sources(mirror: str, days: Iterable[date], hours: Iterable[int]) -> Iterator[Source]:
    """Yield the hourly page-view files of days; the hour in the name of a file is the one at which it ends."""
    hours = sorted(set(hours))
    for day in sorted(set(days)):
        for hour in hours:
            name = f"pageviews-{day:%Y%m%d}-{hour:02d}0000.gz"
            folder = f"{mirror.rstrip('/')}/other/pageviews/{day:%Y}/{day:%Y-%m}"
            yield Source("page views", f"{folder}/{name}", f"pageviews/{name}", "CC0 1.0")


def draw_days(seed: int, count: int, first: date, last: date) -> list[date]:
    """Return `count` random days from `first` to `last`; they depend on the seed, and a larger count adds days.

    >>> [f"{day}" for day in draw_days(0, 2, date(2025, 1, 1), date(2025, 12, 31))] == [
    ...     f"{day}" for day in draw_days(0, 3, date(2025, 1, 1), date(2025, 12, 31))][:2]
    True
    """
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    if count > len(days):
        raise HeadtailError(f"random_days={count:,} is more than the {len(days):,} days from {first} to {last}")
    order = hash64(seed, "days", pa.array([day.isoformat() for day in days])).argsort(kind="stable")
    return [days[index] for index in order[:count]]


def parse_day(text: str) -> date:
    """Return the day of a text such as 2026-01-31; raises HeadtailError for any other text."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HeadtailError(f"{text!r} is not a day such as 2026-01-31") from None


def wordnet_sources(mirror: str, languages: Iterable[Language]) -> Iterator[Source]:
    """Yield the tab files of Open Multilingual Wordnet, which has none of English: that is Princeton's WordNet."""
    for language in languages:
        if language.wordnet and language.code != "en":
            folder = _WORDNET_FOLDERS.get(language.wordnet, language.wordnet)
            for name in (f"wn-data-{language.wordnet}.tab", "LICENSE"):
                url = f"{mirror.rstrip('/')}/wns/{folder}/{name}"
                path = f"wordnet/{language.wordnet}/{name}"
                yield Source("wordnet", url, path, f"wordnet/{language.wordnet}/LICENSE")
