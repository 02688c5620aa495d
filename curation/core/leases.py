"""Leases: one run at a time writes to a folder.

A job takes the lease of each folder that it writes before it reads anything there, and renews it every ten seconds. A
second run is refused while the first one lives. On one machine, the owner's process tells whether it lives. Elsewhere
the lease does: if it does not change for as long as a new run watches it, its owner is dead. No clocks are compared.

Several runs may share a table that lies outside their own folders, and only read it. The lease of such a folder is
taken when a run has something to write there.

An owner that was thought dead may come back, for example after its machine has slept. It finds the lease of another run
and writes nothing more. Its tasks that are still at work are stopped by fences (fences.py).
"""

import errno
import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import sleep
from typing import Any, TypeVar, cast

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.lease_files import Lease, LeaseFile, read_lease
from curation.core.owners import Owner
from curation.core.progress import say

RENEWAL_SECONDS = 10.0
STALE_SECONDS = 30.0
"""An owner that could not renew its lease for so long looks at it before it writes."""
WATCH_SECONDS = 50.0
POLL_SECONDS = 2.0
SETTLE_SECONDS = 1.0
"""Some object stores let two runs write a lease at once; each looks again after this time, the last writer has it."""
NOT_WRITABLE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT))
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that goes on while the machine sleeps, where there is one."""
Run = TypeVar("Run", bound=Callable[..., None])
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


def writing(job: str, folders: Callable[[Any], Iterable[str]]) -> Callable[[Run], Run]:
    """Decorate the `run` of a job: it holds the leases of `folders(config)` while it runs.

    Folders outside `config.output` may be shared by several runs.
    """

    def decorate(run: Run) -> Run:
        @functools.wraps(run)
        def held(config: Any, *more: Any) -> None:
            own: list[str] = []
            shared: list[str] = []
            inside = f"{getattr(config, 'output', '').rstrip('/')}/"
            for folder in folders(config):
                (own if inside == "/" or folder.startswith(inside) else shared).append(folder)
            with hold_leases(job, own, shared):
                run(config, *more)

        return cast(Run, held)

    return decorate


@contextmanager
def hold_leases(job: str, folders: Iterable[str], shared: Iterable[str] = ()) -> Iterator[None]:
    """Hold the leases of folders; those of `shared` folders from the first file on that is written or deleted there.

    Leases that this run holds already, for a job that runs others, are left alone. Where nothing can be written, no
    lease is held: a job that has something to write there fails by itself, and a job whose work is done needs none.
    Raises HeadtailError if another run holds one of the leases, or takes one over.
    """
    before = _held.get()
    own, later = (
        {file.key: file for file in map(LeaseFile, each) if file.key not in before} for each in (folders, shared)
    )
    leases = Leases(job, list(later.values()))
    try:
        leases.take(list(own.values()))
        token = _held.set(before | own.keys() | later.keys())
        try:
            with storage.before_changing(leases.check), leases.renewed():
                yield
        finally:
            _held.reset(token)
    finally:
        leases.release()


class Leases:
    """The leases of some folders, all of one owner: this process. Those of `shared` folders are taken when needed."""

    def __init__(self, job: str, shared: list[LeaseFile]) -> None:
        self.owner = Owner.this_process(job)
        self._shared = shared
        self._taken: list[LeaseFile] = []
        self._renewals = 0
        self._renewed = time.clock_gettime(CLOCK)
        self._lost = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def take(self, files: Iterable[LeaseFile]) -> None:
        """Take leases, and wait at most a minute for owners elsewhere that may be dead.

        Raises HeadtailError if another owner lives, or has taken a lease in the meantime.
        """
        seen: dict[LeaseFile, bytes | None] = {}
        for file in files:
            with suppress(PermissionError):
                seen[file] = file.read()
        found = {file: content for file, content in seen.items() if content is not None}
        self._outwait({file: content for file, content in found.items() if not self._is_dead(file, content)})
        uncertain = [file for file, content in seen.items() if not self._put(file, content)]
        if uncertain:
            sleep(SETTLE_SECONDS)
        for file in uncertain:
            if not self._is_mine(content := file.read()):
                self._taken.remove(file)
                raise HeadtailError(_refusal(file, content))

    def _is_dead(self, file: LeaseFile, content: bytes) -> bool:
        """Return whether an owner on this machine is dead; raises HeadtailError if it lives. False: it is elsewhere."""
        lease = read_lease(content)
        if lease is None or not lease.owner.is_near:
            return False
        if lease.owner.is_running():
            raise HeadtailError(_refusal(file, content))
        return True

    def _outwait(self, elsewhere: dict[LeaseFile, bytes]) -> None:
        """Watch owners elsewhere by one lease each; raises HeadtailError if one is renewed, returns if none is."""
        watched = {_owner_text(content): (file, content) for file, content in elsewhere.items()}
        for text, (file, _) in list(watched.items())[:1]:
            say(self.owner.job, f"waits at most a minute to see whether {text} still writes to {file.folder}")
        for _ in range(round(WATCH_SECONDS / POLL_SECONDS)):
            if not watched:
                return
            sleep(POLL_SECONDS)
            for text, (file, before) in list(watched.items()):
                content = file.read()
                if content is None:
                    del watched[text]
                elif content != before:
                    raise HeadtailError(_refusal(file, content))

    def _put(self, file: LeaseFile, before: bytes | None) -> bool:
        """Write the lease over that of a dead owner, or a new one; return whether no other run can have it, too."""
        mine = Lease(self.owner)
        try:
            content = file.read()
            if content is not None and content != before:
                raise HeadtailError(_refusal(file, content))
            if content is None:
                certain = file.create(mine)
            else:
                file.replace(mine, content)
                certain = False
                if dead := read_lease(content):
                    file.sweep(dead.owner)
        except FileExistsError:
            raise HeadtailError(_refusal(file, file.read())) from None
        except OSError as error:
            file.sweep(self.owner)
            file.remove_folders()
            if not isinstance(error, PermissionError) and error.errno not in NOT_WRITABLE:
                raise
            return True
        with self._lock:
            self._taken.append(file)
        return certain

    def _is_mine(self, content: bytes | None) -> bool:
        lease = read_lease(content) if content is not None else None
        return lease is not None and lease.owner.id == self.owner.id

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the leases in a thread."""
        if not self._taken and not self._shared:
            yield
            return
        thread = threading.Thread(target=self._keep_renewing, daemon=True, name="leases")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _keep_renewing(self) -> None:
        while not self._ended.wait(RENEWAL_SECONDS) and not self._lost:
            # A store that fails for a while must not end the thread; `check` meets a failure that lasts.
            with suppress(OSError, HeadtailError):
                self.renew()
        if self._lost:
            say(self.owner.job, self._lost)

    def renew(self) -> None:
        """Write the leases again, unless they are another run's now."""
        with self._lock:
            self._renewals += 1
            for file in self._taken:
                if self._is_mine(content := file.read()):
                    try:
                        file.replace(Lease(self.owner, self._renewals), content)
                        continue
                    except FileExistsError:
                        content = file.read()
                if not self._is_mine(content):
                    self._lost = (
                        f"{_owner_text(content)} has taken over {file.folder}: this run stops"
                        if content is not None
                        else f"{file.path} is gone: this run stops, because another one may write to {file.folder}"
                    )
                    return
            self._renewed = time.clock_gettime(CLOCK)

    def check(self, path: str) -> None:
        """Take the lease of a shared folder before `path` in it is written or deleted.

        Raises HeadtailError if another run holds it, or has taken over a folder of this run.
        """
        if not self._lost and time.clock_gettime(CLOCK) - self._renewed > STALE_SECONDS:
            self.renew()
        if self._lost:
            raise HeadtailError(self._lost)
        for file in [each for each in self._shared if each.covers(path)]:
            self.take([file])
            self._shared.remove(file)

    def release(self) -> None:
        """Delete the leases that are still this owner's."""
        for file in reversed(self._taken):
            # A lease that stays because its store fails is that of a dead owner for the next run.
            with suppress(OSError, HeadtailError):
                file.remove(self.owner)
        self._taken = []


def _refusal(file: LeaseFile, content: bytes | None) -> str:
    return f"{_owner_text(content)} writes to {file.folder}: wait for its end, or stop it, and start again"


def _owner_text(content: bytes | None) -> str:
    lease = read_lease(content) if content is not None else None
    return f"another run ({lease.owner.describe()})" if lease else "another run"
