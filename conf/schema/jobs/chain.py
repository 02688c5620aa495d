"""The settings of the jobs that `curate` runs one after the other, and of `curate`."""

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
    OnnxConfig,
    RatesConfig,
    SourceConfig,
    SparkConfig,
    TextConfig,
    UrlsConfig,
    check_concept_goals,
)
from curation.core.choices import Combine, Faces, OnlyWritten, ShardsBy, Signal, SignalFilter
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
    removals: list[str] = setting(
        [],
        "images of which the report shows nothing, or lists of them, beside those of the run: the removals that "
        "write_shards had, since the manifest of shards names local lists without their folders",
    )
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
    removals: list[str] = setting(
        [], "images to leave out, or removal lists: one uid, URL, sha256 or perceptual hash per line"
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
