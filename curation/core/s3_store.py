"""The client of S3: s3fs with one policy for requests that fail.

s3fs and botocore below it try again, too, but each for itself: together 25 times, within half a minute, without a word,
and with the credentials that have expired. Both are switched off here. Each request, with the body of its answer, is
tried by the policy of this module, which is told in lines (fault_lines.py) and ends in one.
"""

import asyncio
import errno
import hashlib
import random
import time
from contextlib import suppress
from typing import Any

import aiobotocore.session
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem

from curation.core.amounts import counted, duration
from curation.core.fault_lines import FaultLines
from curation.core.s3_faults import PASSING_CODES, SILENT_STATUS, Fault, Kind, answer_of, fault_of, reason
from curation.core.store_faults import ExpiredError, StoreError

TRIES = 10
FIRST_PAUSE_SECONDS = 0.25
MAX_PAUSE_SECONDS = 60.0
JITTER = 0.5
"""Pauses double; all together they take about two minutes."""
MAX_SECONDS = 1200.0
"""No try begins later, however long the ones before took."""
FIXED = ("env", "explicit")
"""Where credentials come from that no file or server renews, as botocore names it."""
ANSWER_SECONDS = 60
SLOWEST_BYTES_PER_SECOND = 50_000
"""A try ends when nothing has come for so long, or when its bytes have moved more slowly than this."""
COMPLETE, COMPLETION_SECONDS = "complete_multipart_upload", 600
"""The store may take minutes to put an upload's parts together; meanwhile it sends blanks."""
FEW_TRIES = 4
"""Tries of a process that has never reached the store, because a wrong address must not cost minutes, or in which a
request was given up and none was answered since: a run that ends has many files to tidy up."""
_lines = FaultLines("store")


class S3Store(S3FileSystem):
    """S3, or a store that speaks its language; options and environment variables are those of s3fs and botocore.

    A request fails with StoreError when all tries are used up, and with ExpiredError if the credentials have expired
    and no newer ones are found. Answers are errors as s3fs raises them: FileNotFoundError, PermissionError.
    """

    retries = 1  # s3fs's own
    connect_timeout = 10
    read_timeout = ANSWER_SECONDS
    _reached = False
    _gave_up = False

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._renewing = asyncio.Lock()

    def _prepare_config_kwargs(self) -> dict[str, Any]:
        return {"retries": {"mode": "standard", "total_max_attempts": 1}, **super()._prepare_config_kwargs()}

    async def _call_s3(self, method: str, *akwarglist: Any, once: bool = False, **kwargs: Any) -> Any:
        """Send a request until it is answered, or `once`; the body of an object has then arrived."""
        path, start = _path(kwargs), time.monotonic()
        for attempt in range(1, TRIES + 1):
            client = await self.set_session()
            try:
                answer = await self._once(method, *akwarglist, **kwargs)
            except Exception as error:
                if attempt > 1 and method == COMPLETE and isinstance(error, FileNotFoundError):
                    return await self._completed(kwargs, error)
                fault = await self._fault(error, method, kwargs, client)
                if fault is None or (fault.kind is Kind.replaced and not await self._renew(client)):
                    if answer_of(error):
                        S3Store._reached, S3Store._gave_up = True, False
                    _name(error, path)
                    raise
                offline = fault.kind is Kind.unreached and not self._reached
                tries = min(TRIES, FEW_TRIES) if offline or self._gave_up else TRIES
                if fault.kind is Kind.expired and await self._has_fixed_keys():
                    tries = 1
                if once or attempt >= tries or time.monotonic() - start > MAX_SECONDS:
                    S3Store._gave_up = S3Store._gave_up or not once
                    raise _given_up(path, method, fault, attempt, time.monotonic() - start) from error
                if fault.kind in (Kind.expired, Kind.replaced) and await self._renew(client):
                    _tell(f"{fault.name}, newer credentials found", f"takes newer credentials for {path}: {fault}")
                    continue
                pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(1 - JITTER, 1 + JITTER)
                pause = min(pause, MAX_PAUSE_SECONDS)
                line = f"waits {pause:.1f} s for {path}: {fault} ({method}, try {attempt} of {tries})"
                _tell(f"{fault.name} ({method})", line)
                await asyncio.sleep(pause)
            else:
                S3Store._reached, S3Store._gave_up = True, False
                return answer
        raise AssertionError("unreachable")

    call_s3 = sync_wrapper(_call_s3)

    async def _once(self, method: str, *akwarglist: Any, **kwargs: Any) -> Any:
        request = super()._call_s3(method, *akwarglist, **kwargs)
        limit = COMPLETION_SECONDS if method == COMPLETE else _limit(len(kwargs.get("Body") or b""))
        answer = await asyncio.wait_for(request, limit)
        if method == "get_object":
            async with answer["Body"] as arriving:
                answer["Body"] = _Body(await asyncio.wait_for(arriving.read(), _limit(answer.get("ContentLength", 0))))
        elif method == "delete_objects" and (refused := answer.get("Errors")):
            raise _RefusedError(refused, _path(kwargs))
        return answer

    async def _fault(self, error: Exception, method: str, request: dict[str, Any], client: Any) -> Fault | None:
        """Return the fault; a refused HEAD request has no reason in its answer, which a listing has."""
        if isinstance(error, _RefusedError):
            return error.fault
        answer = answer_of(error)
        if not method.startswith("head_") or not answer or answer[0] not in SILENT_STATUS:
            return fault_of(error)
        try:
            await super()._call_s3(
                "list_objects_v2", Bucket=request["Bucket"], Prefix=request.get("Key", ""), MaxKeys=1
            )
        except Exception as told:
            return fault_of(told)
        # Another request may have renewed the credentials since this one was sent.
        return None if self._s3 is client else Fault(Kind.replaced, reason(*answer))

    async def _renew(self, client: Any) -> bool:
        """Read the credentials anew if `client` is still in use; return whether newer ones are in use now."""
        async with self._renewing:
            if self._s3 is not client:
                return True
            if self.key or self.anon:
                return False
            try:
                if await _keys(aiobotocore.session.AioSession(**self.kwargs)) in (None, await _keys(self.session)):
                    return False
            except (BotoCoreError, ClientError, OSError) as error:  # STS refuses, or a file is just being written
                _tell("credentials not renewed", f"cannot renew the credentials: {' '.join(str(error).split())}")
                return False
            await self.set_session(refresh=True)
            return True

    async def _has_fixed_keys(self) -> bool:
        return bool(self.key) or getattr(await self.session.get_credentials(), "method", "") in FIXED

    async def _completed(self, request: dict[str, Any], error: Exception) -> Any:
        """Return the object that an upload has become whose answer was lost; raises `error` if it is another one.

        The upload is gone then. The object has the hash of the hashes of the upload's parts.
        """
        parts = request["MultipartUpload"]["Parts"]
        with suppress(FileNotFoundError, ValueError):  # ValueError: the store has hashes of another kind
            digest = hashlib.md5(usedforsecurity=False)
            for part in parts:
                digest.update(bytes.fromhex(part["ETag"].strip('"')))
            found = await self._call_s3("head_object", Bucket=request["Bucket"], Key=request["Key"])
            if found["ETag"].strip('"') == f"{digest.hexdigest()}-{len(parts)}":
                return found
        raise error

    async def _cat_file(self, path: str, *given: Any, **options: Any) -> Any:
        """Return the bytes of a file: one request, where s3fs asks for the size first, to read large files in parts."""
        return await super()._cat_file(path, *given, **{"max_concurrency": 1, **options})

    async def _rm_once(self, path: str, **condition: str) -> None:
        """Delete a file by a request that is sent once: a further try may meet a file that another process wrote."""
        bucket, key, _ = self.split_path(path)
        await self._call_s3("delete_object", Bucket=bucket, Key=key, once=True, **condition)

    rm_once = sync_wrapper(_rm_once)

    async def _exists(self, path: str) -> bool:
        """Return whether a path exists; an outage is no missing bucket, which s3fs takes it for."""
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if bucket and not key:
            with suppress(FileNotFoundError, PermissionError):
                await self._call_s3("head_bucket", Bucket=bucket)
                return True
        return bool(await super()._exists(path))

    exists = sync_wrapper(_exists)

    async def _isdir(self, path: str) -> bool:
        """Return whether a path is a folder: one request, where s3fs lists the whole folder."""
        bucket, key, _ = self.split_path(self._strip_protocol(path))
        if not key:
            return bool(await super()._isdir(path))
        try:
            found = await self._call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{key.rstrip('/')}/", MaxKeys=1)
        except FileNotFoundError:  # there is no such bucket
            return False
        return bool(found.get("Contents"))

    isdir = sync_wrapper(_isdir)


