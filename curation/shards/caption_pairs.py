"""The images of a set of shards with their alt-texts and captions, as caption statistics read them.

The order of samples is random, so the first shards of a set are a fair sample of its images.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.shards.attachments import SYN_JSON, read_attached
from curation.shards.keyed_join import order_of
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import read_members

CAPTION = "caption_"
"""Beginning of the keys of a sample's json that hold captions."""
MAX_JSON_BYTES = 4 << 20
MAX_CHARS = 8192
"""Longer captions are cut, and counted as `cut`: the captions of all images are held at once."""
_COLUMNS = ["uid", "sha256", "text", "lang"]


@dataclass
class CaptionPairs:
    """Images with their alt-texts, and a caption for each, or None; `facts` count rows and images."""

    langs: list[str]
    alt_texts: list[str]
    captions: list[str | None]
    facts: Counter[str] = field(default_factory=Counter)

    def by_language(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Yield each language with its alt-texts and captions, of the images that have both; most images first."""
        rows: dict[str, list[int]] = {}
        for row, (lang, caption) in enumerate(zip(self.langs, self.captions, strict=True)):
            if caption is not None:
                rows.setdefault(lang, []).append(row)
        for lang, mine in sorted(rows.items(), key=lambda item: (-len(item[1]), item[0])):
            yield lang, [self.alt_texts[row] for row in mine], [str(self.captions[row]) for row in mine]


def read_sidecars(sidecars: Iterable[str], images: int) -> tuple[pa.Table, list[str]]:
    """Return uid, sha256, text and lang of the first images of a set, and the side-cars that were read."""
    found, read, left = [SAMPLES.empty_table().select(_COLUMNS)], [], images
    for path in sidecars:
        if left <= 0:
            break
        found.append(read_rows(path, SAMPLES, _COLUMNS, further=None).slice(0, left))
        read.append(path)
        left -= found[-1].num_rows
    return pa.concat_tables(found), read


def pairs_of_tables(samples: pa.Table, paths: Sequence[str]) -> CaptionPairs:
    """Return the images with their captions in tables with uid, sha256 or url, as those of `attach`.

    Of a list the first caption is taken; of two rows of one image the first by hash. Raises HeadtailError for a table
    without captions.
    """
    pairs = CaptionPairs(samples["lang"].to_pylist(), samples["text"].to_pylist(), [None] * samples.num_rows)
    places: dict[str, list[int]] = {}
    for row, (uid, digest) in enumerate(zip(samples["uid"].to_pylist(), samples["sha256"].to_pylist(), strict=True)):
        places.setdefault(f"u{uid}", []).append(row)
        places.setdefault(f"s{digest}", []).append(row)
    taken: dict[int, bytes] = {}
    for path in paths:
        for attached in read_attached(path, "", pairs.facts, "captions"):
            if attached.extension != SYN_JSON:
                raise HeadtailError(f"captions: {path} holds vectors, expected a column caption")
            for row in places.get(attached.key, ()):
                pairs.facts["same_image"] += row in taken
                order = order_of(attached.value)
                if order <= taken.get(row, order):
                    taken[row] = order
                    pairs.captions[row] = msgspec.json.decode(attached.value)["syn_text"][0][: MAX_CHARS + 1]
    return _counted(pairs)


def pairs_of_tars(samples: pa.Table, tars: Iterable[str]) -> dict[str, CaptionPairs]:
    """Return the images with each caption that the json of their samples has as `caption_<name>`, by this key."""
    langs, alt_texts, uids = (samples[name].to_pylist() for name in ("lang", "text", "uid"))
    place = {uid: row for row, uid in enumerate(uids)}
    found: dict[str, CaptionPairs] = {}
    for key, described in _jsons(tars):
        row = place.get(key)
        for name, value in described.items() if row is not None else ():
            if name.startswith(CAPTION) and isinstance(value, str) and row is not None:
                if name not in found:
                    found[name] = CaptionPairs(langs, alt_texts, [None] * len(uids))
                found[name].captions[row] = value[: MAX_CHARS + 1] if value.strip() else None
    return {name: _counted(found[name]) for name in sorted(found)}


def _counted(pairs: CaptionPairs) -> CaptionPairs:
    pairs.facts["cut"] = sum(len(caption or "") > MAX_CHARS for caption in pairs.captions)
    pairs.captions[:] = [caption and caption[:MAX_CHARS] for caption in pairs.captions]
    pairs.facts["images"] = len(pairs.captions)
    pairs.facts["images_with"] = sum(caption is not None for caption in pairs.captions)
    pairs.facts["images_without"] = pairs.facts["images"] - pairs.facts["images_with"]
    return pairs


def _jsons(tars: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and the json of each sample; images are passed over. Raises HeadtailError for damage."""
    for path in tars:
        log = ReadLog()
        with storage.open_input(path) as file:
            for member in read_members(file, log):
                if member is None:
                    raise HeadtailError(f"{path} cannot be read: {log.faults[-1][1]}: run check_shards")
                if not member.name.endswith(".json"):
                    continue
                try:
                    described = msgspec.json.decode(member.read(MAX_JSON_BYTES) or b"")
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise HeadtailError(f"{path}: {member.name[:100]} is no JSON: {error}: run check_shards") from error
                if isinstance(described, dict):
                    yield member.name.removesuffix(".json"), described
