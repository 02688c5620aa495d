"""What a data card tells of a set of shards: its licence, which is asked for, and how it was made."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Self

import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import SAMPLES
from curation.core.table_reader import check_file, read_schema
from curation.report.page import FORMAT
from curation.shards.scores import score_columns

LICENCES = {
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-nc-sa-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "cc-by-nd-4.0": "https://creativecommons.org/licenses/by-nd/4.0/",
    "cdla-permissive-2.0": "https://cdla.dev/permissive-2-0/",
    "cdla-sharing-1.0": "https://cdla.dev/sharing-1-0/",
    "mit": "https://opensource.org/license/mit",
    "odbl": "https://opendatacommons.org/licenses/odbl/1-0/",
    "odc-by": "https://opendatacommons.org/licenses/by/1-0/",
    "pddl": "https://opendatacommons.org/licenses/pddl/1-0/",
}
"""The Hub's names of licences for data, with their addresses; any other licence is given with its address."""
MAX_INPUTS = 100_000
"""Inputs of a part of pairs that are looked at for the names of crawls."""
_CRAWL = re.compile(r"CC-(?:MAIN|NEWS)-\d{4}(?:-\d\d)?")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"\\]+")

Values = dict[str, Any]


@dataclass(frozen=True)
class Licence:
    """A licence by its name and address; `is_known`: the Hub has this name."""

    name: str
    link: str

    @classmethod
    def of(cls, name: str, link: str) -> Self:
        """Return the licence of two settings; raises HeadtailError for one that LICENCES lacks without an address."""
        known = LICENCES.get(name.lower())
        if link and not _WEB_ADDRESS.fullmatch(link):
            raise HeadtailError(f"license_link must be an address such as https://example.org/terms, got {link!r}")
        if known:
            return cls(name.lower(), link or known)
        if not link:
            raise HeadtailError(
                f"license={name} is none of {', '.join(LICENCES)}: for another licence, give license_link=<address>"
            )
        return cls(name, link)

    @property
    def is_known(self) -> bool:
        """Whether the Hub has a licence of this name."""
        return self.name in LICENCES


@dataclass(frozen=True)
class CardFacts:
    """The set of a card (`part`), the values of its report, and what its publisher says of it.

    `crawls` are names of crawls, `url` the page of the set, `creator` who publishes it; the last two may be empty.
    `scores` are the columns of scores in the side-cars.
    """

    name: str
    licence: Licence
    part: Part
    report: Values
    crawls: tuple[str, ...] = ()
    creator: str = ""
    url: str = ""
    scores: pa.Schema = field(default_factory=lambda: pa.schema([]))

    def __post_init__(self) -> None:
        if self.url and not _WEB_ADDRESS.fullmatch(self.url):
            raise HeadtailError(f"url must be the address of a page such as https://example.org/set, got {self.url!r}")

    @property
    def faces(self) -> str:
        """What became of faces: keep, blur or drop."""
        return str(self.part.manifest["settings"].get("faces", "keep"))

    @property
    def samples(self) -> int:
        """The number of samples."""
        return self.part.manifest["rows_out"]

    @property
    def date(self) -> str:
        """The day of the report, YYYY-MM-DD."""
        return self.report["run"]["finished"][:10]

    @property
    def langs(self) -> list[str]:
        """The languages with samples, that with most first."""
        rows = [row for row in self.report["languages"] if row["samples"]]
        return [row["lang"] for row in sorted(rows, key=lambda row: (-row["samples"], row["lang"]))]

    @cached_property
    def stages(self) -> Mapping[str, Values]:
        """The stages of the report by name."""
        return {stage["stage"]: stage for stage in self.report["stages"]}

    def setting(self, stage: str, key: str, default: Any = None) -> Any:
        """Return a setting of a stage as its manifest has it, `default` where it has none."""
        return self.stages.get(stage, {}).get("settings", {}).get(key, default)

    def dropped(self, stage: str) -> dict[str, int]:
        """Return what a stage dropped, by reason."""
        return {drop["reason"]: drop["count"] for drop in self.stages.get(stage, {}).get("drops", ())}

    @property
    def summary(self) -> str:
        """One sentence on the set."""
        languages = f"{len(self.langs):,} languages" if len(self.langs) != 1 else "one language"
        return (
            f"{self.samples:,} images of the web, each with a caption, in {languages}, chosen by balancing over the "
            "entries of a metadata list as in MetaCLIP: texts of frequent entries are thinned, those of rare ones stay."
        )


def read_report(folder: str, part: Part) -> Values:
    """Return the values of a report; HeadtailError if there is none, or it is of other shards, or another version."""
    path = storage.join(folder, "report.json")
    try:
        report = storage.read_json(path)
        shards = report["shards"] or {}
        same = (shards.get("count"), shards.get("bytes")) == (
            len(part.manifest["files"]),
            sum(file["tar_bytes"] for file in part.manifest["files"]),
        )
    except FileNotFoundError:
        raise HeadtailError(f"there is no {path}: run report_stats first, whose numbers the card holds") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadtailError(f"{path} is damaged ({error}): run report_stats again") from error
    if report.get("format") != FORMAT:
        raise HeadtailError(f"{path} has format {report.get('format')!r}, expected {FORMAT}: run report_stats again")
    if not same:
        raise HeadtailError(f"{path} is of other shards than those in {part.path}: run report_stats again")
    return report


