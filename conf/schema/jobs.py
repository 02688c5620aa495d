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
    OnnxConfig,
    PricesConfig,
    RatesConfig,
    SourceConfig,
    SparkConfig,
    TextConfig,
    UrlsConfig,
    check_concept_goals,
)
from curation.core.choices import (
    Cleanable,
    ClusteredTexts,
    Combine,
    Edges,
    EstimateFormat,
    ExportFormat,
    Faces,
    OnlyWritten,
    ShardsBy,
    Signal,
    SignalFilter,
)
from curation.core.errors import HeadtailError


@dataclass
class JobConfig(Settings):
    """Settings of most jobs."""

    output: str = setting(MISSING, "folder of the run; contains the tables whose paths are not given")
    seed: int | None = setting(
        None,
        "seed of all random draws; null: that of the run, which is drawn at its first start and kept in its folder",
        minimum=-(1 << 64),
    )
    overwrite: bool = setting(
        False, "make finished tables and shards again if settings or inputs have changed; replaces what is there"
    )
    allow_empty: bool = setting(False, "accept an empty result; false: a job that gives no pair, match, ... fails")
    spark: SparkConfig = setting(SparkConfig, "Spark session")


@dataclass
class ExtractPairsConfig(JobConfig):
    """Settings of extract_pairs."""

    source: SourceConfig = setting(SourceConfig, "input files")
    urls: UrlsConfig = setting(UrlsConfig, "accepted URLs")
    text: TextConfig = setting(TextConfig, "accepted texts")
    language: LanguageConfig = setting(LanguageConfig, "language identification")
    languages: list[str] = setting([], "languages to keep, e.g. [en]; empty: all")
    pairs: str = table("pairs", "table of pairs to write", writes=True)
    add: bool = setting(False, "keep inputs that this call does not name in the table that holds them, and add to them")
    files_per_part: int = setting(1000, "input files per part, the unit of resume", unit="files", minimum=1)
    max_failed_share: float = setting(
        0.05, "the job fails if a larger share of the input files is damaged", minimum=0, maximum=1
    )
    retry_failed_files: bool = setting(False, "read files again that were given up after they had ended their process")


@dataclass
class MatchPairsConfig(JobConfig):
    """Settings of match_pairs."""

    pairs: str = table("pairs", "table of pairs to read")
    matches: str = table("matches", "table of matches to write", writes=True)
    entry_lists: str = setting(
        MISSING, "the metadata: a folder of {lang}.json or {lang}.txt, or one such file; starter: made for this run"
    )
    languages: list[str] = setting([], "languages to match, e.g. [en]; empty: all that have an entry list")
    matching: MatchingConfig = setting(MatchingConfig, "how texts are matched")
    add: bool = setting(False, "keep inputs that this call does not name in the table that holds them, and add to them")
    buckets: int = setting(
        0,
        "number of files of matches; each holds a range of uids; 0: by the pairs of a new table (4 to 64), then kept",
        minimum=0,
        maximum=65536,
    )
    entries: str = table("entries", "table of the words of entries and their counts, for people, to write")


@dataclass
class CountEntriesConfig(JobConfig):
    """Settings of count_entries."""

    matches: str = table("matches", "table of matches to read")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts to write", writes=True)


