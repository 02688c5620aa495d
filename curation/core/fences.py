"""Who may write to a folder: not a run that another has replaced, nor a machine that does not share the folder."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from curation.core import storage
from curation.core.errors import HeadtailError, host_name

WRITER = ".writer"


class Fence:
    """A hidden file that names who may write beside it, now: a list of tasks, or one attempt at a task.

    Who raises it replaces whoever did before. A holder looks at it at once, and again before each file that it gives
    its final name: what an executor that has lost its driver still has in hand comes to nothing, and of two attempts
    at a task only the later one writes. Between that look and the renaming there are microseconds.

    with Fence(join(folder, WRITER)) as fence:   # on the driver
        with fence.held(): ...                   # in a task, which gets it pickled
    """

    def __init__(self, path: str) -> None:
        self.path, self.token = path, uuid.uuid4().hex

    def __enter__(self) -> Self:
        storage.write_bytes(self.path, self.token.encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the file away; raises HeadtailError if another had been raised in its place."""
        mine = self._names() == self.token
        if mine:
            storage.remove(self.path)
        elif not kind:
            raise HeadtailError(self._replaced())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Refuse to write where another has taken over; raises HeadtailError, too, if this machine sees no fence."""
        if self._names() is None:
            raise HeadtailError(
                f"{host_name()} does not see {self.path}, which the driver has written: what jobs read and write must "
                "lie on storage that all machines share"
            )
        self.check()
        with storage.before_renaming(self.check):
            yield

    def check(self) -> None:
        """Raise HeadtailError if another has taken over."""
        if self._names() != self.token:
            raise HeadtailError(self._replaced())

    def _replaced(self) -> str:
        folder = self.path.rsplit("/", 1)[0]
        return f"another run has begun to write to {folder}: this one stops"

    def _names(self) -> str | None:
        fs, inner = storage.filesystem(self.path)
        try:
            return fs.cat_file(inner).decode()
        except FileNotFoundError:
            return None
