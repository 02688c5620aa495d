"""The settings of the jobs beside the chain: of images, of shards, of finished runs."""

from dataclasses import dataclass
from typing import ClassVar

from omegaconf import MISSING

from conf.schema.base import Settings, setting, table
from conf.schema.jobs.chain import JobConfig
from conf.schema.topics import PricesConfig, RatesConfig, SparkConfig
from curation.core.choices import Cleanable, ClusteredTexts, Edges, EstimateFormat, ExportFormat, Signal
from curation.core.errors import HeadtailError


@dataclass
class ClusterImagesConfig(JobConfig):
    """Settings of cluster_images."""

    embeddings: list[str] = setting(
        [],
        "Parquet tables with a uid or url and a vector, clip-retrieval folders, or image_signals; empty: vectors are "
        "made of the entries of texts, without a model",
    )
    vectors: str = setting("", "column of the vectors in embeddings; empty: the only one of lists of numbers")
    texts: ClusteredTexts = setting(
        ClusteredTexts.curated,
        "table of texts whose entries are clustered where no embeddings are given, and which name the clusters: "
        "curated or matches",
    )
    curated: str = table("curated", "table of kept images, to read")
    matches: str = table("matches", "table of matches, to read")
    more_matches: list[str] = setting([], "further tables of matches that entry_counts and curated were made of")
    entry_counts: str = table("entry_counts", "table of counts, for the weights of entries, to read")
    entries: str = table("entries", "table of the words of entries, to read")
    clusters: str = table("clusters", "table of clusters to write, with centers.npy and hierarchy.json", writes=True)
    fine: int = setting(1024, "fine clusters", minimum=1, maximum=65_536)
    coarse: int = setting(4, "coarse clusters: groups of fine ones, one for each data expert", minimum=1, maximum=32)
    balanced: bool = setting(True, "look for clusters of like size; false: plain k-means")
    sample_images: int = setting(
        262_144,
        "images in whose vectors centres are looked for; the driver holds them, at two bytes a number",
        unit="images",
        minimum=1,
    )
    rounds: int = setting(20, "rounds of k-means", minimum=1, maximum=1000)
    centers: str = setting("", "folder of another table of clusters, whose centres are taken; empty: look for centres")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coarse > self.fine:
            raise HeadtailError(f"coarse={self.coarse} clusters cannot be made of fine={self.fine}: set coarse lower")


@dataclass
class HashImagesConfig(JobConfig):
    """Settings of hash_images."""

    images: dict[str, str] = setting(
        {}, "folder, tars or Parquet files with the images of each benchmark, e.g. images.imagenet=/data/imagenet/val"
    )
    embeddings: bool = setting(
        False, "store embeddings, too, as signals=[embedding] makes them: for benchmark_cosine, and against"
    )
    benchmark_images: str = table("benchmark_images", "table of hashes of the images to write", writes=True)


@dataclass
class ExpertWeightsConfig(Settings):
    """Settings of expert_weights."""

    clusters: str = setting(MISSING, "folder of the table of clusters that the shards of the experts were divided by")
    classes: list[str] = setting(
        ["clip-benchmark"],
        "class names: clip-benchmark (included) and JSON files of your own, of tasks with their names",
    )
    tasks: list[str] = setting([], "tasks of classes to compute; empty: all")
    templates: list[str] = setting(
        [], "prompts, with {} for the name of a class; empty: a photo of a {}. for an encoder, and {} for entries"
    )
    encoder: str = setting(
        "",
        "where embeddings were clustered: package.module:function, which takes a list of texts and returns a vector of "
        "each",
    )
    temperature: float = setting(
        0.1, "how far weights reach: exp(-squared distance / temperature); lower: only the nearest centres", above=0
    )
    weights: str = setting("", "JSON file to write the weights to; empty: they are printed only")
    output: str = setting("", "folder of the run, where entries were clustered")
    matches: str = table("matches", "table of matches of the run")
    more_matches: list[str] = setting([], "further tables of matches that entry_counts was made of")
    entry_counts: str = table("entry_counts", "table of counts of the run")
    entries: str = table("entries", "table of the words of entries of the run")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all("{}" in template for template in self.templates):
            raise HeadtailError('templates must each hold {} for the name of a class, such as "a photo of a {}."')


@dataclass
class CheckShardsConfig(Settings):
    """Settings of check_shards. An argument without a key is the folder."""

    bare_argument: ClassVar[str] = "shards"
    shards: str = setting(MISSING, "folder of shards to check")
    spark: SparkConfig = setting(SparkConfig, "Spark session")