@dataclass
class BalancePairsConfig(JobConfig):
    """Settings of balance_pairs."""

    matches: str = table("matches", "table of matches to read")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts to read")
    thresholds: str = table("thresholds", "table of thresholds to write", writes=True)
    curated: str = table("curated", "table of kept images to write", writes=True)
    entry_probabilities: str = table(
        "entry_probabilities", "folder of <lang>.npy files to write, for online balancing", writes=True
    )
    balance: BalanceConfig = setting(BalanceConfig, "how the head is thinned")
    forecast: bool = setting(False, "forecast the result of several thresholds instead of balancing")
    forecast_grid: list[float] = setting(
        [], "thresholds of the reference language to forecast; empty: 1, 2, 5, 10, ..."
    )
    forecasts: str = table("forecasts", "table of forecasts to write", writes=True)
    entry_lists: str = setting("", "the metadata, or starter; with it a forecast counts the entries without a match")
    rates: RatesConfig = setting(RatesConfig, "assumptions of a forecast")
    entries: str = table("entries", "table of the words of entries and their counts, for people, to write")
    concepts: dict[str, str] = setting(
        {},
        "concepts of images by namespace, which balancing counts and thins as well: concepts.colours=table.parquet, "
        "with the columns uid or url, and concept_ids (docs/balancing.md)",
    )
    concept_names: dict[str, str] = setting(
        {}, "names of the concepts by id, a list as an entry list: concept_names.colours=colours.txt"
    )
    concept_counts: str = table("concept_counts", "table of concepts and their counts to write", writes=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_concepts()
        for t in self.forecast_grid:
            if not 0 < t / self.balance.headroom < math.inf:
                raise HeadtailError(f"forecast_grid: thresholds must be above 0 matches, and finite, got {t}")

    def _check_concepts(self) -> None:
        """Raise HeadtailError for settings of concepts without a table."""
        asked = self.balance
        named = {
            f"balance.{name}.{key}": key for name in ("concept_t", "concept_tail_share") for key in getattr(asked, name)
        }
        named |= {f"concept_names.{key}": key for key in self.concept_names}
        for setting_name, key in named.items():
            if key not in self.concepts:
                raise HeadtailError(f"{setting_name} needs concepts.{key}, the table of the images' concepts")
        if not self.concepts and asked.combine != Combine.product:
            raise HeadtailError(f"balance.combine={asked.combine.value} needs concepts: concepts.<name>=table.parquet")


@dataclass
class DownloadImagesConfig(JobConfig):
    """Settings of download_images."""

    pairs: str = table("pairs", "table of pairs, to find images that are stored in shards already")
    curated: str = table("curated", "table of kept images to read")
    lists: str = table("lists", "table of kept images in the final order, to write", writes=True)
    hosts: str = table("hosts", "table of what hosts forbid in robots.txt and ai.txt, to write", writes=True)
    downloads: str = table("downloads", "folder of images and their download_status, to write", writes=True)
    urls: UrlsConfig = setting(UrlsConfig, "accepted URLs")
    download: DownloadConfig = setting(DownloadConfig, "how images are fetched")


@dataclass
class ScoreImagesConfig(JobConfig):
    """Settings of score_images."""

    downloads: str = table("downloads", "folder of images and their download_status, to read")
    image_signals: str = table("image_signals", "table of signals of images to write", writes=True)
    lists: str = table("lists", "table of kept images in the final order, to read with only_written")
    only_written: OnlyWritten = setting(
        OnlyWritten.false,
        "true: score only images that would become samples by filters, removals and filter: neither small ones nor "
        "duplicate files; exact: only those that become samples, by the second balance, too, where no signal decides; "
        "the others have no row",
    )
    filters: FiltersConfig = setting(FiltersConfig, "bounds on images")
    removals: list[str] = setting(
        [], "images to leave out, or removal lists: one uid, URL, sha256 or perceptual hash per line"
    )
    filter: str = setting(
        "",
        "the filter of write_shards: with only_written, its parts that know no signal leave images out (parts are what "
        "`and` joins)",
    )
    scores: list[str] = setting(
        [], "Parquet tables with a column uid, sha256 or url; filter can use their other columns"
    )
    signals: list[Signal] = setting(
        [],
        "signals to compute of each stored image, e.g. [faces,nsfw]: faces, nsfw, embedding, text, "
        "onnx, python; empty: none",
    )
    face_tiles: int = setting(
        1,
        "look for faces also in this many tiles per side, which finds smaller ones; 1: only whole",
        minimum=1,
        maximum=8,
    )
    onnx: OnnxConfig = setting(OnnxConfig, "a model of yours, for signals=[onnx]")
    signal_models: dict[str, str] = setting(
        {},
        "models of yours in Python, for signals=[python]: signal_models.<name>=package.module:function, which returns "
        "a model (docs/signals.md)",
    )
    provider: str = setting(
        "CPUExecutionProvider", "what onnxruntime uses, for nsfw, embedding, onnx; CUDAExecutionProvider: a GPU"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (Signal.python in self.signals) != bool(self.signal_models):
            raise HeadtailError("signals=[python] and signal_models.<name>=package.module:function are given together")
        if (Signal.onnx in self.signals) != bool(self.onnx.model):
            raise HeadtailError("signals=[onnx] and onnx.model, the path of an ONNX file, are given together")
        if type(self) is ScoreImagesConfig and self.only_written == OnlyWritten.false and (self.filter or self.scores):
            raise HeadtailError("filter and scores need only_written=true: all images are scored without it")


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
class WriteShardsConfig(JobConfig):
    """Settings of write_shards."""

    lists: str = table("lists", "table of kept images in the final order, to read")
    downloads: str = table("downloads", "folder of images and their download_status, to read")
    shards: str = table("shards", "folder of shards to write", writes=True)
    samples_per_shard: int = setting(
        10_000, "samples per shard; the last shard holds the rest", unit="samples", minimum=1
    )
    max_shard_bytes: int = setting(
        4 << 30,
        "maximum size of a shard's images; with large images a shard has fewer samples",
        unit="bytes",
        minimum=1,
    )
    filters: FiltersConfig = setting(FiltersConfig, "bounds on images")
    removals: list[str] = setting(
        [], "images to leave out, or removal lists: one uid, URL, sha256 or perceptual hash per line"
    )
    scores: list[str] = setting(
        [], "Parquet tables with a column uid, sha256 or url; filter can use their other columns"
    )
    against: list[str] = setting(
        [],
        "other finished sets of shards, or tables of hash_images: equal files are left out; with "
        "filters.near_duplicates also near duplicates by embedding, or images with an equal perceptual hash",
    )
    embedding_column: str = setting(
        "embedding", "column of scores that has the embeddings of images: lists of numbers, as score_images makes them"
    )
    score_columns: bool | None = setting(
        None,
        "write the columns of scores into the side-cars; null: if no filter, faces or embeddings are used",
    )
    filter: str = setting(
        "", "SQL expression on columns of the side-car and the scores; an image is kept if it is true"
    )
    benchmark_images: list[str] = setting(
        [], "tables of hash_images: images of benchmarks are left out, also resized or recompressed ones"
    )
    benchmark_distance: int = setting(
        4, "bits of 64 in which an image's perceptual hash may differ from a benchmark's", minimum=0, maximum=16
    )
    benchmark_cosine: float | None = setting(
        None,
        "leave out images whose embedding has at least this cosine with that of a benchmark's image, e.g. 0.95: crops "
        "and mirrored images, too; null: embeddings of benchmarks are not compared",
        minimum=0.5,
        maximum=1,
    )
    signal_filters: list[SignalFilter] = setting(
        [],
        "named thresholds of signals that images must pass, with filter: no_faces, not_nsfw, surely_safe, little_text; "
        "score_images says what each leaves out",
    )
    faces: Faces = setting(
        Faces.keep,
        "images with faces: keep; blur: blur the boxes that scores have; drop: leave these images out. blur and drop "
        "also leave out images whose boxes are not known",
    )
    face_boxes: str | None = setting(
        None, "column of scores that has the boxes of faces; null: face_boxes or face_bboxes, whichever is there"
    )
    second_balance: bool | None = setting(
        None, "balance again after download and filters; null: if balance.headroom was below 1"
    )
    concepts: dict[str, str] = setting(
        {},
        "concepts of images by namespace, for the second balance: the tables of balance_pairs, and further ones, also "
        "by sha256: concepts.faces=table.parquet (docs/balancing.md)",
    )
    concept_t: dict[str, float] = setting(
        {}, "thresholds of concepts that balance_pairs did not have, in images, e.g. concept_t.faces=500"
    )
    concept_tail_share: dict[str, float] = setting(
        {}, "or tail shares of such concepts, e.g. concept_tail_share.faces=0.1; without either: that of the entries"
    )
    keep_downloads: bool = setting(
        True,
        "false: delete each file of downloaded images when no shard needs it any more; other shards cannot be made",
    )
    captions: dict[str, str] = setting(
        {},
        "captions to join, by name: captions.altogether=table.parquet gives caption_altogether in the json; a table "
        "has caption and one of uid, sha256, url, datacomp_uid",
    )
    captions_strict: bool = setting(False, "two captions of one key are an error; false: the first by hash is taken")
    syn_json: bool = setting(False, "write the joined captions of each sample as a member syn.json of the tar, too")
    pairs: str = table("pairs", "table of pairs, to find the datacomp_uid of images for captions")
    json_version: int | None = setting(
        None,
        "form of the samples' json: 2, or 1 with texts as objects (docs/shards.md); null: that of a set that is there",
        minimum=1,
        maximum=2,
    )
    entries: str = table("entries", "table of the words of entries, to read")
    energon_sqlite: bool = setting(
        False, "write .nv-meta/index.sqlite, with which Megatron-Energon finds samples by key; up to 10 million samples"
    )
    clusters: str = setting(
        "", "table of cluster_images: its fine and coarse clusters come into the json and the side-cars; empty: none"
    )
    by: ShardsBy = setting(
        ShardsBy.none,
        "coarse: write a set of shards for each coarse cluster of clusters, in folders below shards, to train data "
        "experts; none: one set",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by == ShardsBy.coarse and not self.clusters:
            raise HeadtailError("by=coarse needs clusters, the table of cluster_images: clusters=/data/run/clusters")
        if self.by == ShardsBy.coarse and not self.keep_downloads:
            raise HeadtailError("by=coarse and keep_downloads=false cannot be combined: several sets read one download")
        if self.clusters and self.score_columns is False:
            raise HeadtailError("clusters are columns of side-cars: score_columns=false cannot be given with them")
        check_concept_goals("", self.concept_t, self.concept_tail_share)
        for name in ("concept_t", "concept_tail_share"):
            for key in getattr(self, name):
                if key not in self.concepts:
                    raise HeadtailError(f"{name}.{key} needs concepts.{key}, the table of the images' concepts")


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
class ReportStatsConfig(JobConfig):
    """Settings of report_stats."""

    pairs: str = table("pairs", "table of pairs")
    matches: str = table("matches", "table of matches")
    more_matches: list[str] = setting([], "further tables of matches, merged with the first by uid")
    entry_counts: str = table("entry_counts", "table of counts")
    thresholds: str = table("thresholds", "table of thresholds")
    curated: str = table("curated", "table of kept images")
    concept_counts: str = table("concept_counts", "table of concepts and their counts, if there are concepts")
    lists: str = table("lists", "table of kept images in the final order")
    downloads: str = table("downloads", "folder of images and their download_status")
    shards: str = table("shards", "folder of shards")
    image_signals: str = table("image_signals", "table of signals of images, if there is one")
    entry_lists: str = setting(MISSING, "the metadata that match_pairs used, or starter")
    report: str = table("report", "folder of the report, to write", writes=True)
    benchmarks: list[str] = setting(
        ["clip-benchmark"],
        "class names to look up in the data: clip-benchmark (included) and JSON files of your own; []: none",
    )
    search_megabytes: float = setting(
        10.0,
        "megabytes of entries that can be searched within the page; the others go to files beside it; 0: no search",
        unit="MB",
        minimum=0,
        maximum=1000,
    )
    entries: str = table("entries", "table of the words of entries and their counts, for people, to write")


@dataclass
class CurateConfig(
    ReportStatsConfig,
    WriteShardsConfig,
    ScoreImagesConfig,
    DownloadImagesConfig,
    BalancePairsConfig,
    CountEntriesConfig,
    MatchPairsConfig,
    ExtractPairsConfig,
):
    """Settings of curate: those of all jobs that it runs.

    A dataclass takes its fields from the last base first, so the bases are in reverse order: --help then follows the
    order of the jobs. If several jobs have a setting, the declaration of the first base counts, report_stats; where its
    help text does not fit, this class declares the setting again.
    """

    presets: ClassVar[dict[str, str]] = {"matching": "${balance}"}
    entry_lists: str = setting(
        MISSING, "the metadata: a folder of {lang}.json or {lang}.txt, or one such file; starter: made for this run"
    )
    lists: str = table("lists", "table of kept images in the final order")
    image_signals: str = table("image_signals", "table of signals of images to write", writes=True)
    filter: str = setting(
        "",
        "SQL expression on columns of the side-car, the scores and the signals; an image is kept if it is true; with "
        "only_written, its parts that know no signal (`and` joins parts) are decided before the scoring",
    )
    languages: list[str] = setting([], "languages to keep and to match, e.g. [en]; empty: all that have an entry list")
    concepts: dict[str, str] = setting(
        {},
        "concepts of images by namespace, which balancing counts and thins as well: concepts.colours=table.parquet, "
        "with concept_ids and uid or url, or sha256 for the second balance alone (docs/balancing.md)",
    )
    download_images: bool = setting(True, "download images and write shards; false: report on the balanced table")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clusters or self.by != ShardsBy.none:
            raise HeadtailError(
                "curate makes no clusters: run cluster_images after it, then write_shards with clusters and by"
            )


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
