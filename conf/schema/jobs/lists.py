"""The settings of the jobs that make entry lists."""

from dataclasses import dataclass

from omegaconf import MISSING

from conf.schema.base import Settings, setting, table
from conf.schema.jobs.chain import JobConfig
from conf.schema.topics import MetadataConfig


@dataclass
class BuildMetadataConfig(JobConfig):
    """Settings of build_metadata."""

    languages: list[str] = setting(MISSING, "Wikipedia's language codes, e.g. [en,de,zh]")
    sources: str = setting(
        "",
        "folder of fetch_sources; its dumps/, pageviews/ and wordnet/ are read in addition to the files given",
    )
    dumps: list[str] = setting(
        [],
        "dumps (.xml.bz2, .xml.gz, .xml) or tables of articles (.parquet: url, title, text): files, folders, globs; "
        "a language can precede the path, e.g. en:articles.parquet",
    )
    pageviews: list[str] = setting([], "hourly page-view files: files, folders, globs")
    wordnet: list[str] = setting(
        [], "data.* files of WordNet and tab files of Open Multilingual Wordnet: files, folders, globs"
    )
    custom_before: list[str] = setting(
        [], "your own lists (text or JSON), placed first; a language can precede the path, e.g. en:names.txt"
    )
    custom_after: list[str] = setting([], "your own lists, placed last")
    metadata: MetadataConfig = setting(MetadataConfig, "which terms become entries")
    ngrams: str = table("ngrams", "table of partial n-gram counts to write", writes=True)
    page_views: str = table("page_views", "table of partial title counts to write", writes=True)
    entry_lists: str = table("entry_lists", "folder of entry lists to write", writes=True)
    range_bytes: int = setting(64 << 20, "a task reads a range of this size of a dump", unit="bytes", minimum=4096)
    max_page_bytes: int = setting(8 << 20, "maximum page size; larger pages are dropped", unit="bytes", minimum=1)
    files_per_part: int = setting(200, "ranges per part of ngrams, the unit of resume", unit="ranges", minimum=1)


@dataclass
class StarterListsConfig(Settings):
    """Settings of starter_lists."""

    output: str = setting(MISSING, "folder of the run; contains the lists, unless their path is given")
    languages: list[str] = setting(MISSING, "Wikipedia's language codes, e.g. [en,de]")
    sources: str = setting("", "folder of fetch_sources, whose wordnets are used")
    wordnet: list[str] = setting([], "further tab files of Open Multilingual Wordnet: files, folders, globs")
    entry_lists: str = table("entry_lists", "folder of entry lists to write", writes=True)


@dataclass
class FetchSourcesConfig(Settings):
    """Settings of fetch_sources."""

    sources: str = setting(MISSING, "local folder to write: dumps/, pageviews/, wordnet/", writes=True)
    languages: list[str] = setting(MISSING, "Wikipedia's language codes, e.g. [en,de]")
    dump: str = setting("latest", "date of the dumps (20260101), latest, or none for no dumps")
    days: list[str] = setting([], "days of page views, e.g. [2026-01-31]")
    random_days: int = setting(0, "number of further days of page views, drawn at random", unit="days", minimum=0)
    first_day: str = setting("2015-05-01", "earliest day to draw")
    last_day: str = setting("", "latest day to draw; empty: a week ago")
    hours: list[int] = setting([], "hours of each day, 0 to 23; empty: all")
    wordnet: bool = setting(
        True, "fetch the files of Open Multilingual Wordnet; English WordNet comes with headtail, and is copied"
    )
    dry_run: bool = setting(False, "tell files, bytes and hours, and fetch nothing")
    seed: int = setting(0, "seed of the drawn days", minimum=0)
    dumps_mirror: str = setting("https://dumps.wikimedia.org", "base URL of dumps")
    pageviews_mirror: str = setting("https://dumps.wikimedia.org", "base URL of page views")
    wordnet_mirror: str = setting("https://raw.githubusercontent.com/omwn/omw-data/main", "base URL of wordnets")
    contact: str = setting("", "your e-mail address or URL, sent in the User-Agent header for the servers' operators")
    pause_seconds: float = setting(1.0, "pause between two requests", unit="seconds", minimum=0)
    retries: int = setting(5, "further attempts per file", minimum=0)
    retry_seconds: float = setting(
        5.0, "pause before the first retry; doubled for each further one", unit="seconds", minimum=0
    )
    timeout_seconds: float = setting(60.0, "time limit for an answer", unit="seconds", minimum=1)