@dataclass
class RemoveSamplesConfig(Settings):
    """Settings of remove_samples."""

    shards: str = setting(MISSING, "folder of shards to remove samples from")
    uids: list[str] = setting(MISSING, "images to remove, or removal lists: one uid, URL or sha256 per line")
    spark: SparkConfig = setting(SparkConfig, "Spark session")


@dataclass
class AttachConfig(Settings):
    """Settings of attach."""

    shards: str = setting(MISSING, "folder of shards whose samples get companions")
    name: str = setting(MISSING, "name of what is attached: the tars are written to captions/<name> in that folder")
    data: list[str] = setting(
        MISSING, "captions (Parquet), tars of DataCompDR, or embeddings (folder of clip-retrieval, or Parquet)"
    )
    array: str = setting(
        "",
        "array of the .npz files beside Parquet files of the same names in the folders data: l14_img of DataComp's "
        "metadata; empty: none is read",
    )
    overwrite: bool = setting(False, "make companions again that were made from other shards or files")
    allow_empty: bool = setting(False, "accept that nothing fits an image")
    spark: SparkConfig = setting(SparkConfig, "Spark session")


@dataclass
class CardConfig(Settings):
    """Settings of card."""

    output: str = setting(MISSING, "folder of the run; contains the tables whose paths are not given")
    name: str = setting(MISSING, "name of the set of shards")
    license: str = setting(
        MISSING, "licence of the set as the Hub names it, e.g. cc-by-4.0; another name needs license_link"
    )
    license_link: str = setting("", "address of the licence; empty: that of a licence that the Hub names")
    creator: str = setting("", "person or organization that publishes the set")
    url: str = setting("", "page of the set on the web")
    pairs: str = table("pairs", "table of pairs, for the names of crawls")
    report: str = table("report", "folder of the report, whose numbers the card holds")
    shards: str = table("shards", "folder of shards; README.md and croissant.json in it are written", writes=True)


@dataclass
class CleanConfig(Settings):
    """Settings of clean."""

    output: str = setting(MISSING, "folder of the run; contains the tables whose paths are not given")
    what: list[Cleanable] = setting(MISSING, "tables to clean, e.g. what=downloads,pairs")
    yes: bool = setting(False, "delete without asking, as in scripts")
    pairs: str = table("pairs", "table of pairs")
    matches: str = table("matches", "table of matches")
    curated: str = table("curated", "table of kept images")
    lists: str = table("lists", "table of kept images in the final order")
    downloads: str = table("downloads", "folder of images and their download_status; the status stays")
    shards: str = table("shards", "folder of shards; nothing in it is deleted")


@dataclass
class ExportConfig(JobConfig):
    """Settings of export."""

    format: ExportFormat = setting(
        ExportFormat.datacomp,
        "datacomp: a .npy file (dtype u8,u8) of sorted 128-bit uids; caption_requests: where each image lies in the "
        "shards, and its texts, for a captioner",
    )
    pairs: str = table("pairs", "table of pairs with the column datacomp_uid")
    curated: str = table("curated", "table of kept images to export")
    shards: str = table("shards", "folder of shards, for caption_requests")
    exported: str = setting(
        "", "file or (caption_requests) folder to write; empty: datacomp_uids.npy or caption_requests in the run"
    )


@dataclass
class ExplainConfig(Settings):
    """Settings of explain. An argument without a key is the text."""

    bare_argument: ClassVar[str] = "text"
    text: str = setting(MISSING, "text to explain")
    entry_lists: str = setting(
        "",
        "the metadata: a folder of {lang}.json or {lang}.txt, or one such file; starter: the run's, or made now; "
        "empty: those of the run",
    )
    output: str = setting("", "folder of a run, to read entries, counts, thresholds and the edge rule from")
    pairs: str = table("pairs", "table of pairs of the run")
    matches: str = table("matches", "table of matches of the run")
    entry_counts: str = table("entry_counts", "table of counts of the run")
    thresholds: str = table("thresholds", "table of thresholds of the run")
    concept_counts: str = table("concept_counts", "table of concepts of the run and their counts, if there are some")
    entries: str = table("entries", "table of the words of entries of the run")
    edges: Edges = setting(Edges.script, "edge rule, if output is not given")
    lang: str = setting("", "language of the text; empty: detect it by the rules of the run, without a page")
    language_model: str = setting(
        "lid.176.ftz", "path of a fastText model; lid.176.ftz: that of the run, or this one (included)"
    )


