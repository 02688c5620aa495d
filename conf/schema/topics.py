"""The settings of each topic."""

import ipaddress
import math
import re
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields
from typing import ClassVar

from omegaconf import MISSING

from conf.schema.base import Settings, setting
from conf.schema.spark_values import check_heap, check_master, check_values
from curation.core.choices import (
    BigramScore,
    Channels,
    Combine,
    CsvEscape,
    Edges,
    Emails,
    Engine,
    Entities,
    Formats,
    ImageAddresses,
    LanguageRule,
    Layout,
    NearDuplicates,
    Obey,
    Others,
    Resize,
    SourceKind,
    Unit,
)
from curation.core.errors import HeadtailError

DEFAULT_TAIL_SHARE = 0.06
"""Tail share of the English pool of 2.5 billion pairs at t = 170,000 (Demystifying CLIP Data, arXiv 2309.16671)."""
MAX_ENTRY_CHARACTERS = 256
"""The matching stage ignores longer entries."""


@dataclass
class SparkConfig(Settings):
    """The Spark session. Options of spark-submit and of spark-defaults.conf override `fallbacks`, but not `conf`."""

    topic: ClassVar[str] = "spark"
    preset: ClassVar[str] = "local"
    master: str | None = setting(None, "Spark master; null: chosen by spark-submit, or local[*] without it")
    driver_memory: str = setting("2g", "heap of the driver, which is the only JVM of a local run")
    python: str | None = setting(None, "path of the workers' Python interpreter; null: the driver's")
    ui: bool = setting(False, "show Spark's pages about the run in a browser; a line tells their address")
    fallbacks: dict[str, str] = setting(
        {}, "Spark settings, used where neither spark-submit nor the cluster sets a value"
    )
    conf: dict[str, str] = setting({}, "Spark settings, e.g. 'spark.conf={spark.executor.memory: 8g}'")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_master(self.master)
        check_heap("spark.driver_memory", self.driver_memory)
        check_values("spark.fallbacks", self.fallbacks)
        check_values("spark.conf", self.conf)


@dataclass
class SourceConfig(Settings):
    """Where image-text pairs come from."""

    topic: ClassVar[str] = "source"
    preset: ClassVar[str] = "wat"
    kind: SourceKind = setting(
        SourceKind.wat, "file format: WAT, WARC, tables (Parquet, CSV, TSV), or WebDataset shards"
    )
    paths: list[str] = setting(MISSING, "files, folders, globs, URLs, crawls (CC-MAIN-2024-22), or *.paths.gz lists")
    prefix: str = setting(
        "https://data.commoncrawl.org/", "base URL of crawls and of the paths in lists, e.g. s3://commoncrawl/"
    )
    absolute_paths: bool = setting(
        False, "lists of paths may name files outside of source.prefix; set it only if you trust whoever wrote the list"
    )
    crawl: str = setting("", "name of the crawl, if the paths do not contain it (CC-MAIN-2024-22)")
    entities: Entities = setting(Entities.auto, "decode HTML entities of WAT files; auto: of crawls before mid-2019")
    max_file_bytes: int = setting(64 << 30, "maximum uncompressed size that is read of a file", unit="bytes", minimum=1)
    record_seconds: float = setting(
        60.0, "CPU time limit of a page or record; the rest of it is skipped", unit="s", minimum=0.1
    )
    image_addresses: ImageAddresses = setting(
        ImageAddresses.one,
        "addresses of an image that count (kind=warc): one, or all, so that a picture in five sizes counts five times",
    )
    page_metadata: bool = setting(
        False, "take the images of JSON-LD (ImageObject) and Open Graph (og:image) as well (kind=warc)"
    )
    url_column: str = setting("url", "column of image URLs (kind=table), or key in the json (kind=webdataset)")
    text_columns: dict[str, str] = setting(
        {},
        "text keys and their columns, e.g. source.text_columns.alt=TEXT (kind=webdataset: txt, or a key in the json); "
        "empty: alt=text",
    )
    lang_column: str = setting(
        "",
        "column of the texts' languages (kind=webdataset: key in the json), evidence for language.rule=careful; "
        "empty: none",
    )
    carry: dict[str, str] = setting(
        {}, "further columns of pairs: name in pairs and column of the source (kind=webdataset: key in the json)"
    )
    names: list[str] = setting([], "column names of CSV and TSV files without a header, in order")
    csv_escape: CsvEscape = setting(
        CsvEscape.auto,
        "quotes within quotes of CSV files: written twice (quote), or behind a backslash, as Spark does; auto: by the "
        "first MB of each file",
    )
    limit: int | None = setting(
        None, "read a random sample of this many files (kind=table: rows of all files), drawn with seed", minimum=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for declared in fields(self):
            kinds = _KINDS.get(declared.name, (self.kind,))
            value = getattr(self, declared.name)
            default = declared.default if declared.default_factory is NO_DEFAULT else declared.default_factory()
            if self.kind not in kinds and value != default:
                raise HeadtailError(
                    f"source.{declared.name} means nothing to source.kind={self.kind.value}, only to "
                    f"{' and '.join(kinds)}: leave it out, or set another source"
                )


_KINDS = {
    "entities": (SourceKind.wat,),
    "image_addresses": (SourceKind.warc,),
    "page_metadata": (SourceKind.warc,),
    "url_column": (SourceKind.table, SourceKind.webdataset),
    "text_columns": (SourceKind.table, SourceKind.webdataset),
    "lang_column": (SourceKind.table, SourceKind.webdataset),
    "carry": (SourceKind.table, SourceKind.webdataset),
    "names": (SourceKind.table,),
    "csv_escape": (SourceKind.table,),
}
"""The settings that some kinds of source use, and these kinds."""


@dataclass
class UrlsConfig(Settings):
    """Which image URLs are accepted."""

    topic: ClassVar[str] = "urls"
    allow_private_hosts: list[str] = setting(
        [], "private networks that URLs may name and images may be fetched from, e.g. [127.0.0.1/32]"
    )
    block_hosts: list[str] = setting([], "hosts, or files of hosts, to refuse together with their subdomains")
    removals: list[str] = setting([], "images to leave out, or removal lists: one uid or URL per line")

    def __post_init__(self) -> None:
        super().__post_init__()
        for network in self.allow_private_hosts:
            try:
                whole = ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} is not a network; write it like 10.1.0.0/16 or 127.0.0.1/32"
                ) from None
            if "/" in network and ipaddress.ip_interface(network).ip != whole.network_address:
                address = ipaddress.ip_interface(network).ip
                raise HeadtailError(
                    f"urls.allow_private_hosts: {network} names the address {address} and the size of a network: write "
                    f"{address}/{address.max_prefixlen} for this address, or {whole} for all {whole.num_addresses:,}"
                )


