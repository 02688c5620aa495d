"""Texts and thumbnails of the samples that the report shows, and the texts of the entries that it names by id."""

import base64
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.balancing.counts import CountFiles
from curation.core import storage
from curation.core.receipts import Receipt
from curation.images.encoding import KEPT_FORMATS
from curation.matching.entry_lists import EntryList
from curation.matching.entry_store import EntryStore
from curation.report.stats import SampleDraw
from curation.shards.sample_json import matched_texts

SIDE_PIXELS = 288
"""Longer side of a thumbnail."""
QUALITY = 72
NO_PICTURE = "data:,"
MAX_SOURCES = 20
_SOURCE_SUMS = ("matched", "before", "after")
EXAMPLES = 8
"""Entries of a list that are shown as examples of those that can never match."""


@dataclass(frozen=True)
class PreviewsTask:
    """Samples to read from one shard: the path of its tar and their uids."""

    tar: str
    uids: list[str]


@dataclass(frozen=True)
class EntriesTask:
    """Entries to read from the list of one language: their ids, ascending.

    `before` and `after` are the folders of the counts by which the sources of the list are compared.
    """

    lang: str
    ids: list[int]
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class ListSummary:
    """One entry list as the report shows it.

    `entries` is the number of usable entries, `never` the number of those that can never match, `examples` the texts of
    some of these, `texts` the texts of the entries that the report names, by id in decimal. `sources` are rows {source,
    entries, matched, before, after}, the largest first, none where the list names no sources.
    """

    lang: str
    entries: int
    never: int
    examples: list[str]
    texts: dict[str, str | None]
    sources: list[dict[str, Any]] = field(default_factory=list)


def plan_previews(samples: Iterable[SampleDraw]) -> list[PreviewsTask]:
    """Return a task for `read_previews` for each shard that holds some of the samples."""
    uids: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        uids[sample.tar].append(sample.uid)
    return [PreviewsTask(tar, found) for tar, found in sorted(uids.items())]


def read_previews(task: PreviewsTask) -> Receipt:
    """Read some samples of a shard. Rows are samples.

    The receipt's outputs are the samples as in report.json, except that their texts have `entry_ids`:
    `values.sample_values` adds the texts of the entries.
    """
    receipt, wanted = Receipt(task.tar, rows_in=len(task.uids)), set(task.uids)
    values: dict[str, dict[str, Any]] = {}
    with storage.open_input(task.tar) as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            uid, _, kind = member.name.partition(".")
            if uid not in wanted or kind == "txt" or kind.endswith(".json"):
                continue
            found = tar.extractfile(member)
            data = found.read() if found else b""
            if kind == "json":
                values[uid] = json.loads(data)
            else:
                receipt.outputs.append(_sample(values[uid], data))
                if len(receipt.outputs) == len(wanted):
                    break
    receipt.rows_out = len(receipt.outputs)
    return receipt.check()


def _sample(values: dict[str, Any], image: bytes) -> dict[str, Any]:
    names = ("uid", "url", "text", "lang", "keep_probability", "width", "height")
    texts = [
        {name: text[name] for name in ("text", "lang", "keep_probability", "kept", "entry_ids")}
        for text in matched_texts(values)
    ]
    return {**{name: values[name] for name in names}, "thumbnail": thumbnail(image), "texts": texts}


def thumbnail(image: bytes) -> str:
    """Return a small JPEG of an image as a data: URL; NO_PICTURE for an image that cannot be decoded."""
    small = small_jpeg(image)
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}" if small else NO_PICTURE


def small_jpeg(image: bytes) -> bytes:
    """Return a small JPEG of an image; b"" for an image that cannot be decoded."""
    try:
        with Image.open(io.BytesIO(image), formats=tuple(KEPT_FORMATS)) as opened:
            opened.draft("RGB", (2 * SIDE_PIXELS, 2 * SIDE_PIXELS))
            small = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        small.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
        if small.mode == "RGBA":
            white = Image.new("RGBA", small.size, "white")
            small = Image.alpha_composite(white, small).convert("RGB")
        data = io.BytesIO()
        small.save(data, "JPEG", quality=QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
    return data.getvalue()


def plan_entries(
    languages: Iterable[str], needed: Iterable[tuple[str, int]], before: str = "", after: str = ""
) -> list[EntriesTask]:
    """Return a task for `read_entries` for each language, with the ids of the (lang, entry_id) pairs in `needed`.

    `before` and `after` are the folders of the languages' counts.
    """
    ids: dict[str, set[int]] = {lang: set() for lang in languages}
    for lang, entry_id in needed:
        ids.setdefault(lang, set()).add(entry_id)
    return [EntriesTask(lang, sorted(found), before, after) for lang, found in sorted(ids.items())]


def read_entries(task: EntriesTask, store: EntryStore) -> Receipt:
    """Read the texts of some entries, and count the entries of their list. Rows are entries of the list.

    The receipt has one output, a `ListSummary` as a dict.
    """
    listed = store.entry_list(task.lang)
    texts = listed.texts
    never = store.unmatchable(task.lang)
    summary = ListSummary(
        task.lang,
        entries=len(texts) - texts.null_count,
        never=len(never),
        examples=texts.take(pa.array(never[:EXAMPLES])).to_pylist(),
        texts={str(i): texts[i].as_py() if i < len(texts) else None for i in task.ids},
        sources=_by_source(listed, task) if task.before else [],
    )
    return Receipt(f"entries of {task.lang}", rows_in=len(texts), rows_out=len(texts), outputs=[asdict(summary)])


def _by_source(listed: EntryList, task: EntriesTask) -> list[dict[str, Any]]:
    """Return the entries and the matches by source of the list."""
    usable = listed.texts.is_valid()
    sources = listed.sources.filter(usable)
    if sources.null_count == len(sources):
        return []
    before, after = (
        _filled(CountFiles(folder).load(task.lang), len(listed.texts)) for folder in (task.before, task.after)
    )
    counted = usable.to_numpy(zero_copy_only=False)
    matched = (before[counted] > 0).astype(np.int64)
    rows = pa.table([sources.fill_null("unknown"), matched, before[counted], after[counted]], ["source", *_SOURCE_SUMS])
    summed = rows.group_by("source").aggregate([("matched", "count"), *((name, "sum") for name in _SOURCE_SUMS)])
    found = [
        {
            "source": row["source"],
            "entries": row["matched_count"],
            **{name: row[f"{name}_sum"] for name in _SOURCE_SUMS},
        }
        for row in summed.to_pylist()
    ]
    return sorted(found, key=lambda row: (-row["entries"], row["source"]))[:MAX_SOURCES]


def _filled(counts: np.ndarray, size: int) -> np.ndarray:
    found = np.zeros(size, np.int64)
    found[: len(counts)] = counts
    return found