@dataclass
class CaptionStatsConfig(Settings):
    """Settings of caption_stats."""

    output: str = setting(MISSING, "folder of the run")
    captions: list[str] = setting(
        [],
        "Parquet files, folders or globs with the columns caption and uid, sha256 or url; empty: the captions in the "
        "json of the samples (caption_<name>)",
    )
    entry_lists: str = setting(MISSING, "the metadata that match_pairs used, or starter")
    images: int = setting(100_000, "images to compare, at most: those of the first shards", unit="images", minimum=1)
    stats: str = setting("", "JSON file to write the numbers to; empty: they are printed only")
    shards: str = table("shards", "folder of shards")
    matches: str = table("matches", "table of matches of the run")
    entry_counts: str = table("entry_counts", "table of counts of the run")
    thresholds: str = table("thresholds", "table of thresholds of the run")


@dataclass
class ShowConfig(Settings):
    """Settings of show. An argument without a key is the folder, a second one the table."""

    bare_argument: ClassVar[tuple[str, ...]] = ("output", "table")
    output: str = setting(MISSING, "folder of a run, for its state; or a table, for its rows")
    table: str = setting("", "table of the run to show the rows of, e.g. curated")
    rows: int = setting(20, "rows to show", minimum=1)


@dataclass
class ExploreConfig(Settings):
    """Settings of explore. An argument without a key is the folder."""

    bare_argument: ClassVar[str] = "output"
    output: str = setting(MISSING, "folder of a run")
    port: int = setting(0, "port on this machine; 0: any that is free", minimum=0, maximum=65535)
    browser: bool = setting(False, "open the page in the browser of this machine")
    hide_above: float = setting(
        0.5, "pictures with a score of at least this in a column named like nsfw are shown after a click", minimum=0
    )


@dataclass
class CompareConfig(Settings):
    """Settings of compare. Arguments without a key are the two runs."""

    bare_argument: ClassVar[tuple[str, ...]] = ("a", "b")
    a: str = setting(MISSING, "folder of the run that the others are compared with")
    b: str = setting(MISSING, "folder of another run, or of a variant of a sweep")
    more: list[str] = setting([], "folders of further runs, each a column")
    page: str = setting("", "file to write as a page with all numbers, e.g. /data/compare.html; empty: none")


@dataclass
class EstimateConfig(Settings):
    """Settings of estimate: assumptions that are not measured."""

    archives: float = setting(100_000, "archives to read; one crawl has about 100,000", unit="files", minimum=1)
    archive_bytes: float = setting(200e6, "compressed size of an archive", unit="bytes", minimum=1)
    image_links: float = setting(1_270_000, "image links per archive", minimum=1)
    pairs_per_archive: float = setting(
        100_000, "pairs per archive that pass all rules, without repetitions", unit="texts", minimum=1
    )
    match_share: float = setting(0.5, "share of texts that contain an entry", minimum=0, maximum=1)
    distinct_share: float = setting(
        0.6, "share of the matched texts that remains after merging all archives", minimum=0, maximum=1
    )
    texts_per_image: float = setting(1.2, "matched texts per image", minimum=1)
    keep_share: float = setting(0.23, "share of images that balancing keeps", minimum=0, maximum=1)
    languages: int = setting(1, "number of languages with an entry list", minimum=1)
    entries_per_list: float = setting(500_000, "entries per list", minimum=1)
    success_share: float = setting(0.6, "share of images that can be fetched", minimum=0, maximum=1)
    fetched_bytes: float = setting(100_000, "size of a fetched image", unit="bytes", minimum=1)
    stored_bytes: float = setting(RatesConfig.bytes_per_image, "size of a stored image", unit="bytes", minimum=1)
    cores: int = setting(1000, "number of cores", minimum=1)
    months: float = setting(1.0, "storage time of tables and shards", unit="months", minimum=0)
    shards_out: float = setting(
        0.0, "how often the shards leave the provider, to a training elsewhere; 1: once", unit="times", minimum=0
    )
    signals: list[Signal] = setting([], "signals to compute of each stored image; empty: none")
    scored_share: float = setting(
        1.0, "share of the stored images that are scored; below 1 with only_written", minimum=0, maximum=1
    )
    prices: PricesConfig = setting(PricesConfig, "prices, of a provider by name or each by itself")
    format: EstimateFormat = setting(
        EstimateFormat.text, "text: Markdown tables; json: one JSON object, all numbers in it"
    )
