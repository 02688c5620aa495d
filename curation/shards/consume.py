"""Shards that consume the downloads: each file of images is deleted when no shard needs it any more.

The samples are cut into shards in their final order, so the shards that read a file have consecutive numbers. The task
that finishes the last of them deletes the file. A shard is finished when its receipt exists: a stopped run finds the
receipts, and the images of each shard that has none.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from curation.core import storage
from curation.core.cleaned import mark_cleaned
from curation.core.errors import HeadtailError
from curation.core.progress import say
from curation.core.receipts import Receipt
from curation.images.downloads import Downloads
from curation.images.status import images_path
from curation.shards.joined import Runner
from curation.shards.shard_set import STAGE
from curation.shards.write import ShardTask, write_shard

WARNING = (
    "keep_downloads=false deletes the images of downloads as shards are written. Shards with other settings, a larger "
    "t, a second balance and removals= then need all images fetched again; remove_samples still works"
)


@dataclass(frozen=True)
class Consumed:
    """A file of images, and the numbers of the first and the last shard that read it."""

    tar: str
    first: int
    last: int


@dataclass(frozen=True)
class ConsumingTask:
    """A shard to write, and the files of images that it reads."""

    shard: ShardTask
    consumed: tuple[Consumed, ...]


def write_set(
    run: Runner, tasks: Sequence[ShardTask], downloads: Downloads, recipe: str, keep_downloads: bool
) -> list[Receipt]:
    """Write the shards of a set; without `keep_downloads` they consume the downloads.

    `recipe` is the id of the set's recipe: no other shards can use the downloads from then on.
    """
    if keep_downloads:
        return run(write_shard, tasks)
    say(STAGE, WARNING)
    begin_consuming(downloads, recipe)
    receipts = run(write_and_consume, plan_consuming(tasks))
    end_consuming(downloads)
    return receipts


def plan_consuming(tasks: Sequence[ShardTask]) -> list[ConsumingTask]:
    """Return a task for `write_and_consume` for each shard, in order."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, task in enumerate(tasks):
        for tar in tars_of(task):
            first.setdefault(tar, number)
            last[tar] = number
    return [ConsumingTask(task, tuple(Consumed(tar, first[tar], last[tar]) for tar in tars_of(task))) for task in tasks]


def tars_of(task: ShardTask) -> list[str]:
    """Return the files of images that a shard reads, each once."""
    return list(dict.fromkeys(tar for piece in task.pieces for tar in piece.tars))


def write_and_consume(task: ConsumingTask) -> Receipt:
    """Write one shard, and delete the files of images that all shards have read.

    Of two tasks that finish neighbouring shards at the same time, each writes its receipt before it looks for the
    other's, so one of them at least finds both.
    """
    receipt = write_shard(task.shard)
    _flush((task.shard.tar, task.shard.sidecar, task.shard.receipt))
    for consumed in task.consumed:
        # The last shard first: it is the one that is most probably not written yet.
        numbers = range(consumed.last, consumed.first - 1, -1)
        if all(storage.exists(_receipt(task.shard, number)) for number in numbers):
            storage.remove(consumed.tar)
    return receipt


def _receipt(shard: ShardTask, number: int) -> str:
    """Return the path of the receipt of another shard of the set."""
    folder, _, name = shard.receipt.rpartition("/")
    digits = len(name.removesuffix(".json"))
    return storage.join(folder, f"{number:0{digits}d}.json")


def _flush(paths: Sequence[str]) -> None:
    """Wait until local files are on the disk: after a power cut, nothing else holds their images."""
    for path in paths:
        if storage.is_local(path):
            for opened in (path, os.path.dirname(path)):
                file = os.open(opened, os.O_RDONLY)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)


def check_images_left(tasks: Sequence[ShardTask], downloads: Downloads) -> None:
    """Raise HeadtailError if a shard that is not written yet lacks images, after a stopped run deleted some."""
    if not any(part.cleaned for part in downloads.parts()):
        return
    there = {
        storage.join(part.path, name)
        for part in downloads.parts()
        for name in storage.list_folder(part.path)
        if name.endswith(".tar")
    }
    folder = tasks[0].receipt.rpartition("/")[0] if tasks else ""
    written = set(storage.list_folder(folder)) if folder else set()
    for task in tasks:
        missing = [tar for tar in tars_of(task) if tar not in there]
        if missing and task.receipt.rpartition("/")[2] not in written:
            raise HeadtailError(
                f"{missing[0]} was deleted (keep_downloads=false), and {task.tar} is not written: delete "
                f"{downloads.path} and run download_images to fetch the images again"
            )


def begin_consuming(downloads: Downloads, recipe: str) -> None:
    """Note in the downloads that the shards with this recipe id consume them; no other shards can use them then."""
    for part in downloads.parts():
        mark_cleaned(part.path, f"{STAGE} with keep_downloads=false", recipe)


def end_consuming(downloads: Downloads) -> None:
    """Delete the files of images that no shard needed."""
    for part in downloads.parts():
        wanted = {images_path(file) for file in part.files}
        tars = [storage.join(part.path, name) for name in storage.list_folder(part.path) if name.endswith(".tar")]
        storage.remove_files([tar for tar in tars if tar in wanted])
