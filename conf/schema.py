"""Every setting, declared once: type, meaning, unit, range. YAML holds values only.

A job's configuration is a dataclass; `curate` inherits from the configurations of the jobs that it chains, so a setting
has one name everywhere. Ranges are checked when the dataclass is made.
"""

import ipaddress
import math
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar

from omegaconf import MISSING

from curation.core.errors import HeadtailError


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare a field of a configuration; `unit` is for the help and for messages."""
    metadata = {"meaning": meaning, "unit": unit, "above": above, "minimum": minimum, "maximum": maximum}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def table(name: str, meaning: str) -> Any:
    """Declare the path of a table: in the folder of the run, unless given."""
    return setting(f"${{output}}/{name}", meaning)


@dataclass
class Settings:
    """Base of all configurations: checks the ranges that its fields declare."""

    topic: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for declared in fields(self):
            value = getattr(self, declared.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._check(declared.name, value, declared.metadata)

    def _check(self, name: str, value: float, metadata: Any) -> None:
        low, high = metadata.get("minimum"), metadata.get("maximum")
        unit = f" {metadata['unit']}" if metadata.get("unit") else ""
        above = metadata.get("above")
        if isinstance(value, float) and not math.isfinite(value):
            raise HeadtailError(f"{self._key(name)} must be a finite number, got {value}")
        if above is not None and not value > above:
            raise HeadtailError(f"{self._key(name)} must be above {above}{unit}, got {value}")
        if low is not None and not value >= low:
            raise HeadtailError(f"{self._key(name)} must be at least {low}{unit}, got {value}")
        if high is not None and not value <= high:
            raise HeadtailError(f"{self._key(name)} must be at most {high}{unit}, got {value}")

    def _key(self, name: str) -> str:
        return f"{self.topic}.{name}" if self.topic else name


# --- topics -----------------------------------------------------------------------------------------------------------


@dataclass
class SparkConfig(Settings):
    """The session; spark-submit's own options and the cluster's spark-defaults.conf win over `fallbacks` alone."""

    topic: ClassVar[str] = "spark"
    master: str | None = setting(None, "Spark master; none: spark-submit's choice, else local[*]")
    driver_memory: str = setting("2g", "heap of the driver (and of a local run)")
    python: str | None = setting(None, "Python of the workers, in their folder; none: the driver's")
    fallbacks: dict[str, str] = setting({}, "Spark settings where spark-submit and the cluster leave them open")
    conf: dict[str, str] = setting({}, "further Spark settings, e.g. '+spark.conf={spark.executor.memory: 8g}'")


class Entities(Enum):
    """When HTML entities of alt-texts and URLs are decoded."""

    auto = "auto"
    always = "always"
    never = "never"


class SourceKind(Enum):
    """What kind of files the pairs come from."""

    wat = "wat"
    warc = "warc"
    table = "table"
    webdataset = "webdataset"


@dataclass
class SourceConfig(Settings):
    """Where image-text pairs come from."""

    topic: ClassVar[str] = "source"
    kind: SourceKind = setting(SourceKind.wat, "kind of the files")
    paths: list[str] = setting(MISSING, "files, folders, globs, URLs, crawls (CC-MAIN-2024-22) or *.paths.gz lists")
    prefix: str = setting(
        "https://data.commoncrawl.org/", "where crawls and the files of lists lie, or s3://commoncrawl/"
    )
    crawl: str = setting("", "name of the crawl, where the path does not tell (CC-MAIN-2024-22)")
    entities: Entities = setting(Entities.auto, "decode HTML entities of WATs; auto: of those before mid-2019")
    max_file_bytes: int = setting(
        64 << 30, "of a file no more is read, uncompressed: it may have no end", unit="bytes", minimum=1
    )
    url_column: str = setting("url", "column of image URLs (kind table), or key in the json (webdataset)")
    text_columns: dict[str, str] = setting(
        {},
        "text keys and their columns (kind table; webdataset: txt or a key in the json), "
        "e.g. source.text_columns.alt=TEXT; none: alt=text",
    )
    carry: dict[str, str] = setting(
        {}, "columns kept beside (kind table), or keys in the json (webdataset): name in pairs and column"
    )
    names: list[str] = setting([], "names of the columns of CSV and TSV files without a header, in their order")
    limit: int | None = setting(
        None, "take a sample of so many files, or rows of all files together (kind table), drawn by seed", minimum=1
    )


@dataclass
class UrlsConfig(Settings):
    """Which image URLs are taken."""

    topic: ClassVar[str] = "urls"
    allow_private_hosts: list[str] = setting(
        [], "networks whose addresses may stand in a URL and may be fetched from, e.g. [127.0.0.1/32]"
    )
    block_hosts: list[str] = setting([], "hosts, or files of hosts, that are refused with their subdomains")
    removals: list[str] = setting([], "uids or URLs, or files of them, that are left out: opt-outs")

    def __post_init__(self) -> None:
        super().__post_init__()
        for network in self.allow_private_hosts:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} is no network such as 10.1.0.0/16 or 127.0.0.1/32"
                ) from None


class Emails(Enum):
    """What becomes of e-mail addresses in texts."""

    keep = "keep"
    mask = "mask"
    drop = "drop"


@dataclass
class TextConfig(Settings):
    """Which texts are taken, and how they are cleaned."""

    topic: ClassVar[str] = "text"
    min_chars: int | None = setting(None, "shorter texts are dropped", unit="characters", minimum=1)
    max_chars: int | None = setting(None, "longer texts are dropped", unit="characters", minimum=1)
    max_replacement_share: float = setting(
        0.1, "texts with a larger share of U+FFFD, which stands for broken bytes, are dropped", minimum=0, maximum=1
    )
    collapse_blanks: bool = setting(False, "make one blank of each run of white space (the papers keep runs)")
    emails: Emails = setting(Emails.keep, "e-mail addresses: keep, mask (as [email]), or drop the text")
    word_lists: str = setting(
        "", "word lists, a word a line, {lang} standing for the code: texts with a word of their language's are dropped"
    )


@dataclass
class LanguageConfig(Settings):
    """Language identification."""

    topic: ClassVar[str] = "language"
    model: str = setting(
        "lid.176.ftz", "fastText model: the one brought along, the path of another, or none: all is languages[0]"
    )
    min_score: float = setting(0.0, "texts whose language is less certain are dropped", minimum=0, maximum=1)


class Edges(Enum):
    """Which edges of an entry get no blank: the rule of spacing (curation/matching/spacing.py)."""

    blank = "blank"
    script = "script"
    script_kana = "script_kana"


class Engine(Enum):
    """The matching engine; both give the same ids."""

    ahocorasick = "ahocorasick"
    tokens = "tokens"


@dataclass
class MatchingConfig(Settings):
    """How texts are matched against entries."""

    topic: ClassVar[str] = "matching"
    edges: Edges = setting(Edges.script, "edge rule: blank (first paper), script (Meta CLIP 2), script_kana")
    matcher: Engine = setting(Engine.tokens, "matching engine: tokens, or the slower reference; both give the same ids")
    max_texts: int = setting(64, "texts kept of one image, smallest hash first", unit="texts", minimum=1)


class Unit(Enum):
    """What is drawn."""

    pair = "pair"
    image = "image"


class Others(Enum):
    """Where the thresholds of the languages beside the reference come from."""

    tail_share = "tail_share"
    same_t = "same_t"


@dataclass
class BalanceConfig(Settings):
    """How the head is thinned. At most one of t, tail_share and target_images; without one, tail_share is 0.06."""

    topic: ClassVar[str] = "balance"
    t: float | None = setting(
        None, "threshold of the reference language: entries with more matches are thinned", unit="matches", above=0
    )
    tail_share: float | None = setting(
        None,
        "share of all matches that falls on tail entries, in every language; 0.06 without a wish",
        minimum=0,
        maximum=1,
    )
    target_images: float | None = setting(
        None, "number of samples to expect in the end, if headroom is right: t is solved for", unit="images", minimum=1
    )
    reference: str = setting("en", "language that t speaks of")
    others: Others = setting(
        Others.tail_share, "thresholds of other languages: at the reference's tail share, or the same t"
    )
    t_by_language: dict[str, float] = setting({}, "thresholds of single languages, e.g. balance.t_by_language.de=5000")
    unit: Unit = setting(
        Unit.pair, "pair: each text is drawn on its own; image: one text of each image is taken, then the image drawn"
    )
    headroom: float = setting(
        1.0,
        "share of images assumed to survive download and filters: t speaks of the survivors' counts",
        above=0,
        maximum=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("t", "tail_share", "target_images") if getattr(self, name) is not None]
        if len(given) > 1:
            raise HeadtailError(
                f"{' and '.join(f'balance.{name}' for name in given)} are given: each decides the thresholds alone"
            )
        if self.reference in self.t_by_language:
            raise HeadtailError(f"balance.t_by_language names the reference {self.reference}: set balance.t instead")
        for name, t in {"t": self.t or 1.0, **{f"t_by_language.{k}": t for k, t in self.t_by_language.items()}}.items():
            if not 0 < t / self.headroom < math.inf:
                raise HeadtailError(f"balance.{name} must be above 0 matches, and finite, got {t}")

    @property
    def wished_tail_share(self) -> float | None:
        """The tail share to aim at: what was given, or 0.06 where nothing was."""
        return 0.06 if self.t is None and self.tail_share is None and self.target_images is None else self.tail_share


@dataclass
class RatesConfig(Settings):
    """What a forecast reckons with."""

    topic: ClassVar[str] = "rates"
    images_per_second: float = setting(1000.0, "downloads of all machines together", unit="images/s", minimum=1e-3)
    bytes_per_image: float = setting(30_000.0, "mean size of a stored image", unit="bytes", minimum=1)


class Resize(Enum):
    """What becomes of an image's sides."""

    original = "original"
    no = "no"
    keep_ratio = "keep_ratio"
    keep_ratio_largest = "keep_ratio_largest"
    center_crop = "center_crop"
    border = "border"