def scores_of(part: Part) -> pa.Schema:
    """Return the columns of scores that the side-cars of a set have; raises HeadtailError for a damaged side-car."""
    names = score_columns(part.manifest)
    if not names or not part.files:
        return pa.schema([])
    check_file(part.files[0], SAMPLES, names)
    found = read_schema(part.files[0])
    return pa.schema([found.field(name) for name in names if name in found.names])


def crawls_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the names of CommonCrawl's crawls in the inputs of parts of pairs, sorted."""
    return tuple(sorted({found for part in parts for found in _crawls(part)}))


def _crawls(part: Part) -> Iterator[str]:
    yield from _CRAWL.findall(str(part.manifest["settings"].get("crawl") or ""))
    try:
        inputs = part.inputs()
    except FileNotFoundError:  # of a part that was cleaned
        return
    for entry in islice(inputs, MAX_INPUTS):
        yield from _CRAWL.findall(str(entry.get("path", "")))


def protocol(facts: CardFacts) -> list[str]:
    """Return how the set was made, a sentence or two for each stage, as the settings in the manifests say it."""
    return [line for tell in (_extraction, _matching, _balance, _download, _shards) if (line := tell(facts))]


def _extraction(facts: CardFacts) -> str:
    if "extract_pairs" not in facts.stages:
        return ""
    setting = facts.setting
    stage = facts.stages["extract_pairs"]
    source = {"wat": "CommonCrawl's WAT archives", "warc": "WARC archives of pages"}.get(
        str(setting("extract_pairs", "source")), "tables of image addresses and captions"
    )
    crawls = f" ({', '.join(facts.crawls)})" if facts.crawls else ""
    emails = {"mask": "replaced", "drop": "a reason to drop the text"}.get(
        str(setting("extract_pairs", "texts.emails")), "kept"
    )
    words = "were dropped" if setting("extract_pairs", "texts.word_lists") else "were not looked for"
    model = setting("extract_pairs", "language.model", "none")
    return (
        f"Extraction: {stage['rows_out']:,} pairs of an image's address and its alternative text out of "
        f"{stage['rows_in']:,} links in {source}{crawls}. E-mail addresses in texts were {emails}; texts with listed "
        f"words {words}. Languages were identified with {model}."
    )


def _matching(facts: CardFacts) -> str:
    metadata = facts.report["run"]["metadata"]
    return (
        f"Matching: a text counts if an entry of its language's list occurs in it ({metadata['entries']:,} entries in "
        f"{metadata['languages']:,} lists, SHA-256 {metadata['id']})."
    )


def _balance(facts: CardFacts) -> str:
    setting = facts.setting
    goals = {name: setting("balance_pairs", name) for name in ("t", "tail_share", "target_images")}
    goal = ", ".join(f"{name} = {value:,.10g}" for name, value in goals.items() if value)
    stage = facts.stages.get("balance_pairs")
    kept = f" {stage['rows_out']:,} of {stage['rows_in']:,} images stayed." if stage else ""
    if setting("balance_pairs", "targets"):
        kept = f" A list of targets gave some entries a t of their own.{kept}"
    if concepts := facts.report.get("concepts"):
        named = ", ".join(row["namespace"] for row in concepts["namespaces"])
        kept = f" Concepts of images ({named}) decided as well, combined by {concepts['combine']}.{kept}"
    again = " After the download it was done again, on what had arrived." if facts.report["second_balance"] else ""
    return (
        f"Balancing: an entry with more than t texts keeps each of them with the probability t / count, and a text "
        f"stays if one of its entries keeps it ({goal or 'no goal told'}; drawn by "
        f"{setting('balance_pairs', 'unit', 'pair')}).{kept}{again}"
    )


def _download(facts: CardFacts) -> str:
    if "download_images" not in facts.stages:
        return ""
    setting, dropped = facts.setting, facts.dropped("download_images")
    tried, arrived = (facts.stages["download_images"][key] for key in ("rows_in", "rows_out"))
    opt_out = setting("download_images", "opt_out") or []
    directives = ", ".join(map(str, opt_out))
    obeyed = f"X-Robots-Tag ({directives}) was obeyed" if opt_out else "X-Robots-Tag was not looked at"
    ways = [str(way) for way in setting("download_images", "obey") or ()]
    if ways:
        obeyed += f", and so were {', '.join(ways)}"
    refused = sum(dropped.get(reason, 0) for reason in ("opted_out", *ways))
    return (
        f"Download: {arrived:,} of {tried:,} images arrived. {obeyed}: {refused:,} images opted "
        f"out. Images were stored with resize = {setting('download_images', 'image.resize', 'unknown')}, size = "
        f"{setting('download_images', 'image.size', 'unknown')}, without EXIF and other metadata."
    )


def _shards(facts: CardFacts) -> str:
    dropped = facts.dropped("write_shards") | facts.part.manifest["drops"]
    told = [f"{reason} {count:,}" for reason, count in sorted(dropped.items()) if count]
    rule = facts.setting("write_shards", "filter")
    chosen = f" Images had to satisfy: {rule}." if rule else ""
    return f"Selection: {facts.samples:,} samples; left out: {', '.join(told) or 'none'}.{chosen}"
