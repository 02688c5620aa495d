"""The table of hosts: what each host that is to be asked for images forbids in its robots.txt and ai.txt.

The hosts of all download lists are asked once, each by one task (`slice_hosts`, `ask_hosts`). What they forbid goes
back to the lists in slices for groups of ranges, so a list reads the rules of few other hosts (`read_hosts`).
"""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.amounts import counted
from curation.core.choices import Obey
from curation.core.draws import hash64
from curation.core.errors import HeadtailError, host_name
from curation.core.exchange import SUFFIX, read_slices, write_slices
from curation.core.parquet_sink import ParquetSink
from curation.core.parts import Part
from curation.core.receipts import Receipt, written_receipt
from curation.core.recipes import Recipe
from curation.core.schemas import HOSTS
from curation.core.tables import Table
from curation.images.download_rows import DownloadTask, new_rows
from curation.images.fetch import Fetched, Fetcher, FetchSettings
from curation.images.host_rules import FILES, UNREACHED, failure_of, origin_of
from curation.images.preflight import MIN_JUDGED
from curation.images.ranges import Ranges, top_bits
from curation.images.robots import read_rules
from curation.images.status import receipt_path

STAGE = "ask_hosts"
LOGIC_VERSION = 1
MAX_BYTES = 4 << 20
"""A larger file is not read; of a smaller one its beginning (robots.MAX_TEXT)."""
_RECIPE = "_recipe.json"
_SLICES = pa.schema([("origin", pa.string()), ("group", pa.int32())])


@dataclass(frozen=True)
class SliceHostsTask:
    """The new images of a download list, whose hosts are written to the slice file `output`; `group` is the list's."""

    download: DownloadTask
    group: int
    output: str


@dataclass(frozen=True)
class AskHostsTask:
    """A slice of the hosts to ask. `origins` is the folder of slices; `output` and `rules` are the files to write."""

    number: int
    origins: str
    rules: str
    output: str


class HostPlan:
    """The plan of the table `hosts` for download lists: its recipe, its folders, and the tasks that make it."""

    def __init__(self, path: str, lists: Part, settings: FetchSettings, ranges: Ranges) -> None:
        self._table, self._ranges = Table(path, HOSTS), ranges
        files = sorted(file.value for file in FILES if file in settings.obey)
        compared = {"obey": files, "user_agent_token": settings.user_agent_token}
        self._recipe = Recipe(STAGE, LOGIC_VERSION, compared, [lists.input()])
        self.folder = self._table.part_path(0)
        self._origins, self.rules = storage.join(self.folder, "_origins"), storage.join(self.folder, "_rules")

    def finished(self) -> Part | None:
        """Return the table that an earlier run made for the same lists, if it exists."""
        return self._table.done(self._recipe)

    def begin(self, retry_failed: bool) -> None:
        """Empty the folder of the table, unless a stopped run began the same table there, for the same images."""
        path = storage.join(self.folder, _RECIPE)
        begun = storage.read_json(path) if storage.exists(path) and self._table.parts() == [] else {}
        begins = {"id": self._recipe.id, "retry_failed": retry_failed}
        if {name: begun.get(name) for name in begins} != begins:
            self._table.begin(0)
            storage.write_json(path, {**asdict(self._recipe), **begins})

    def slice_tasks(self, downloads: Sequence[DownloadTask]) -> list[SliceHostsTask]:
        """Return a task for `slice_hosts` per download list."""
        tasks = []
        for download in downloads:
            number = int(download.list_path[-len("000000.parquet") : -len(".parquet")])
            group = number * self._ranges.groups // self._ranges.count
            tasks.append(SliceHostsTask(download, group, storage.join(self._origins, f"{number:06d}{SUFFIX}")))
        return tasks

    def ask_tasks(self) -> list[AskHostsTask]:
        """Return a task for `ask_hosts` per slice of the hosts; there are as many slices as groups of ranges."""
        return [
            AskHostsTask(
                number,
                self._origins,
                storage.join(self.rules, f"{number:06d}{SUFFIX}"),
                storage.join(self.folder, f"hosts-{number:06d}.parquet"),
            )
            for number in range(self._ranges.groups)
        ]

    def commit(self, asked: Sequence[Receipt], seconds: float) -> Part:
        """Delete the slices and make the table exist."""
        storage.remove(self._origins)
        return self._table.commit(0, self._recipe, asked, seconds)

    def with_rules(self, tasks: Sequence[DownloadTask]) -> list[DownloadTask]:
        """Return the download tasks with their part of the rules."""
        groups = [task.group for task in self.slice_tasks(tasks)]
        return [replace(task, rules=self.rules, group=group) for task, group in zip(tasks, groups, strict=True)]