@dataclass
class DownloadConfig(Settings):
    """How images are fetched and stored; metadata (EXIF) is never stored."""

    topic: ClassVar[str] = "download"
    images_per_list: int = setting(
        10_000, "images of one list, the unit of resume, at the first plan", unit="images", minimum=1
    )
    threads: int = setting(32, "connections of one task", minimum=1, maximum=1024)
    timeout_seconds: float = setting(
        20.0, "time of an image in total: names, redirects, body, retries", unit="s", minimum=0.1
    )
    retries: int = setting(1, "further attempts where the reason can pass", minimum=0, maximum=10)
    retry_failed: bool = setting(False, "try again what failed in earlier runs for a reason that can pass")
    max_bytes: int = setting(10 << 20, "larger files are refused", unit="bytes", minimum=1)
    max_pixels: int = setting(
        25_000_000, "larger images are refused, undecoded", unit="pixels", minimum=1, maximum=89_000_000
    )
    min_success_share: float = setting(
        0.2, "the job stops where less of the first lists' images arrive", minimum=0, maximum=1
    )
    user_agent_token: str = setting("headtail", "name in the User-Agent, and the one that X-Robots-Tag may address")
    opt_out: list[str] = setting(
        ["noai", "noimageai", "noindex", "noimageindex"],
        "X-Robots-Tag directives that are obeyed; []: the header is ignored",
    )
    resize: Resize = setting(
        Resize.keep_ratio,
        "original: bytes as they are but for metadata; no: own size; keep_ratio: smaller side; "
        "keep_ratio_largest: larger side; center_crop, border: a square",
    )
    size: int = setting(512, "side that resizing aims at", unit="pixels", minimum=1, maximum=8192)
    only_if_bigger: bool = setting(True, "smaller images are not enlarged")
    quality: int = setting(95, "JPEG quality of what is stored", minimum=1, maximum=100)


