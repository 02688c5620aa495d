"""The parts of a sitting: which figures each measures, in which unit, and what the figure is.

Each part runs in a process of its own, `python -m tests.benchmarks.figures.part NAME SCALE FOLDER`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """The unit of a figure, and its description."""

    unit: str
    text: str


SECONDS, BYTES, GIB = "core-seconds", "bytes", "GiB"
PARTS: Mapping[str, Mapping[str, Measured]] = {
    "extract": {
        "extract_core_seconds": Measured(
            SECONDS, "extraction with language of an archive with 1.27 million image links"
        ),
    },
    "match": {
        "match_core_seconds": Measured(
            SECONDS,
            "matching, shuffling and merging of a million pairs, 415,854 entries, all processes; 5 million less 10,000",
        ),
        "bytes_per_pair": Measured(BYTES, "a row of pairs, without the address of its page"),
        "bytes_per_match": Measured(BYTES, "a text in matches"),
        "list_bytes_per_entry": Measured(BYTES, "an entry in the compiled list that all workers of a machine map"),
    },
    "shuffle": {
        "shuffle_bytes_per_match": Measured(BYTES, "a matched text in the shuffle"),
    },
    "growth": {
        "count_core_seconds": Measured(SECONDS, "counting of a million texts; 16 million less a tenth"),
        "balance_core_seconds": Measured(SECONDS, "balancing of a million texts; 16 million less a tenth"),
        "bytes_per_curated": Measured(BYTES, "an image in curated"),
        "balance_memory": Measured(GIB, "a worker that counts or balances"),
    },
    "images": {
        "download_core_seconds": Measured(
            SECONDS, "fetching, resizing and storing of a thousand images of LAION's sizes, at 512 pixels"
        ),
        "shards_core_seconds": Measured(SECONDS, "selecting and writing of a gigabyte of images of 20 kB"),
        "download_memory": Measured(
            GIB, "a worker that fetches images of LAION's sizes; at worst 0.5 more, for one of 25 million pixels"
        ),
        "shards_memory": Measured(GIB, "a worker that writes shards"),
    },
    "signals": {
        "decode_core_seconds": Measured(SECONDS, "decoding of a thousand images of 512 pixels"),
        "faces_core_seconds": Measured(SECONDS, "looking for faces in a thousand decoded images"),
        "nsfw_core_seconds": Measured(SECONDS, "NSFW scores and embeddings of a thousand decoded images"),
        "text_core_seconds": Measured(SECONDS, "the share of text in a thousand decoded images"),
        "signals_memory": Measured(GIB, "a worker with all models of signals"),
    },
    "skew": {
        "match_memory": Measured(GIB, "a worker that matches or merges, an image of a million texts among others"),
    },
    "extract_memory": {
        "extract_memory": Measured(GIB, "a worker that extracts the worst of several files"),
    },
    "workers": {
        "speedup_two_workers": Measured(
            "times", "two workers over one, each bound to a core, extraction and matching of a small run"
        ),
    },
}
"""Part -> its figures. The order is that of their worth, should a sitting be cut short."""


def command_of(part: str) -> str:
    """Return the command that measures a part alone."""
    return f"make bench NAME=figures ARGS=parts={part}"
