"""The settings of each job."""

import math
from dataclasses import dataclass
from typing import ClassVar

from omegaconf import MISSING

from conf.schema.base import Settings, setting, table
from conf.schema.topics import (
    BalanceConfig,
    DownloadConfig,
    FiltersConfig,
    LanguageConfig,
    MatchingConfig,
    MetadataConfig,
    RatesConfig,
    SourceConfig,
    SparkConfig,
    TextConfig,
    UrlsConfig,
)
from curation.core.choices import Edges, ExportFormat
from curation.core.errors import HeadtailError


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
    removals: list[str] = setting(
        [], "images to leave out, or removal lists: uids, URLs, sha256, perceptual hashes, one a line"
    )
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
    uids: list[str] = setting(MISSING, "images to remove, or removal lists: uids, URLs or sha256, one a line")
    spark: SparkConfig = setting(SparkConfig, "session")


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