@dataclass
class FiltersConfig(Settings):
    """Bounds on images as found on the web, before resizing."""

    topic: ClassVar[str] = "filters"
    min_side: int = setting(0, "smaller side", unit="pixels", minimum=0)
    max_aspect_ratio: float | None = setting(None, "longer side over shorter", minimum=1)
    min_pixels: int = setting(0, "width times height", unit="pixels", minimum=0)
    max_pixels: int | None = setting(None, "width times height", unit="pixels", minimum=1)
    near_duplicates: bool = setting(False, "of images with the same perceptual hash only one stays, as of equal files")


class BigramScore(Enum):
    """What bigrams are ranked by."""

    pmi = "pmi"
    count_pmi = "count_pmi"


@dataclass
class MetadataConfig(Settings):
    """Which terms of each source become entries. A maximum of 0 is none."""

    topic: ClassVar[str] = "metadata"
    numbers: int = setting(100, 'the numbers from "0" on that come first', minimum=0)
    wordnet_first_only: bool = setting(
        True, "of Princeton's synsets take the first lemma in lower case, not each as it stands"
    )
    unigram_min_count: int = setting(1, "least count of a word", minimum=1)
    unigram_top_share: float = setting(1.0, "share of the words, most frequent first", minimum=0, maximum=1)
    max_unigrams: int = setting(0, "words that are newly added at most", minimum=0)
    bigram_score: BigramScore = setting(
        BigramScore.pmi, "pmi, or count_pmi: (count+1)^0.7 * (PMI - its percentile), where above 0"
    )
    bigram_min_count: int = setting(1, "least count of a bigram", minimum=1)
    bigram_min_pmi: float | None = setting(None, "least PMI of a bigram; 30 needs 2^30 words", unit="bits")
    bigram_pmi_percentile: float = setting(0.3, "the percentile of count_pmi", minimum=0, maximum=1)
    max_bigrams: int = setting(0, "bigrams that are newly added at most", minimum=0)
    title_min_row_views: int = setting(0, "hourly rows with fewer views are left out", unit="views", minimum=0)
    title_any_colon: bool = setting(False, "leave out every title with a colon, not only other namespaces")
    title_min_views: int = setting(1, "least views of a title over all files", unit="views", minimum=1)
    title_top_share: float = setting(1.0, "share of the titles, most viewed first", minimum=0, maximum=1)
    max_titles: int = setting(0, "titles that are newly added at most", minimum=0)
    max_characters: int = setting(256, "longer terms are left out", unit="characters", minimum=1)


