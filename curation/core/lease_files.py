"""Lease files: the hidden file in a folder that names the process that writes there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import sleep
from typing import Any

import msgspec

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.owners import Owner
from curation.core.store_faults import ExpiredError, StoreError, store_line

LEASE = ".lease"
TRIES = 10
FIRST_PAUSE_SECONDS = 0.25
"""Pauses between the tries to change a file on a store; they double."""


@dataclass(frozen=True)
class Lease:
    """The content of a lease file: its owner, and how often the owner has renewed it."""

    owner: Owner
    renewals: int = 0

    def to_bytes(self) -> bytes:
        """Return the lease as JSON."""
        return msgspec.json.encode(self)


def read_lease(content: bytes) -> Lease | None:
    """Return the lease in the bytes of a lease file, None if they are damaged or of another version."""
    try:
        return msgspec.json.decode(content, type=Lease)
    except msgspec.MsgspecError:
        return None


class LeaseFile:
    """The lease file of a folder, on a local disk or an object store.

    It is written past the hooks of `storage`, which the holder of a lease sets. Folders that `create` makes are removed
    again by `remove` if nothing else is in them.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/")
        self.path = storage.join(self.folder, LEASE)
        self._fs, self._inner = storage.filesystem(self.path)
        self._local = storage.is_local(self.path)
        self._made: list[str] = []
        self._etag = ""

    @property
    def key(self) -> str:
        """The path within the file system, which is absolute on a local disk."""
        return self._inner

    def covers(self, path: str) -> bool:
        """Whether a path lies in the folder."""
        return storage.filesystem(path)[1].startswith(self._inner.removesuffix(LEASE))

    def read(self) -> bytes | None:
        """Return the content, None if there is no lease."""
        with self._errors():
            try:
                return self._fs.cat_file(self._inner)
            except FileNotFoundError:
                return None

    def create(self, lease: Lease) -> bool:
        """Write a new file; return whether it is certain that no other process wrote it at the same time.

        Raises FileExistsError if the file exists.
        """
        if not self._local:
            if self.read() is not None:
                raise FileExistsError(self.path)
            self._put(lease, None, mode="create")
            return False  # the store may be one that does not know conditions
        self._make_folder()
        temporary = self._write_temporary(lease)
        try:
            os.link(temporary, self._inner)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.exists(self._inner):
                raise FileExistsError(self.path) from None
            os.replace(temporary, self._inner)
            return False
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        return True

    def replace(self, lease: Lease, before: bytes | None) -> None:
        """Write the file, which holds `before`; raises FileExistsError if a store finds another content there."""
        if self._local:
            os.replace(self._write_temporary(lease), self._inner)
        else:
            self._put(lease, before)

    def _put(self, lease: Lease, before: bytes | None, **condition: str) -> None:
        """Write the file to a store: by a condition if the last content is this object's, or there is none."""
        data = lease.to_bytes()
        once = {"once": True} if hasattr(self._fs, "rm_once") else {}

        def send(**conditions: str) -> None:
            answer = self._fs.pipe_file(self._inner, data, **conditions, **once)
            self._etag = answer.get("ETag", "") if isinstance(answer, dict) else ""

        self._send(lambda: self._ask(send, condition), before, data)

    def _ask(self, send: Callable[..., None], condition: dict[str, str]) -> None:
        """Send a request by a condition, and that the last content is this object's; without, if the store knows none.

        Raises FileExistsError if the condition fails.
        """
        mine = {"IfMatch": self._etag} if self._etag else {}
        self._etag = ""
        try:
            send(**condition, **mine)
        except OSError as error:
            told = str(error.__cause__)
            if "PreconditionFailed" in told or (mine and isinstance(error, FileNotFoundError)):
                raise FileExistsError(self.path) from error
            if "NotImplemented" not in told:
                raise
            send()

    def _send(self, request: Callable[[], Any], before: bytes | None, after: bytes | None) -> None:
        """Send a request that changes the content from `before` to `after`; each try is one request.

        The file is read again before a further try: the last one may be done, its answer lost, and another run may have
        written since. Raises FileExistsError then.
        """
        with self._errors():
            for pause in [FIRST_PAUSE_SECONDS * 2**number for number in range(TRIES)]:
                try:
                    request()
                    return
                except (StoreError, ExpiredError, FileExistsError) as error:
                    last = error
                if (found := self.read()) == after:
                    return
                if found != before:
                    raise FileExistsError(self.path)
                sleep(pause)
            raise last

    def remove(self, owner: Owner) -> None:
        """Delete the file if it is of this owner, and the folders that were made for it if they are empty."""
        content = self.read()
        lease = read_lease(content) if content is not None else None
        if lease is None or lease.owner.id != owner.id:
            return
        remove = getattr(self._fs, "rm_once", self._fs.rm_file)

        def send(**conditions: str) -> None:
            with suppress(FileNotFoundError):
                remove(self._inner, **conditions)

        with suppress(FileExistsError):
            self._send(lambda: self._ask(send, {}), content, None)
        self.sweep(owner)
        self.remove_folders()

    def sweep(self, owner: Owner) -> None:
        """Delete what an owner that was killed, or met a full disk, may have left beside the file."""
        if self._local:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary(owner))

    def remove_folders(self) -> None:
        """Delete the folders that were made for the file, as far as they are empty."""
        with suppress(OSError):
            while self._made:
                os.rmdir(self._made.pop())

    def _make_folder(self) -> None:
        folder = os.path.dirname(self._inner)
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(path)
                self._made.append(path)

    def _temporary(self, owner: Owner) -> str:
        # Two containers may have processes of the same number, so the name holds the owner's id.
        return f"{self._inner}.{owner.id}{storage.TEMPORARY}"

    def _write_temporary(self, lease: Lease) -> str:
        temporary = self._temporary(lease.owner)
        with open(temporary, "wb") as file:
            file.write(lease.to_bytes())
        return temporary

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of an object store's client, which are of many types, into a HeadtailError."""
        try:
            yield
        except Exception as error:
            if self._local or isinstance(error, (HeadtailError, PermissionError, FileExistsError)):
                raise
            line = store_line(error, self.path) or f"{self.path} cannot be used: {type(error).__name__}: {error}"
            raise HeadtailError(line) from error