def slice_hosts(task: SliceHostsTask, groups: int, retry_failed: bool) -> Receipt:
    """Write the distinct hosts of the images that a download list has to fetch, in slices by a hash of the host."""
    rows = new_rows(task.download, retry_failed)
    urls = rows["url"] if rows.num_rows else pa.chunked_array([], pa.string())
    if "image_file" in rows.column_names:
        urls = rows.filter(pc.is_null(rows["image_file"]))["url"]
    origins = pa.array(sorted({origin for url in urls.to_pylist() if (origin := origin_of(url))}), pa.string())
    table = pa.table([origins, pa.array(np.full(len(origins), task.group, np.int32))], schema=_SLICES)
    write_slices(task.output, table, top_bits(hash64(0, "host", origins), groups), groups)
    return Receipt(task.output, rows_in=len(origins), rows_out=len(origins))


def ask_hosts(
    task: AskHostsTask, settings: FetchSettings, threads: int, groups: int, detect_outage: bool = False
) -> Receipt:
    """Ask each host of a slice for its files, and write a row per host, sorted by origin.

    The rules of hosts that forbid something, and those whose robots.txt could not be had, go to the slices of the
    groups that have images there. The receipt is written last; a task that has one is done. Its facts count the hosts
    that forbid something (`forbidding`) and those whose robots.txt could not be had (`failed`). With `detect_outage`,
    raises HeadtailError if none of MIN_JUDGED hosts or more answers, so that Spark asks another machine.
    """
    if done := written_receipt(receipt_path(task.output)):
        return done.moved_to(task.output.rpartition("/")[0])
    start = time.monotonic()
    given = read_slices(task.origins, task.number)
    origins = sorted(set(given["origin"].to_pylist()))
    receipt = Receipt(task.output, rows_in=len(origins))
    plain = replace(settings, max_bytes=MAX_BYTES, opt_out=(), obey=())
    with Fetcher(plain, threads, accept="text/plain,*/*;q=0.5") as fetcher, ThreadPoolExecutor(threads) as pool:
        rows = list(pool.map(partial(_ask, fetcher, [file for file in FILES if file in settings.obey]), origins))
    answers = {row.get(file.value) for row in rows for file in FILES} - {None}
    if detect_outage and len(rows) >= MIN_JUDGED and answers <= UNREACHED:
        raise HeadtailError(
            f"{host_name()} reached none of {counted(len(rows), 'hosts')}: is it cut off from the network? "
            "download.min_success_share=0 accepts the result"
        )
    table = pa.Table.from_pylist(rows, HOSTS)
    with ParquetSink(task.output, HOSTS) as sink:
        for batch in table.to_batches():
            sink.write(batch)
    receipt.outputs.append(sink.output())
    receipt.rows_out = sink.rows
    told = [index for index, row in enumerate(rows) if _restricts(row)]
    receipt.facts["forbidding"] = sum(_has_rules(row) for row in rows)
    receipt.facts["failed"] = sum(failure_of(row) is not None for row in rows)
    places = pc.index_in(given["origin"], pa.array([origins[index] for index in told], pa.string())).combine_chunks()
    needed = pc.is_valid(places)
    back = table.take(pa.array(told, pa.int64())).take(places.filter(needed))
    receivers = given["group"].combine_chunks().filter(needed).to_numpy()
    write_slices(task.rules, back, receivers, groups)
    receipt.seconds = time.monotonic() - start
    storage.write_bytes(receipt_path(task.output), receipt.check().to_json().encode())
    return receipt


def _ask(fetcher: Fetcher, files: Collection[Obey], origin: str) -> dict:
    """Return the row of a host."""
    row: dict = {"origin": origin}
    for file in files:
        fetched = fetcher.fetch(f"{origin}/{FILES[file]}")
        row[file.value] = _status(fetched)
        if fetched.body is not None:
            with fetched.body as body:
                row[f"{file.value}_rules"] = list(read_rules(body.read(MAX_BYTES), fetcher.settings.user_agent_token))
    return row


def _status(fetched: Fetched) -> str:
    refused = fetched.status == "http_error" and not 400 <= (fetched.http_status or 0) < 500
    return "busy" if refused else fetched.status


def _has_rules(row: dict) -> bool:
    return any(row.get(f"{file.value}_rules") for file in FILES)


def _restricts(row: dict) -> bool:
    return _has_rules(row) or failure_of(row) is not None