# --- jobs -------------------------------------------------------------------------------------------------------------


@dataclass
class JobConfig(Settings):
    """What every job has."""

    output: str = setting(MISSING, "folder of the run: a table lies in it unless its own path is given")
    seed: int = setting(0, "key of every random draw", minimum=0)
    overwrite: bool = setting(False, "make finished work again where settings or inputs have changed")
    spark: SparkConfig = setting(SparkConfig, "session")


@dataclass
class ExtractPairsConfig(JobConfig):
    """Settings of extract_pairs."""

    source: SourceConfig = setting(SourceConfig, "where pairs come from")
    urls: UrlsConfig = setting(UrlsConfig, "which URLs are taken")
    text: TextConfig = setting(TextConfig, "which texts are taken")
    language: LanguageConfig = setting(LanguageConfig, "language identification")
    languages: list[str] = setting([], "languages to keep, e.g. [en]; empty: all")
    pairs: str = table("pairs", "table of pairs to write")
    files_per_part: int = setting(1000, "inputs of one part: the unit of resume", unit="files", minimum=1)
    max_failed_share: float = setting(
        0.05, "share of inputs that may be unreadable or damaged before the job fails", minimum=0, maximum=1
    )


@dataclass
class MatchPairsConfig(JobConfig):
    """Settings of match_pairs."""

    pairs: str = table("pairs", "table of pairs to read")
    matches: str = table("matches", "table of matches to write")
    entry_lists: str = setting(MISSING, "folder of {lang}.json or {lang}.txt, or one such file: the metadata")
    languages: list[str] = setting([], "languages to match, e.g. [en]; empty: all that have a list")
    matching: MatchingConfig = setting(MatchingConfig, "how texts are matched")
    buckets: int = setting(64, "files by uid that matches is written as", minimum=1, maximum=65536)


