"""The worker of img2dataset, with our fetch, resizer and writer.

Of img2dataset one function is used: `Downloader.download_shard`. It is a loop. It reads URLs from an Arrow file,
fetches them in a thread pool, and passes one body after the other to a resizer and to a sample writer. A semaphore
bounds the bodies that wait to twice the number of threads.

The four functions that the loop calls are replaced:

* the fetch `download_image_with_retry`: it follows redirects to any address and bounds neither bytes nor total time;
* the resizer: it decodes an image before it looks at the size, and ignores the EXIF orientation;
* the sample writer: it writes files in the order in which images arrive, not in the final order;
* `write_stats`, which writes a JSON file of statistics: receipts hold ours.

The resizer and the writer are arguments of `Downloader`. The other two are globals of its module, so the
code object of `download_shard` runs with other globals. The code object is an implementation detail, so pyproject.toml
pins img2dataset to one minor version.

Only the file `img2dataset/downloader.py` is loaded, under a name of ours. `import img2dataset` would import its command
line too, and with it wandb, OpenCV, albumentations, pandas and SciPy: up to 118 MiB and 3 s for each process (Linux,
Python 3.11), and wandb leaves two temporary folders behind each worker of Spark.
"""

import functools
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

import pyarrow as pa

from curation.core.beats import moved
from curation.core.errors import HeadtailError
from curation.images.encoding import Encoded, ImageError, ImageSettings, encode_image
from curation.images.fetch import ERROR_CHARACTERS, Fetched

STOPPED = "stopped"
LOADED_AS = "headtail_img2dataset"
"""The name of the package whose only modules are img2dataset's downloader and our `logger`."""
Fetch = Callable[[int, str], Fetched]
"""Fetches the image of a row number and its URL; called by many threads."""


@dataclass
class Outcome:
    """The result of one image: how it was fetched and, if it was stored, its encoded form without the bytes.

    The stored bytes are `size` bytes of the spool from `spooled` on; `offset` is their place in the tar.
    """

    fetched: Fetched
    encoded: Encoded | None = None
    size: int = 0
    spooled: int = 0
    offset: int | None = None


class Spool:
    """A local file that takes encoded images in the order of their arrival."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file: BinaryIO = open(self._path, "wb")

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, data: bytes) -> int:
        """Write one image and return its offset."""
        offset = self._file.tell()
        self._file.write(data)
        return offset

    def open(self) -> BinaryIO:
        """Open the file for reading."""
        return open(self._path, "rb")


def run_worker(
    urls: pa.Array, fetch: Fetch, settings: ImageSettings, threads: int, spool: Spool, folder: str
) -> list[Outcome]:
    """Fetch URLs with `threads` threads, encode the images in this one, and append them to the spool.

    `folder` takes the file of URLs that the worker reads. Returns one outcome per URL, in their order. Raises
    HeadtailError if an image was fetched but could not be stored.
    """
    path = os.path.join(folder, "urls.arrow")
    table = pa.table({"url": urls})
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    ours = _Replacements(len(urls), settings, fetch, spool)
    _download_shard(ours, len(urls), threads, folder)((0, path))
    if ours.fault or None in ours.outcomes:
        raise HeadtailError(f"images could not be stored: {ours.fault or 'some have no outcome'}") from ours.fault
    return [outcome for outcome in ours.outcomes if outcome]


class _Replacements:
    """The fetch, the resizer and the sample writer that img2dataset's worker calls. They share the outcomes.

    `fault` is the first error of ours, such as a full disk. The worker would print it and go on; here the other images
    are skipped and the task fails.
    """

    def __init__(self, rows: int, settings: ImageSettings, fetch: Fetch, spool: Spool) -> None:
        self.outcomes: list[Outcome | None] = [None] * rows
        self.fault: BaseException | None = None
        self._settings, self._fetch, self._spool = settings, fetch, spool
        self._encoded: Encoded | None = None

    def fetch(self, row: tuple[int, str], **_: Any) -> tuple[int, IO[bytes] | None, str | None]:
        """Replace `download_image_with_retry`; many threads call it, once per row."""
        key, url = row
        try:
            if self.fault:
                return key, None, STOPPED
            fetched = self._fetch(key, url)
        except BaseException as error:
            # If it were raised, the pool would wait forever: for a thread that died, or for one at the semaphore.
            self.fault = self.fault or error
            return key, None, STOPPED
        body, fetched.body = fetched.body, None
        self.outcomes[key] = Outcome(fetched)
        return key, body, None if body is not None else fetched.status

    def resize(self, stream: IO[bytes], _boxes: object = None) -> tuple[Any, ...]:
        """Replace the resizer; the worker calls `write` next, for the same row."""
        self._encoded = None
        try:
            self._encoded = encoded = encode_image(stream.read(), self._settings)
        except ImageError as error:
            return None, None, None, None, None, f"{error.status}: {error}"[:ERROR_CHARACTERS]
        except BaseException as error:
            self.fault = self.fault or error
            raise
        return (
            encoded.data, encoded.width, encoded.height, encoded.original_width, encoded.original_height, None,
        )  # fmt: skip

    def write(self, data: bytes | None, key: str, _caption: object, meta: dict[str, Any]) -> None:
        """Replace the sample writer's `write`; `data` is None where an image was not fetched or not encoded."""
        if self.fault:
            return
        try:
            outcome = self.outcomes[int(key)]
            assert outcome is not None
            if data is not None and self._encoded is not None:
                outcome.encoded, outcome.size = self._encoded, len(data)
                outcome.spooled = self._spool.append(data)
                self._encoded.data = b""
            elif outcome.fetched.status == "success":
                outcome.fetched.status, _, outcome.fetched.error = meta["error_message"].partition(": ")
            moved(1, "" if outcome.fetched.status == "success" else outcome.fetched.status)
        except BaseException as error:
            self.fault = self.fault or error
            raise

    def close(self) -> None:
        """Replace the sample writer's `close`; the spool is closed by the task."""


def _download_shard(ours: _Replacements, count: int, threads: int, folder: str) -> Callable[[tuple[int, str]], None]:
    """Return img2dataset's `download_shard` with our functions in place of its own."""
    downloader = _downloader()
    worker = downloader.Downloader(
        sample_writer_class=lambda *_: ours, resizer=ours.resize, thread_count=threads, save_caption=False,
        extract_exif=False, output_folder=folder, column_list=["url"], timeout=None, number_sample_per_shard=count,
        oom_shard_count=1, compute_hash=None, verify_hash_type=None, encode_format="jpg", retries=0,
        user_agent_token=None, disallowed_header_directives=None,
    )  # fmt: skip
    scope = {**vars(downloader), "download_image_with_retry": ours.fetch}
    return types.MethodType(types.FunctionType(downloader.Downloader.download_shard.__code__, scope), worker)


class _NoStatistics:
    """Replaces the counter of img2dataset's `logger`: receipts hold our statistics."""

    def increment(self, status: str) -> None:
        """Count nothing."""


@functools.cache
def _downloader() -> types.ModuleType:
    """Load img2dataset's downloader when the first list is fetched, without the modules around it."""
    spec = importlib.util.find_spec("img2dataset")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise HeadtailError("img2dataset is not installed: install headtail again")
    package, logger = types.ModuleType(LOADED_AS), types.ModuleType(f"{LOADED_AS}.logger")
    package.__path__ = list(spec.submodule_search_locations)
    vars(logger).update(CappedCounter=_NoStatistics, write_stats=lambda *_: None)
    sys.modules |= {package.__name__: package, logger.__name__: logger}
    return importlib.import_module(f"{LOADED_AS}.downloader")