@dataclass
class TextConfig(Settings):
    """Which texts are accepted, and how texts are cleaned."""

    topic: ClassVar[str] = "text"
    min_chars: int | None = setting(None, "minimum length; shorter texts are dropped", unit="characters", minimum=1)
    max_chars: int | None = setting(None, "maximum length; longer texts are dropped", unit="characters", minimum=1)
    max_replacement_share: float = setting(
        0.1, "maximum share of U+FFFD (invalid bytes) in a text; other texts are dropped", minimum=0, maximum=1
    )
    collapse_blanks: bool = setting(False, "replace each run of white space by one blank (the papers keep the runs)")
    emails: Emails = setting(Emails.keep, "e-mail addresses in texts: keep, mask as [email], or drop the text")
    word_lists: str = setting(
        "", "path of word lists, one word per line, with {lang} for the language: texts with a listed word are dropped"
    )


@dataclass
class LanguageConfig(Settings):
    """Language identification."""

    topic: ClassVar[str] = "language"
    preset: ClassVar[str] = "lid176"
    model: str = setting(
        "lid.176.ftz", "fastText model: lid.176.ftz (included), a path, or none: all texts are in languages[0]"
    )
    min_score: float = setting(
        0.0, "minimum score of the detected language; texts with a lower score are dropped", minimum=0, maximum=1
    )
    rule: LanguageRule | None = setting(
        None,
        "published: the classifier's first label; careful: also scripts and the page (docs/languages.md); "
        "null: careful, and published in a run that was begun with it",
    )
    unknown: str = setting("en", "list of texts whose language rule=careful cannot decide: a list code, other, or drop")
    merge: list[str] = setting(
        [], "languages that share the list of the first one, e.g. language.merge=[no+nn+da,id+ms]; empty: none"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "none" and self.rule is LanguageRule.careful:
            raise HeadtailError(
                "language.rule=careful weighs the labels of a classifier, and language.model=none asks none: "
                "leave one of them out"
            )
        if self.model == "none" or self.rule is LanguageRule.published:
            self.refuse_unknown()

    def refuse_unknown(self) -> None:
        """Raise HeadtailError if `unknown` is given, though the careful rule does not decide the languages."""
        if self.unknown != type(self).unknown:
            raise HeadtailError(
                f"language.unknown={self.unknown} is for texts that language.rule=careful cannot decide, and this run "
                f"has another rule (language.rule, language.model): leave it out"
            )


@dataclass
class MatchingConfig(Settings):
    """How texts are matched against entries."""

    topic: ClassVar[str] = "matching"
    preset: ClassVar[str] = "script"
    edges: Edges = setting(Edges.script, "edge rule: blank (MetaCLIP), script (Meta CLIP 2), script_kana")
    matcher: Engine = setting(
        Engine.tokens, "matching engine; ahocorasick is the slower reference; both find the same entries"
    )
    max_texts: int = setting(
        64, "maximum texts per image; those with the smallest hashes stay", unit="texts", minimum=1
    )


@dataclass
class BalanceConfig(Settings):
    """How the head is thinned. At most one of t, tail_share and target_images is given."""

    topic: ClassVar[str] = "balance"
    preset: ClassVar[str] = "tail_share"
    t: float | None = setting(
        None, "threshold of the reference language; entries with more matches are thinned", unit="matches", above=0
    )
    tail_share: float | None = setting(
        None,
        f"share of matches with tail entries, in each language; {DEFAULT_TAIL_SHARE} if t and target_images are null",
        minimum=0,
        maximum=1,
    )
    target_images: float | None = setting(
        None, "expected number of samples, if headroom is right; t is computed from it", unit="images", minimum=1
    )
    reference: str = setting("en", "language to which t applies")
    others: Others = setting(
        Others.tail_share,
        "thresholds of other languages: same tail share as the reference, or same t; shares: images by balance.shares",
    )
    shares: dict[str, float] = setting(
        {}, "for others=shares: shares of languages, relative to each other, e.g. balance.shares.de=0.5; others have 1"
    )
    t_by_language: dict[str, float] = setting({}, "thresholds by language, e.g. balance.t_by_language.de=5000")
    targets: str = setting(
        "",
        "Parquet or CSV file with thresholds of entries: lang, entry or entry_id, and t or weight; of concepts: "
        "namespace in place of lang; empty: none",
    )
    unit: Unit = setting(Unit.pair, "pair: draw each text; image: choose one text per image, then draw the image")
    headroom: float = setting(
        1.0,
        "expected share of images that survive download and filters; t applies to the survivors' counts",
        above=0,
        maximum=1,
    )
    max_repeats: float | None = setting(
        None,
        "for online balancing: texts of entries below their t are used up to so many times an epoch, t / count; null: "
        "once",
        minimum=1,
        maximum=1000,
    )
    max_per_domain: int | None = setting(
        None,
        "maximum of kept images per registrable domain, drawn at random; null: no limit",
        unit="images",
        minimum=1,
    )
    concept_t: dict[str, float] = setting(
        {}, "thresholds of concepts by namespace, in images, e.g. balance.concept_t.colours=500"
    )
    concept_tail_share: dict[str, float] = setting(
        {},
        "or tail shares of concepts by namespace, e.g. balance.concept_tail_share.colours=0.1; without either: that of "
        f"the entries, or {DEFAULT_TAIL_SHARE}",
    )
    combine: Combine = setting(
        Combine.product,
        "draws of entries and concepts: product (kept by all of them), min (one draw, the smallest probability), any",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_concepts()
        given = [name for name in ("t", "tail_share", "target_images") if getattr(self, name) is not None]
        if len(given) > 1:
            raise HeadtailError(f"{' and '.join(f'balance.{name}' for name in given)} are given: give only one of them")
        if self.reference in self.t_by_language:
            raise HeadtailError(
                f"balance.t_by_language contains the reference language {self.reference}: set balance.t instead"
            )
        if self.shares and self.others is not Others.shares:
            raise HeadtailError("balance.shares needs balance.others=shares: add it, or leave the shares out")
        for lang, share in self.shares.items():
            if not 1e-6 <= share <= 1e6:
                raise HeadtailError(f"balance.shares.{lang} must be from 1e-6 to 1e6, got {share}")
        for name, t in {"t": self.t or 1.0, **{f"t_by_language.{k}": t for k, t in self.t_by_language.items()}}.items():
            if not 0 < t / self.headroom < math.inf:
                raise HeadtailError(f"balance.{name} must be above 0 matches, and finite, got {t}")

    def _check_concepts(self) -> None:
        """Raise HeadtailError for thresholds of concepts that are out of range or given twice."""
        check_concept_goals("balance.", self.concept_t, self.concept_tail_share, self.headroom)

    @property
    def goal_tail_share(self) -> float | None:
        """`tail_share`, or its default if no setting decides the thresholds."""
        undecided = self.t is None and self.tail_share is None and self.target_images is None
        return DEFAULT_TAIL_SHARE if undecided else self.tail_share


def check_concept_goals(prefix: str, ts: dict[str, float], shares: dict[str, float], headroom: float = 1.0) -> None:
    """Raise HeadtailError for goals of concepts that are out of range or given twice; names begin with `prefix`."""
    for name, t in ts.items():
        if not 0 < t / headroom < math.inf:
            raise HeadtailError(f"{prefix}concept_t.{name} must be above 0 images, and finite, got {t}")
        if name in shares:
            raise HeadtailError(
                f"{prefix}concept_t.{name} and {prefix}concept_tail_share.{name} are given: give only one of them"
            )
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise HeadtailError(f"{prefix}concept_tail_share.{name} must be from 0 to 1, got {share}")


@dataclass
class RatesConfig(Settings):
    """Assumptions of a forecast."""

    topic: ClassVar[str] = "rates"
    images_per_second: float = setting(
        1000.0, "images downloaded per second on all machines", unit="images/s", minimum=1e-3
    )
    bytes_per_image: float = setting(30_000, "mean size of a stored image", unit="bytes", minimum=1)


@dataclass
class PricesConfig(Settings):
    """Prices of an estimate; the defaults are those of Common Crawl's own region, us-east-1 (docs/scale.md)."""

    topic: ClassVar[str] = "prices"
    preset: ClassVar[str] = "us_east_1"
    core_hour: float = setting(0.04, "price of a core-hour", unit="$", minimum=0)
    terabyte_month: float = setting(23.0, "price of storing a terabyte for a month", unit="$", minimum=0)
    terabyte_read: float = setting(0.0, "price of reading a terabyte of archives or images", unit="$", minimum=0)
    terabyte_out: float = setting(90.0, "price of a terabyte that leaves (shards_out)", unit="$", minimum=0)


@dataclass
class DownloadConfig(Settings):
    """How images are fetched and stored. Image metadata (EXIF) is never stored."""

    topic: ClassVar[str] = "download"
    images_per_list: int = setting(
        10_000, "images per download list, the unit of resume; fixed by the first run", unit="images", minimum=1
    )
    threads: int = setting(32, "parallel connections of a task", minimum=1, maximum=1024)
    connections_per_host: int = setting(
        16, "connections that a task has to one host at most, idle ones included", minimum=1, maximum=1024
    )
    timeout_seconds: float = setting(
        20.0,
        "time limit per image, including name lookup, redirects and retries, but not a kept connection that fails",
        unit="s",
        minimum=0.1,
    )
    retries: int = setting(1, "further attempts after a temporary failure", minimum=0, maximum=10)
    retry_failed: bool = setting(False, "try images again that failed temporarily in earlier runs")
    max_bytes: int = setting(10 << 20, "maximum file size; larger files are refused", unit="bytes", minimum=1)
    max_pixels: int = setting(
        25_000_000,
        "maximum image size; larger images are refused before decoding",
        unit="pixels",
        minimum=1,
        maximum=89_000_000,
    )
    min_success_share: float = setting(
        0.2, "the job stops if a smaller share of the first lists' images arrives", minimum=0, maximum=1
    )
    user_agent_token: str = setting("headtail", "name in the User-Agent header; X-Robots-Tag headers may address it")
    contact: str = setting(
        "",
        "your e-mail address or URL, sent in the User-Agent header for the servers' operators; needed from a million "
        "images on",
    )
    opt_out: list[str] = setting(
        ["noai", "noimageai", "noindex", "noimageindex"],
        "X-Robots-Tag directives to obey; []: ignore the header",
    )
    obey: list[Obey] = setting(
        [],
        "further ways to forbid the use that are obeyed: robots_txt and ai_txt, files that each host is asked for "
        "before its images, and tdm_reservation, a header of the answer; e.g. [robots_txt,tdm_reservation]",
    )
    resize: Resize = setting(
        Resize.keep_ratio,
        "original: file bytes without metadata; no: JPEG of the same size; keep_ratio: smaller side = size; "
        "keep_ratio_largest: larger side = size; center_crop, border: square",
    )
    formats: Formats = setting(
        Formats.all,
        "formats that resize=original keeps: all (JPEG, PNG, WebP), or jpg: others become JPEG; several formats in one "
        "set of shards break Hugging Face datasets and NeMo Curator",
    )
    size: int = setting(512, "side length after resizing", unit="pixels", minimum=1, maximum=8192)
    only_if_bigger: bool = setting(True, "resize only larger images")
    quality: int = setting(95, "JPEG quality of stored images", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        # A header takes no line break, and the parentheses of the User-Agent end at the first closing one.
        if self.contact and not re.fullmatch(r"[!-'*-~]+@[!-'*-~]+\.[!-'*-~]+|https?://[!-'*-~]+", self.contact):
            raise HeadtailError(
                "download.contact must be an e-mail address or a URL such as https://example.org/bot, got "
                f"{self.contact!r}"
            )


@dataclass
class OnnxConfig(Settings):
    """A model of yours that scores images, and the form of its input."""

    topic: ClassVar[str] = "onnx"
    model: str = setting("", "path of an ONNX file, for signals=[onnx]")
    size: int = setting(224, "side of the square that the model takes", unit="pixels", minimum=1, maximum=4096)
    layout: Layout = setting(
        Layout.nchw, "order of the input: channels before (nchw) or behind (nhwc) height and width"
    )
    channels: Channels = setting(Channels.rgb, "order of the colours: rgb or bgr")
    crop: bool = setting(
        True, "scale the shorter side and crop the square in the middle; false: squeeze the image into the square"
    )
    mean: list[float] = setting([0.0], "subtracted from pixels of 0 to 255: one value, or one per channel")
    scale: list[float] = setting(
        [1 / 255], "multiplied with pixels after the mean is subtracted: one value, or one per channel"
    )
    outputs: dict[str, str] = setting(
        {}, "columns and the outputs of the model that they take, e.g. onnx.outputs.aesthetic=score; empty: column onnx"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mean", "scale"):
            values = getattr(self, name)
            if len(values) not in (1, 3) or not all(map(math.isfinite, values)):
                raise HeadtailError(f"onnx.{name} must be one finite number, or one per channel, got {values}")


@dataclass
class FiltersConfig(Settings):
    """Bounds on images as fetched, before resizing."""

    topic: ClassVar[str] = "filters"
    min_side: int = setting(0, "minimum of the smaller side", unit="pixels", minimum=0)
    max_aspect_ratio: float | None = setting(None, "maximum of longer side / shorter side", minimum=1)
    min_pixels: int = setting(0, "minimum of width x height", unit="pixels", minimum=0)
    max_pixels: int | None = setting(None, "maximum of width x height", unit="pixels", minimum=1)
    near_duplicates: NearDuplicates = setting(
        NearDuplicates.false,
        "keep one image of those that look alike, not only of equal files. hash: the same perceptual hash; embedding: "
        "embeddings of scores within near_cosine, which finds crops and mirrored images, too; true: the perceptual "
        "hash of version 1, which is slower",
    )
    near_cosine: float = setting(
        0.95, "near_duplicates=embedding: cosine from which on two images are alike", minimum=0.5, maximum=1
    )


@dataclass
class MetadataConfig(Settings):
    """Which terms of each source become entries. A maximum of 0 means no limit."""

    topic: ClassVar[str] = "metadata"
    preset: ClassVar[str] = "metaclip2"
    numbers: int = setting(100, 'first entries: this many numbers, from "0" on', minimum=0)
    wordnet_first_only: bool = setting(
        True, "true: first lemma of each Princeton synset, in lower case; false: all lemmas as written"
    )
    unigram_min_count: int = setting(1, "minimum count of a word", minimum=1)
    unigram_top_share: float = setting(1.0, "share of the words to use, most frequent first", minimum=0, maximum=1)
    max_unigrams: int = setting(0, "maximum of new words; 0: no limit", minimum=0)
    bigram_score: BigramScore = setting(
        BigramScore.pmi, "pmi, or count_pmi: (count+1)^0.7 * (PMI - percentile of PMI), where above 0"
    )
    bigram_min_count: int = setting(1, "minimum count of a bigram", minimum=1)
    bigram_min_pmi: float | None = setting(None, "minimum PMI of a bigram; 30 needs at least 2^30 words", unit="bits")
    bigram_pmi_percentile: float = setting(
        0.3, "percentile of PMI that count_pmi subtracts, as a share", minimum=0, maximum=1
    )
    max_bigrams: int = setting(0, "maximum of new bigrams; 0: no limit", minimum=0)
    title_min_row_views: int = setting(0, "hourly rows with fewer views are ignored", unit="views", minimum=0)
    title_any_colon: bool = setting(False, "leave out all titles with a colon, not only those of other namespaces")
    title_min_views: int = setting(1, "minimum views of a title, summed over all files", unit="views", minimum=1)
    title_top_share: float = setting(1.0, "share of the titles to use, most viewed first", minimum=0, maximum=1)
    max_titles: int = setting(0, "maximum of new titles; 0: no limit", minimum=0)
    max_characters: int = setting(
        MAX_ENTRY_CHARACTERS,
        "maximum length; longer terms are left out",
        unit="characters",
        minimum=1,
        maximum=MAX_ENTRY_CHARACTERS,
    )