@dataclass
class CountEntriesConfig(JobConfig):
    """Settings of count_entries."""

    matches: str = table("matches", "table of matches to read")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts to write")


@dataclass
class BalancePairsConfig(JobConfig):
    """Settings of balance_pairs."""

    matches: str = table("matches", "table of matches to read")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts to read")
    thresholds: str = table("thresholds", "table of thresholds to write")
    curated: str = table("curated", "table of kept images to write")
    entry_probabilities: str = table("entry_probabilities", "folder of <lang>.npy to write, for online balancing")
    balance: BalanceConfig = setting(BalanceConfig, "how the head is thinned")
    forecast: bool = setting(False, "say what a grid of thresholds would keep, and draw nothing")
    forecast_grid: list[float] = setting([], "thresholds of the reference to forecast; empty: 1, 2, 5, 10, ...")
    forecasts: str = table("forecasts", "table of forecasts to write")
    entry_lists: str = setting("", "the metadata, for a forecast to tell the entries without a match")
    rates: RatesConfig = setting(RatesConfig, "what the forecast reckons with")

    def __post_init__(self) -> None:
        super().__post_init__()
        for t in self.forecast_grid:
            if not 0 < t / self.balance.headroom < math.inf:
                raise HeadtailError(f"forecast_grid: thresholds must be above 0 matches, and finite, got {t}")


@dataclass
class DownloadImagesConfig(JobConfig):
    """Settings of download_images."""

    pairs: str = table("pairs", "table of pairs, which tells where images lie that need no download")
    curated: str = table("curated", "table of kept images to read")
    lists: str = table("lists", "curated images in the final order, to write")
    downloads: str = table("downloads", "images and their download_status to write")
    urls: UrlsConfig = setting(UrlsConfig, "which hosts may be fetched from")
    download: DownloadConfig = setting(DownloadConfig, "how images are fetched")


@dataclass
class WriteShardsConfig(JobConfig):
    """Settings of write_shards."""

    lists: str = table("lists", "curated images in the final order, to read")
    downloads: str = table("downloads", "images to read")
    shards: str = table("shards", "folder of shards to write")
    samples_per_shard: int = setting(10_000, "samples in a shard; the last holds the rest", unit="samples", minimum=1)
    max_shard_bytes: int = setting(
        4 << 30, "images of one shard together: where they are large it holds fewer samples", unit="bytes", minimum=1
    )
    filters: FiltersConfig = setting(FiltersConfig, "which images become samples")
    removals: list[str] = setting([], "lists of images to leave out: a uid, sha256 or perceptual hash a line")
    scores: list[str] = setting([], "Parquet tables with a column uid, joined for the filter")
    filter: str = setting("", "SQL expression over the side-car's columns and the scores; what is not true goes")
    second_balance: bool | None = setting(
        None, "balance again what download and filters left; none: where the first pass drew with a headroom below 1"
    )


@dataclass
class CheckShardsConfig(Settings):
    """Settings of check_shards; an argument without a key is the folder."""

    bare_argument: ClassVar[str] = "shards"
    shards: str = setting(MISSING, "folder of shards to look at")
    spark: SparkConfig = setting(SparkConfig, "session")


