"""Checks of finished shards: each problem that would crash, stall or mislead a trainer, or make it skip samples."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from PIL import Image
from webdataset.tariterators import group_by_keys, tar_file_expander

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.schemas import SAMPLES
from curation.core.table_reader import read_rows
from curation.shards.write import shard_name

IMAGE_EXTENSIONS = ("jpg", "png", "jpeg", "webp")
"""In the order in which OpenCLIP looks for the image of a sample."""
MAX_PIXELS = 25_000_000
"""OpenCLIP skips larger images."""
MAX_FAILURES = 20
"""Problems of one shard that the receipt lists; it counts all of them."""


@dataclass(frozen=True)
class CheckTask:
    """The paths of a tar and its side-car; its size in sizes.json and its SHA-256 in the manifest, None if unknown."""

    tar: str
    sidecar: str
    size: int | None
    sha256: str | None


def plan_checks(folder: str) -> tuple[list[CheckTask], list[str]]:
    """Return a task for each tar of a folder, and the problems of the folder itself."""
    names = storage.list_folder(folder)
    tars = [name for name in names if name.endswith(".tar")]
    problems = [] if tars else ["there is no tar"]
    sizes = _read_object(folder, "sizes.json", problems)
    manifest = _read_object(folder, "_manifest.json", problems)
    digests = {entry.get("tar"): entry.get("tar_sha256") for entry in manifest.get("files", [])}
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
            )
        )
    return tasks, problems


def _read_object(folder: str, name: str, problems: list[str]) -> dict[str, Any]:
    try:
        found = storage.read_json(storage.join(folder, name))
    except FileNotFoundError:
        problems.append(f"{name} is missing")
        return {}
    except ValueError as error:
        problems.append(f"{name} is not JSON: {error}")
        return {}
    if not isinstance(found, dict):
        problems.append(f"{name} is no JSON object")
        return {}
    return found


def check_shard(task: CheckTask) -> Receipt:
    """Read one tar as OpenCLIP's loader does, and compare it with its side-car, sizes.json and the manifest.

    The rows of the receipt are samples; the reasons of its drops are problems of samples. Its failures are the first
    problems of samples and of the shard itself.
    """
    receipt = Receipt(task.tar)
    keys: list[str] = []
    with storage.open_input(task.tar) as file:
        digest = _Digest(file)
        try:
            for sample in _samples(task.tar, digest):
                keys.append(sample["__key__"])
                receipt.rows_in += 1
                if problem := sample_problem(sample):
                    receipt.drops[problem.split(":")[0]] += 1
                    _add_problem(receipt, f"{sample['__key__']}: {problem}")
                else:
                    receipt.rows_out += 1
            digest.finish()
        except Exception as error:
            # webdataset and tarfile raise errors of any kind; a trainer's loader would crash or skip the rest.
            _add_problem(receipt, f"the tar breaks off after {len(keys)} samples: {type(error).__name__}: {error}")
    for problem in _shard_problems(task, keys, digest):
        _add_problem(receipt, problem)
    return receipt


class _Digest(io.RawIOBase):
    """A stream that hashes the bytes that are read, and keeps the last 1,024: a complete tar ends in zeros."""

    def __init__(self, file: Any) -> None:
        self._file, self._hash, self.tail = file, hashlib.sha256(), b""

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


def _samples(path: str, stream: io.RawIOBase) -> Iterator[dict[str, Any]]:
    """Yield samples as webdataset groups them; OpenCLIP does the same, but ignores errors."""
    return group_by_keys(tar_file_expander([{"url": path, "stream": stream}], handler=_raise), handler=_raise)


def _raise(error: Exception) -> bool:
    raise error


def sample_problem(sample: dict[str, Any]) -> str:
    """Return the problem of a sample as `kind` or `kind: detail`; empty: it has none."""
    image = next((sample[ext] for ext in IMAGE_EXTENSIONS if ext in sample), None)
    if not image:
        return "no_image"
    if not sample.get("txt"):
        return "no_txt"
    if "." in sample["__key__"] or "/" in sample["__key__"]:
        return "bad_key"
    try:
        text = sample["txt"].decode()
        meta = json.loads(sample["json"]) if "json" in sample else None
    except ValueError as error:
        return f"bad_text: {error}"
    if not isinstance(meta, dict):
        return "no_json"
    if meta.get("uid") != sample["__key__"] or meta.get("text") != text:
        return "json_differs: uid or text is not that of the sample"
    try:
        with Image.open(io.BytesIO(image)) as opened:
            size = opened.size
            opened.convert("RGB")
    except Exception as error:
        # Decoders raise errors of any kind for damaged files.
        return f"undecodable: {type(error).__name__}: {error}"
    if size[0] * size[1] > MAX_PIXELS:
        return f"too_many_pixels: {size[0]} x {size[1]}"
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
        listed = read_rows(task.sidecar, SAMPLES, ["uid"])["uid"].to_pylist()
    except FileNotFoundError:
        yield "there is no side-car"
    except (OSError, pa.ArrowException, HeadtailError) as error:
        yield f"the side-car cannot be read: {error}"
    else:
        if listed != keys:
            yield "the side-car does not list the samples of the tar"


def _add_problem(receipt: Receipt, problem: str) -> None:
    receipt.facts["problems"] += 1
    if len(receipt.failures) < MAX_FAILURES:
        receipt.failures.append({"file": receipt.task, "offset": None, "error": problem[:300], "records_read": None})
