"""WebDataset shards that others wrote, as img2dataset and DataComp do: samples of an image, a text and a json.

The members of a sample stand one after the other and share the name up to the first dot. The reader
passes on where each image lies, and the download takes the image from there.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.text_marks import encoding_of
from curation.core.uids import UID_CHARS
from curation.sources.archives import ReadLog
from curation.sources.caption_strings import carried_text, strings_of, text_or_list, texts_of
from curation.sources.caption_tables import TableColumns
from curation.sources.json_text import decode_json
from curation.sources.links import Links
from curation.sources.several_texts import links_of
from curation.sources.tar_reader import Member, read_members

IMAGES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "avif")
TEXT = "txt"
"""The caption's member, and its name among the columns, which are keys of the json otherwise."""
OWN, REPEATED = "matched_texts", {"caption", "text"}
"""A key that only headtail's own shards have, and the keys under which their json repeats the text of the txt."""
MAX_TEXT_BYTES = 1 << 20
"""A longer text or json counts as damaged."""
MAX_KINDS = 1000
"""Names of further members of a sample are forgotten: a tar can hold any number of them for one sample."""
BATCH_SAMPLES = 10_000
BATCH_BYTES = 8 << 20
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)


@dataclass
class _Sample:
    key: str
    members: dict[str, bytes | None] = field(default_factory=dict)
    image: Member | None = None
    sha256: str = ""


class ShardReader:
    """Reads the samples of one shard; `drops` counts those without a whole image (no_image) or with a broken json.

    A sample whose json has no URL gets the first 24 hex digits of the SHA-256 of its image as its uid. `rules` is the
    version of the source's rules: by version 1 a byte order mark belongs to the text.
    """

    def __init__(self, file: BinaryIO, log: ReadLog, columns: TableColumns, rules: int = 2) -> None:
        self._file, self._log, self._columns, self._rules = file, log, columns, rules
        texts, carried = ({column for _, column in each} for each in (columns.texts, columns.carry))
        self._repeated = (texts - carried) & REPEATED if TEXT in texts else set()
        self._rows: list[list[Any]] = []
        self._held_bytes = 0
        self._json_seen = False
        self.counts: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.crawl = ""

    def __iter__(self) -> Iterator[Links]:
        sample: _Sample | None = None
        for member in read_members(self._file, self._log):
            named = _NAME.fullmatch(member.name) if member else None
            if member and not named:
                self.counts["other_members"] += 1
                continue
            key, kind = (named[1], named[2].lower()) if named else ("", "")
            if sample and (key != sample.key or kind in sample.members):
                self._take(sample, cut_off=member is None)
                sample = None
            if member:
                sample = sample or _Sample(key)
                _read(sample, member, kind)
            if len(self._rows) >= BATCH_SAMPLES or self._held_bytes >= BATCH_BYTES:
                yield from self._batch()
        if sample:
            self._take(sample, cut_off=False)
        yield from self._batch()

    def _take(self, sample: _Sample, cut_off: bool) -> None:
        """Hold the row of a sample, or count why there is none; `cut_off` if there was damage behind its members."""
        self.counts["records_read"] += 1
        self._log.clock.start()
        fields = self._log.try_record(partial(self._fields, sample, cut_off), None)
        if fields is None:
            self.drops["bad_sample"] += 1
        elif sample.image is None:
            self.drops["no_image"] += 1
        else:
            values = self._log.try_record(partial(self._values, fields), None)
            if values is None:
                self.drops["bad_sample"] += 1
                return
            self._rows.append([*values, sample.image.offset, sample.image.size, sample.sha256])
            self._held_bytes += sum(len(data) for data in sample.members.values() if data)

    def _values(self, fields: dict[str, Any]) -> list[Any]:
        """Return the values of `TableColumns.fields`."""
        values = [fields.get(name) for name in self._columns.fields]
        carried = 1 + len(self._columns.texts)
        url = None if isinstance(values[0], list) else values[0]
        return [*map(text_or_list, [url, *values[1:carried]]), *map(carried_text, values[carried:])]

    def _fields(self, sample: _Sample, cut_off: bool) -> dict[str, Any] | None:
        """Return the values by column; None where damage may have hidden the URL of the image."""
        if "json" not in sample.members and not (cut_off and self._json_seen):
            fields = {}
        else:
            fields = decode_json(sample.members.get("json") or b"")
            self._json_seen = True
        if not isinstance(fields, dict):
            return None
        if TEXT not in sample.members:
            return fields
        text = sample.members[TEXT]
        if text is None:
            return None
        caption = text.decode(encoding_of(text) if self._rules > 1 else "utf-8", "replace")
        if OWN in fields:  # one text, which counts once and has the key of the txt
            fields = {name: value for name, value in fields.items() if name not in self._repeated or value != caption}
        return fields | {TEXT: caption}

    def _batch(self) -> Iterator[Links]:
        """Yield the links of the rows that are held."""
        rows, self._rows, self._held_bytes = self._rows, [], 0
        for links, drops in self._log.try_rows(rows, self._links, _halves, self._count_lost):
            self.drops.update(drops)
            yield from links

    def _links(self, rows: list[list[Any]]) -> tuple[list[Links], Counter[str]]:
        """Return the links of rows, and the rows that are dropped."""
        drops: Counter[str] = Counter()
        fields = self._columns.fields
        columns = list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in range(len(fields) + 3)]
        *values, offsets, sizes, digests = columns
        url, texts, carried, lang = self._columns.parts(values)
        digests = pa.array(digests, pa.string())
        carry = {key: strings_of(column) for (key, _), column in zip(self._columns.carry, carried, strict=True)}
        carry |= {"image_offset": pa.array(offsets, pa.int64()), "image_bytes": pa.array(sizes, pa.int64())}
        carry["image_sha256"] = digests
        links = links_of(
            texts_of(url).values,
            {key: texts_of(column) for (key, _), column in zip(self._columns.texts, texts, strict=True)},
            carry,
            drops,
            pc.utf8_slice_codeunits(digests, 0, UID_CHARS),
            None if lang is None else strings_of(lang),
        )
        return list(links), drops

    def _count_lost(self, rows: list[list[Any]]) -> None:
        self.drops["reader_error"] += len(rows)


def _halves(rows: list[list[Any]]) -> list[list[list[Any]]]:
    middle = len(rows) // 2
    return [rows[:middle], rows[middle:]] if middle else [rows]


def _read(sample: _Sample, member: Member, kind: str) -> None:
    """Read the data of a text or json, and the hash of an image."""
    if kind in (TEXT, "json"):
        sample.members[kind] = member.read(MAX_TEXT_BYTES)
        return
    if kind not in IMAGES and len(sample.members) >= MAX_KINDS:
        return
    sample.members[kind] = b""
    if kind in IMAGES and sample.image is None:
        digest = hashlib.sha256()
        for chunk in member.chunks():
            digest.update(chunk)
        if member.is_whole and member.size:
            sample.image, sample.sha256 = member, digest.hexdigest()