@dataclass
class RemoveSamplesConfig(Settings):
    """Settings of remove_samples."""

    shards: str = setting(MISSING, "folder of shards to take samples out of")
    uids: list[str] = setting(MISSING, "uids or sha256 of images, or files that list them one a line")
    spark: SparkConfig = setting(SparkConfig, "session")


class ExportFormat(Enum):
    """Formats of other projects."""

    datacomp = "datacomp"


@dataclass
class ExportConfig(JobConfig):
    """Settings of export."""

    format: ExportFormat = setting(ExportFormat.datacomp, "datacomp: sorted 128-bit uids, a .npy of u8,u8")
    pairs: str = table("pairs", "table of pairs, which has the other project's uids")
    curated: str = table("curated", "table of kept images to export")
    exported: str = setting("", "file to write; none: datacomp_uids.npy in the folder of the run")


@dataclass
class ReportStatsConfig(JobConfig):
    """Settings of report_stats."""

    pairs: str = table("pairs", "table of pairs")
    matches: str = table("matches", "table of matches")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts")
    thresholds: str = table("thresholds", "table of thresholds")
    curated: str = table("curated", "table of kept images")
    downloads: str = table("downloads", "images and their download_status")
    shards: str = table("shards", "folder of shards")
    entry_lists: str = setting(MISSING, "the metadata that matches were made with")
    report: str = table("report", "folder of the report to write")


@dataclass
class CurateConfig(
    ReportStatsConfig,
    WriteShardsConfig,
    DownloadImagesConfig,
    BalancePairsConfig,
    CountEntriesConfig,
    MatchPairsConfig,
    ExtractPairsConfig,
):
    """Settings of curate: those of every job it chains."""

    download_images: bool = setting(True, "false: stop after balancing and report on that")


@dataclass
class BuildMetadataConfig(JobConfig):
    """Settings of build_metadata."""

    languages: list[str] = setting(MISSING, "Wikipedia codes, e.g. [en,de,zh]")
    sources: str = setting(
        "", "folder that fetch_sources filled: its dumps/, pageviews/ and wordnet/ are read beside what is given"
    )
    dumps: list[str] = setting(
        [],
        "dumps (.xml.bz2, .xml.gz, .xml) or tables of articles (.parquet: url, title, text): files, folders, globs; "
        "a language may stand before, en:articles.parquet",
    )
    pageviews: list[str] = setting([], "hourly page-view files: files, folders or globs")
    wordnet: list[str] = setting(
        [], "WordNet's data.* and Open Multilingual Wordnet's tab files: files, folders or globs"
    )
    custom_before: list[str] = setting(
        [], "a user's own lists (text files, JSON) that come first; a language may stand before, en:names.txt"
    )
    custom_after: list[str] = setting([], "a user's own lists that come last")
    metadata: MetadataConfig = setting(MetadataConfig, "which terms become entries")
    ngrams: str = table("ngrams", "table of partial n-gram counts to write")
    page_views: str = table("page_views", "table of partial title counts to write")
    entry_lists: str = table("entry_lists", "folder of entry lists to write")
    range_bytes: int = setting(64 << 20, "a dump is read in ranges of so much", unit="bytes", minimum=4096)
    max_page_bytes: int = setting(8 << 20, "larger pages are dropped", unit="bytes", minimum=1)
    files_per_part: int = setting(200, "ranges of one part of ngrams: the unit of resume", unit="ranges", minimum=1)


