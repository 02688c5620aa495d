"""Checks of finished shards: each problem that would crash, stall or mislead a trainer, or make it skip samples."""

import hashlib
import io
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from PIL import Image
from webdataset.tariterators import base_plus_ext, group_by_keys

from curation.core import storage
from curation.core.beats import watch
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.receipts import Receipt
from curation.core.run_folders import is_table
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_foreign_batches
from curation.images.as_seen import read_colour_key
from curation.images.encoding import KEPT_FORMATS, MAX_SCANS, has_many_scans
from curation.shards.cautions import count_image
from curation.shards.indexes import TarIndex, index_paths
from curation.shards.readers import IMAGES
from curation.shards.scores import score_columns
from curation.shards.traits import Traits
from curation.shards.write import shard_name
from curation.sources.archives import ReadLog
from curation.sources.tar_reader import read_members

MAX_PIXELS = 25_000_000
"""OpenCLIP skips larger images."""
MAX_MEMBER_BYTES = {"txt": 4 << 20, "json": 4 << 20} | dict.fromkeys(IMAGES, 64 << 20)
"""Maximum size of the members of a sample; members with other extensions are passed over, whatever their size."""
_META = re.compile(r"__[^/]*__($|/)")
"""Names of members that webdataset passes over."""
MAX_FAILURES = 20
"""Problems of one shard that the receipt lists; it counts all of them."""


@dataclass(frozen=True)
class CheckTask:
    """The paths of a tar and its side-car; its size in sizes.json and its SHA-256 in the manifest, None if unknown.

    `scores` are further columns of the side-car.
    """

    tar: str
    sidecar: str
    size: int | None
    sha256: str | None
    scores: tuple[str, ...] = ()


def plan_checks(folder: str) -> tuple[list[CheckTask], list[str]]:
    """Return a task for each tar of a folder, and the problems of the folder itself.

    Raises HeadtailError for a path that is no folder of shards, but plainly stands for one.
    """
    names = storage.list_folder(folder)
    _check_named(folder, names)
    tars = [name for name in names if name.endswith(".tar")]
    problems = [] if tars else ["there is no tar"]
    sizes = _read_object(folder, "sizes.json", problems)
    manifest = _read_object(folder, "_manifest.json", problems)
    listed = manifest.get("files", [])
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    digests = {str(entry.get("tar")): entry.get("tar_sha256") for entry in entries}
    expected = [f"{shard_name(number, len(tars))}.tar" for number in range(len(tars))]
    if tars != expected:
        odd = sorted(set(tars) ^ set(expected))
        problems.append(f"tars are not numbered without gaps: see {', '.join(odd[:5])}")
    if sizes and set(sizes) != set(tars):
        problems.append(f"sizes.json does not list the tars: see {', '.join(sorted(set(sizes) ^ set(tars))[:5])}")
    if manifest and set(digests) != set(tars):
        problems.append("_manifest.json does not list the tars")
    if odd := sorted(name for name, size in sizes.items() if not isinstance(size, int)):
        problems.append(f"sizes.json has no number of samples for {', '.join(odd[:5])}")
    tasks = []
    for name in tars:
        size, digest = sizes.get(name), digests.get(name)
        tasks.append(
            CheckTask(
                storage.join(folder, name),
                storage.join(folder, name.replace(".tar", ".parquet")),
                size if isinstance(size, int) else None,
                digest if digest is None else str(digest),
                score_columns(manifest),
            )
        )
    return tasks, problems


def _check_named(path: str, names: list[str]) -> None:
    """Raise HeadtailError for a single tar, the folder of a run, and a path where nothing is."""
    fs, inner = storage.filesystem(path)
    if not fs.exists(inner):
        raise HeadtailError(f"{path} does not exist: name a folder of shards")
    if fs.isfile(inner):
        folder = path.rstrip("/").rpartition("/")[0] or "."
        raise HeadtailError(f"{path} is one file: name the folder of the whole set of shards, such as {folder}")
    if any(name.endswith(".tar") for name in names):
        return
    for name in sorted(names, key=lambda name: name != "shards"):
        below = storage.join(path, name)
        if any(inside.endswith(".tar") for inside in storage.list_folder(below)):
            raise HeadtailError(f"{path} holds no tar itself, but its folder {name} does: name {below}")
        if is_table(below):
            raise HeadtailError(f"{path} is the folder of a run without shards: run write_shards first")


