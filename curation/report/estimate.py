"""The cost of a planned run: rows, core-hours, bytes, memory and dollars of each stage.

The measured figures (figures.json) are those that the benchmarks print, each with its command. All other numbers are
named assumptions. The estimate assumes that work is proportional to its input and evenly spread over the cores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.core.choices import Signal
from curation.report.figures import measured
from curation.report.peers import Peer, peer_of

MEASURED_LINKS = 1_270_000
"""Image links of the archive for which `extract_core_seconds` was measured."""
BUCKET_BYTES = 512e6
"""Size of a bucket of `matches` that the estimate recommends."""
LAST_OF_CURATED = "balance_pairs"
"""The stage that ends with the list of the images to keep."""

_MODELS = {
    Signal.faces: "faces_core_seconds",
    Signal.nsfw: "nsfw_core_seconds",
    Signal.embedding: "nsfw_core_seconds",
    Signal.text: "text_core_seconds",
}
"""The figure of each signal's model; `nsfw` and `embedding` are one."""
_UID_BYTES, _SIGNAL_BYTES = 24, {Signal.embedding: 2048, Signal.faces: 8}


@dataclass(frozen=True)
class Prices:
    """Prices in dollars; conf/schema/topics/runs.py describes each."""

    core_hour: float
    terabyte_month: float
    terabyte_read: float
    terabyte_out: float


@dataclass(frozen=True)
class Assumptions:
    """The numbers that are not measured but assumed; conf/schema/jobs/others.py describes each."""

    archives: float
    archive_bytes: float
    image_links: float
    pairs_per_archive: float
    match_share: float
    distinct_share: float
    texts_per_image: float
    keep_share: float
    languages: int
    entries_per_list: float
    success_share: float
    fetched_bytes: float
    stored_bytes: float
    cores: int
    months: float
    shards_out: float
    signals: list[Signal]
    scored_share: float
    prices: Prices


@dataclass(frozen=True)
class StageEstimate:
    """The cost of a stage; rows are in its unit, and `memory` is that of one worker process in GiB.

    `read_bytes` come from outside (archives, images), `table_bytes` is the size of the table that the stage writes, and
    `out_bytes` leave the provider.
    """

    stage: str
    unit: str
    rows_in: float
    rows_out: float
    core_seconds: float
    memory: float
    read_bytes: float = 0.0
    shuffle_bytes: float = 0.0
    table_bytes: float = 0.0
    out_bytes: float = 0.0


def estimate(assumed: Assumptions) -> list[StageEstimate]:
    """Return the cost of each stage, in the order of the stages."""
    figures = {name: figure.value for name, figure in measured().items()}
    links = assumed.archives * assumed.image_links
    pairs = assumed.archives * assumed.pairs_per_archive
    matched = pairs * assumed.match_share
    matches = matched * assumed.distinct_share
    images = matches / assumed.texts_per_image
    kept = images * assumed.keep_share
    stored = kept * assumed.success_share
    stored_bytes = stored * assumed.stored_bytes
    return [
        StageEstimate(
            "extract_pairs", "image links", links, pairs,
            core_seconds=assumed.archives * figures["extract_core_seconds"] * assumed.image_links / MEASURED_LINKS,
            memory=figures["extract_memory"],
            read_bytes=assumed.archives * assumed.archive_bytes,
            table_bytes=pairs * figures["bytes_per_pair"],
        ),
        StageEstimate(
            "match_pairs", "texts", pairs, matches,
            core_seconds=pairs / 1e6 * figures["match_core_seconds"],
            memory=figures["match_memory"],
            shuffle_bytes=matched * figures["shuffle_bytes_per_match"],
            table_bytes=matches * figures["bytes_per_match"],
        ),
        StageEstimate(
            "count_entries", "texts", matches, matches,
            core_seconds=matches / 1e6 * figures["count_core_seconds"],
            memory=figures["balance_memory"],
        ),
        StageEstimate(
            "balance_pairs", "images", images, kept,
            core_seconds=matches / 1e6 * figures["balance_core_seconds"],
            memory=figures["balance_memory"],
            table_bytes=kept * figures["bytes_per_curated"],
        ),
        StageEstimate(
            "download_images", "images", kept, stored,
            core_seconds=kept / 1e3 * figures["download_core_seconds"],
            memory=figures["download_memory"],
            read_bytes=stored * assumed.fetched_bytes,
            table_bytes=stored_bytes,
        ),
        *([_scoring(assumed, stored, figures)] if assumed.signals else []),
        StageEstimate(
            "write_shards", "images", stored, stored,
            core_seconds=stored_bytes / 1e9 * figures["shards_core_seconds"],
            memory=figures["shards_memory"],
            table_bytes=stored_bytes,
            out_bytes=stored_bytes * assumed.shards_out,
        ),
    ]  # fmt: skip


def _scoring(assumed: Assumptions, images: float, figures: Mapping[str, float]) -> StageEstimate:
    """Return the cost of score_images; nothing is known of the models of users, which count as decoding."""
    signals, scored = assumed.signals, images * assumed.scored_share
    models = {_MODELS.get(signal, "") for signal in signals}
    seconds = figures["decode_core_seconds"] + sum(figures[model] for model in models if model)
    row_bytes = sum(_SIGNAL_BYTES.get(signal, 4) for signal in signals) + _UID_BYTES
    return StageEstimate(
        "score_images", "images", images, scored,
        core_seconds=scored / 1e3 * seconds,
        memory=figures["signals_memory"],
        table_bytes=scored * row_bytes,
    )  # fmt: skip


def until_curated(stages: Sequence[StageEstimate]) -> Sequence[StageEstimate]:
    """Return the stages that end with the list of the images to keep."""
    return stages[: [stage.stage for stage in stages].index(LAST_OF_CURATED) + 1]


def dollars(stage: StageEstimate, prices: Prices) -> float:
    """Return the price of a stage's work: its core-hours, and the bytes that it reads and sends out."""
    return (
        stage.core_seconds / 3600 * prices.core_hour
        + stage.read_bytes / 1e12 * prices.terabyte_read
        + stage.out_bytes / 1e12 * prices.terabyte_out
    )


def dollars_a_month(stage: StageEstimate, prices: Prices) -> float:
    """Return the price of storing a stage's table for a month."""
    return stage.table_bytes / 1e12 * prices.terabyte_month


def dollars_kept(stages: Sequence[StageEstimate], assumed: Assumptions) -> float:
    """Return the price of all stages, and of storing their tables for the months that are assumed."""
    prices = assumed.prices
    return sum(dollars(stage, prices) + assumed.months * dollars_a_month(stage, prices) for stage in stages)


def by_peer(stage: StageEstimate, assumed: Assumptions) -> tuple[Peer, float] | None:
    """Return the project that publishes a rate of a stage, and the core-hours that it would take; None without one."""
    peer = peer_of(stage.stage)
    return (peer, peer.seconds_of(assumed.archives, stage.rows_in) / 3600) if peer else None


def list_bytes(assumed: Assumptions) -> float:
    """Return the size of the compiled entry lists on each machine."""
    return assumed.languages * assumed.entries_per_list * measured()["list_bytes_per_entry"].value


def good_buckets(stages: Sequence[StageEstimate]) -> int:
    """Return how many buckets have about BUCKET_BYTES each."""
    matches = next(stage.table_bytes for stage in stages if stage.stage == "match_pairs")
    return max(1, min(65_536, round(matches / BUCKET_BYTES)))