@dataclass
class FetchSourcesConfig(Settings):
    """Settings of fetch_sources."""

    sources: str = setting(MISSING, "local folder to fetch into: dumps/, pageviews/, wordnet/")
    languages: list[str] = setting(MISSING, "Wikipedia codes, e.g. [en,de]")
    dump: str = setting("latest", "day of the dumps (20260101) or latest; none: no dumps")
    days: list[str] = setting([], "days of page views, e.g. [2026-01-31]")
    random_days: int = setting(0, "days of page views to draw beside those", unit="days", minimum=0)
    first_day: str = setting("2015-05-01", "first day that may be drawn")
    last_day: str = setting("", "last day that may be drawn; empty: a week ago")
    hours: list[int] = setting([], "hours of each day, 0 to 23; empty: all")
    wordnet: bool = setting(True, "fetch Open Multilingual Wordnet's file of each language that has one")
    seed: int = setting(0, "key of the drawn days", minimum=0)
    dumps_mirror: str = setting("https://dumps.wikimedia.org", "where dumps lie")
    pageviews_mirror: str = setting("https://dumps.wikimedia.org", "where page views lie")
    wordnet_mirror: str = setting("https://raw.githubusercontent.com/omwn/omw-data/main", "where wordnets lie")
    contact: str = setting("", "an address or URL that the servers' operators can reach you at, in the User-Agent")
    pause_seconds: float = setting(1.0, "between two requests", unit="seconds", minimum=0)
    retries: int = setting(5, "tries of a file after the first", minimum=0)
    retry_seconds: float = setting(5.0, "before the first retry; doubled each time", unit="seconds", minimum=0)
    timeout_seconds: float = setting(60.0, "without an answer", unit="seconds", minimum=1)


@dataclass
class ExplainConfig(Settings):
    """Settings of explain; an argument without a key is the text."""

    bare_argument: ClassVar[str] = "text"
    text: str = setting(MISSING, "text to explain")
    entry_lists: str = setting(MISSING, "folder of {lang}.json or {lang}.txt, or one such file: the metadata")
    output: str = setting("", "folder of a run, whose counts, thresholds and edge rule are taken")
    matches: str = table("matches", "table of matches of the run")
    entry_counts: str = table("entry_counts", "table of counts of the run")
    thresholds: str = table("thresholds", "table of thresholds of the run")
    edges: Edges = setting(Edges.script, "edge rule, without a run: blank, script, script_kana")
    lang: str = setting("", "language of the text; empty: it is detected")
    language_model: str = setting("lid.176.ftz", "fastText model, or the path of another")


@dataclass
class EstimateConfig(Settings):
    """Settings of estimate: the assumptions that are not measured."""

    archives: float = setting(100_000, "archives to read: one crawl has about 100,000", unit="files", minimum=1)
    archive_bytes: float = setting(200e6, "size of an archive, compressed", unit="bytes", minimum=1)
    image_links: float = setting(1_270_000, "image links of an archive", minimum=1)
    pairs_per_archive: float = setting(
        100_000, "texts of images of an archive that pass all rules, distinct within it", unit="texts", minimum=1
    )
    match_share: float = setting(0.5, "share of texts that an entry matches", minimum=0, maximum=1)
    distinct_share: float = setting(
        0.6, "share of the matched texts that is left when those of all archives are merged", minimum=0, maximum=1
    )
    texts_per_image: float = setting(1.2, "matched texts of an image", minimum=1)
    keep_share: float = setting(0.23, "share of the images that balancing keeps", minimum=0, maximum=1)
    languages: int = setting(1, "entry lists", minimum=1)
    entries_per_list: float = setting(500_000, "entries of a list", minimum=1)
    success_share: float = setting(0.6, "share of the images that can still be fetched", minimum=0, maximum=1)
    fetched_bytes: float = setting(100_000, "size of an image as sent", unit="bytes", minimum=1)
    stored_bytes: float = setting(30_000, "size of an image as stored", unit="bytes", minimum=1)
    cores: int = setting(1000, "cores at work at once", minimum=1)
    price_core_hour: float = setting(0.04, "a core for an hour", unit="$", minimum=0)
    price_terabyte_month: float = setting(23.0, "a terabyte of storage for a month", unit="$", minimum=0)
    price_terabyte_read: float = setting(
        0.0, "a terabyte of archives or images that is read; nothing where they lie next door", unit="$", minimum=0
    )
    months: float = setting(1.0, "time that tables and shards are kept", unit="months", minimum=0)