def _read_object(folder: str, name: str, problems: list[str]) -> dict[str, Any]:
    try:
        found = storage.read_json(storage.join(folder, name))
    except FileNotFoundError:
        problems.append(f"{name} is missing")
        return {}
    except (ValueError, RecursionError) as error:
        problems.append(f"{name} is not JSON: {error}")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{name} is no JSON object")
        return {}
    return found


def check_shard(task: CheckTask) -> Receipt:
    """Read one tar as OpenCLIP's loader does, and compare it with its side-car, sizes.json and the manifest.

    The rows of the receipt are samples; the reasons of its drops are problems of samples. Its failures are the first
    problems of samples and of the shard itself. Its output holds the traits of the shard.
    """
    receipt = Receipt(task.tar)
    watch(receipt)
    keys: list[str] = []
    index, traits = TarIndex(), Traits()
    with storage.open_input(task.tar) as file:
        digest = _Digest(file)
        try:
            for sample in _samples(task.tar, digest, receipt, index):
                keys.append(sample["__key__"])
                receipt.rows_in += 1
                traits.count(sample)
                if problem := sample_problem(sample, receipt.facts):
                    receipt.drops[problem.split(":")[0]] += 1
                    _add_problem(receipt, f"{sample['__key__']}: {problem}")
                else:
                    receipt.rows_out += 1
            digest.finish()
        except Exception as error:
            refuse_outage(error)
            # webdataset and tarfile raise errors of any kind; a trainer's loader would crash or skip the rest.
            _add_problem(receipt, f"the tar breaks off after {len(keys)} samples: {type(error).__name__}: {error}")
    for problem in (*_shard_problems(task, keys, digest), *_index_problems(task, index)):
        _add_problem(receipt, problem)
    receipt.outputs.append({"tar": task.tar.rsplit("/", 1)[-1], "traits": traits.to_json()})
    return receipt


class _Digest(io.RawIOBase):
    """A stream that hashes the bytes that are read, and keeps the last 1,024: a complete tar ends in zeros."""

    def __init__(self, file: Any) -> None:
        self._file, self._hash, self.tail = file, hashlib.sha256(), b""

    def seek(self, offset: int, _whence: int = io.SEEK_SET) -> int:
        """Go back to the start, where hashing begins anew."""
        self._hash, self.tail = hashlib.sha256(), b""
        return self._file.seek(offset)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.tail = (self.tail + data)[-1024:] if data else self.tail
        return data

    def finish(self) -> None:
        """Read the rest: the tar reader does not read the padding."""
        while self.read(1 << 20):
            pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _samples(path: str, stream: Any, receipt: Receipt, index: TarIndex) -> Iterator[dict[str, Any]]:
    """Yield samples as webdataset groups them; OpenCLIP does the same, but ignores errors."""
    return group_by_keys(_members(path, stream, receipt, index), handler=_raise)


def _members(path: str, stream: Any, receipt: Receipt, index: TarIndex) -> Iterator[dict[str, Any]]:
    """Yield the members of a tar as webdataset does; raises ValueError for damage and sparse members."""
    log = ReadLog()
    for member in read_members(stream, log):
        if member is None:
            raise ValueError(log.faults[-1][1])
        index.add(member.name, member.size)
        if _META.match(member.name):
            continue
        limit = MAX_MEMBER_BYTES.get((base_plus_ext(member.name)[1] or "").lower(), 0)
        if limit and member.size > limit:
            _add_problem(receipt, f"{member.name[:100]}: {member.size:,} bytes, more than {limit:,}")
        # An empty image or text is a problem of its sample.
        yield {"fname": member.name, "data": member.read(limit) or b"", "__url__": path}


def _raise(error: Exception) -> bool:
    raise error


