"""Fences: tokens that stop a replaced run, or a machine without the shared folder, from writing."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from curation.core import storage
from curation.core.errors import HeadtailError, host_name

WRITER = ".writer"


class Fence:
    """A hidden file with the token of the only writer of a folder: one list of tasks, or one attempt at a task.

    A new run replaces the token. A task checks the token when it starts and before each rename, so an orphaned
    executor cannot publish files, and of two attempts at a task only the later one publishes. A race of microseconds
    remains between the check and the rename.

    with Fence(join(folder, WRITER)) as fence:   # on the driver
        with fence.held(): ...                   # in a task, which receives the fence pickled
    """

    def __init__(self, path: str) -> None:
        self.path, self.token = path, uuid.uuid4().hex

    def __enter__(self) -> Self:
        storage.write_bytes(self.path, self.token.encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file; raises HeadtailError if another run has replaced the token."""
        mine = self._current_token() == self.token
        if mine:
            storage.remove(self.path)
        elif not kind:
            raise HeadtailError(self._replaced())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Check the token now and before each rename in the block.

        Raises HeadtailError if another run has replaced the token, or if this machine does not see the file.
        """
        if self._current_token() is None:
            absolute = self.path.startswith("/") or "://" in self.path
            raise HeadtailError(
                f"{host_name()} does not see {self.path}, which the driver has written: inputs and outputs must lie on "
                "storage that all machines share"
                + ("" if absolute else "; workers start in folders of their own, so give whole paths: output=/...")
            )
        self.check()
        with storage.before_renaming(self.check):
            yield

    def check(self) -> None:
        """Raise HeadtailError if another run has replaced the token."""
        if self._current_token() != self.token:
            raise HeadtailError(self._replaced())

    def _replaced(self) -> str:
        folder = self.path.rsplit("/", 1)[0]
        return f"another run has started to write to {folder}: this run stops"

    def _current_token(self) -> str | None:
        fs, inner = storage.filesystem(self.path)
        try:
            return fs.cat_file(inner).decode()
        except FileNotFoundError:
            return None