class _Body:
    """The body of an answer that has arrived."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    async def read(self, size: int = -1) -> bytes:
        start, self._at = self._at, len(self._data) if size < 0 else self._at + size
        return self._data[start : self._at]

    def close(self) -> None:
        pass


class _RefusedError(OSError):
    """Objects that a request for many has not deleted; s3fs takes no notice of them."""

    def __init__(self, refused: list[dict[str, str]], path: str) -> None:
        codes = {each.get("Code", "") for each in refused}
        text = f"{counted(len(refused), 'objects')} not deleted: {', '.join(sorted(codes))}"
        super().__init__(errno.EACCES, text, path + refused[0].get("Key", ""))
        self.fault = Fault(Kind.passing, text) if codes <= PASSING_CODES else None


async def _keys(session: Any) -> tuple | None:
    """Return the credentials of a session, None if it finds none."""
    credentials = await session.get_credentials()
    return credentials and tuple(await credentials.get_frozen_credentials())


def _tell(kind: str, line: str) -> None:
    _lines.tell(kind, line, asyncio.get_running_loop().call_later)


def _limit(size: int) -> float:
    """Return the seconds in which so many bytes must have moved."""
    return ANSWER_SECONDS + size / SLOWEST_BYTES_PER_SECOND


def _path(request: dict[str, Any]) -> str:
    return f"s3://{request.get('Bucket', '')}/{request.get('Key', request.get('Prefix', ''))}"


def _name(error: Exception, path: str) -> None:
    """Give the error of a refusal its path and its errno, as those of disks have them."""
    if isinstance(error, PermissionError) and not error.errno:
        answer, text = answer_of(error), str(error)
        error.strerror = f"{text} ({reason(*answer)})" if answer else text
        error.errno, error.filename = errno.EACCES, path


def _given_up(path: str, method: str, fault: Fault, tries: int, seconds: float) -> OSError:
    if fault.kind in (Kind.expired, Kind.replaced):
        return ExpiredError(f"{path}: the credentials have expired ({fault}), and no newer ones are found")
    return StoreError(f"{path}: given up after {tries} tries in {duration(seconds)}: {fault} ({method})")