def sample_problem(sample: dict[str, Any], facts: Counter[str]) -> str:
    """Return the problem of a sample as `kind` or `kind: detail`; empty: it has none.

    What may mislead a reader of an image, but no trainer stumbles on, is counted into `facts` (cautions.py).
    """
    extension = next((ext for ext in IMAGES if ext in sample), "")
    image = sample.get(extension)
    if not image:
        return "no_image"
    if not sample.get("txt"):
        return "no_txt"
    if "." in sample["__key__"] or "/" in sample["__key__"]:
        return "bad_key"
    try:
        text = sample["txt"].decode()
        meta = json.loads(sample["json"]) if "json" in sample else None
    except (ValueError, RecursionError) as error:
        return f"bad_text: {error}"
    if not isinstance(meta, dict):
        return "no_json"
    if meta.get("uid") != sample["__key__"] or meta.get("text") != text or meta.get("caption", text) != text:
        return "json_differs: uid, text or caption is not that of the sample"
    try:
        # Other formats are refused: trainers would open them, and EPS runs a program.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = Image.open(io.BytesIO(image), formats=tuple(KEPT_FORMATS))
        with opened:
            size = opened.size
            if size[0] * size[1] > MAX_PIXELS:
                return f"too_many_pixels: {size[0]} x {size[1]}"
            if opened.format in ("JPEG", "MPO") and has_many_scans(image):
                return f"undecodable: more than {MAX_SCANS} scans"
            read_colour_key(opened)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about palettes with transparency
                opened.convert("RGB")
                count_image(extension, opened, facts)
    except Image.DecompressionBombError as error:
        return f"too_many_pixels: {error}"
    except Exception as error:
        # Decoders raise errors of any kind for damaged files.
        return f"undecodable: {type(error).__name__}: {error}"
    if size != (meta.get("width"), meta.get("height")):
        return "json_differs: width or height is not the image's"
    return ""


def _shard_problems(task: CheckTask, keys: list[str], digest: _Digest) -> Iterator[str]:
    if digest.tail != bytes(1024):
        yield "the tar does not end in two empty blocks"
    if task.size is not None and task.size != len(keys):
        yield f"sizes.json says {task.size} samples, the tar has {len(keys)}"
    if task.sha256 is not None and task.sha256 != digest.sha256:
        yield f"sha256 is {digest.sha256}, the manifest says {task.sha256}"
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        yield f"keys that are not unique: {', '.join(twice[:5])}"
    try:
        agrees = _lists(task.sidecar, keys, task.scores)
    except FileNotFoundError:
        yield "there is no side-car"
    except (OSError, ValueError, pa.ArrowException, HeadtailError) as error:
        refuse_outage(error)
        yield f"the side-car cannot be read: {error}"
    else:
        if not agrees:
            yield "the side-car does not list the samples of the tar"


def _index_problems(task: CheckTask, index: TarIndex) -> Iterator[str]:
    """Yield the indexes of headtail that are not those of their tar; sets of others may have other indexes."""
    if task.sha256 is None:
        return
    for path, made in zip(index_paths(task.tar), (index.dali, index.energon), strict=True):
        with suppress(FileNotFoundError), storage.open_input(path) as file:
            expected = made()
            if file.read(len(expected) + 1) != expected:
                yield f"{path.rsplit('/', 1)[-1]} is not the index of this tar"


def _lists(sidecar: str, keys: list[str], scores: tuple[str, ...]) -> bool:
    """Return whether a side-car lists these samples in this order."""
    at = 0
    for batch in read_foreign_batches(sidecar, SAMPLES, ["uid"], 10_000, scores):
        uids = batch["uid"].to_pylist()
        if uids != keys[at : at + len(uids)]:
            return False
        at += len(uids)
    return at == len(keys)


def _add_problem(receipt: Receipt, problem: str) -> None:
    receipt.facts["problems"] += 1
    if len(receipt.failures) < MAX_FAILURES:
        receipt.failures.append({"file": receipt.task, "offset": None, "error": problem[:300], "records_read": None})
