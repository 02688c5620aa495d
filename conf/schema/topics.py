"""The settings of each topic."""

import ipaddress
import math
from dataclasses import dataclass
from typing import ClassVar

from omegaconf import MISSING

from conf.schema.base import Settings, setting
from curation.core.choices import BigramScore, Edges, Emails, Engine, Entities, Others, Resize, SourceKind, Unit
from curation.core.errors import HeadtailError


@dataclass
class SparkConfig(Settings):
    """The session; spark-submit's own options and the cluster's spark-defaults.conf win over `fallbacks` alone."""

    topic: ClassVar[str] = "spark"
    master: str | None = setting(None, "Spark master; none: spark-submit's choice, else local[*]")
    driver_memory: str = setting("2g", "heap of the driver (and of a local run)")
    python: str | None = setting(None, "Python of the workers, in their folder; none: the driver's")
    fallbacks: dict[str, str] = setting({}, "Spark settings where spark-submit and the cluster leave them open")
    conf: dict[str, str] = setting({}, "further Spark settings, e.g. '+spark.conf={spark.executor.memory: 8g}'")


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
    removals: list[str] = setting([], "images to leave out, or removal lists: uids or URLs, one a line")

    def __post_init__(self) -> None:
        super().__post_init__()
        for network in self.allow_private_hosts:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} is no network such as 10.1.0.0/16 or 127.0.0.1/32"
                ) from None


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


@dataclass
class MatchingConfig(Settings):
    """How texts are matched against entries."""

    topic: ClassVar[str] = "matching"
    edges: Edges = setting(Edges.script, "edge rule: blank (first paper), script (Meta CLIP 2), script_kana")
    matcher: Engine = setting(Engine.tokens, "matching engine: tokens, or the slower reference; both give the same ids")
    max_texts: int = setting(64, "texts kept of one image, smallest hash first", unit="texts", minimum=1)


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
