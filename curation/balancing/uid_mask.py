"""A subset of a set of shards: the uids whose samples a loader uses, in 12 bytes each."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

UID_CHARS = 24
UID = re.compile(r"[0-9a-f]{24}")
CHUNK = 1 << 18
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


class UidMask:
    """A set of uids: their first 64 bits sorted, the other 32 bits beside them. It holds 12 bytes a uid.

    `uids` is the path of a Parquet file with a column `uid` (read with pyarrow), the path of a `.npy` file of strings
    (dtype S24 or U24, mapped into memory), or an iterable of strings. While the set is made, it takes 36 bytes a uid.
    Workers that a loader forks share it. Raises ValueError for a value that is no uid of 24 hex digits, and for no uid.

    >>> mask = UidMask(["1d63379d7e8c160931a17eb0"])
    >>> "1d63379d7e8c160931a17eb0" in mask, "1d63379d7e8c160931a17eb1" in mask, len(mask)
    (True, False, 1)
    """

    def __init__(self, uids: str | Iterable[str]) -> None:
        parts = []
        row = 0
        for chunk in _chunks(uids):
            parts.append(_numbers(chunk, row, str(uids) if isinstance(uids, str) else "mask"))
            row += len(chunk)
        if not row:
            raise ValueError(f"{uids if isinstance(uids, str) else 'mask'} holds no uid: expected at least one")
        high, low = (np.concatenate([part[half] for part in parts]) for half in (0, 1))
        parts.clear()
        order = np.argsort(high)
        self._high, self._low = high[order], low[order]

    def __len__(self) -> int:
        return len(self._high)

    def __contains__(self, uid: str) -> bool:
        """Return whether the set has a uid; raises ValueError where the value is no uid."""
        if not UID.fullmatch(uid):
            raise ValueError(f"{uid[:100]!r} is no uid: a mask needs samples with uids of {UID_CHARS} hex digits")
        high = np.uint64(int(uid[:16], 16))
        start = int(np.searchsorted(self._high, high))
        end = int(np.searchsorted(self._high, high, side="right"))
        return int(uid[16:], 16) in self._low[start:end]


def _chunks(uids: str | Iterable[str]) -> Iterator[np.ndarray]:
    """Yield the uids as arrays of bytes (dtype S)."""
    if isinstance(uids, str):
        yield from _chunks_of_npy(uids) if uids.endswith(".npy") else _chunks_of_parquet(uids)
        return
    rest = iter(uids)
    while chunk := list(islice(rest, CHUNK)):
        yield _as_bytes(chunk)


def _chunks_of_npy(path: str) -> Iterator[np.ndarray]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 1 or array.dtype.kind not in "SU":
        raise ValueError(
            f"{path} holds an array of type {array.dtype} and shape {array.shape}, expected one row of strings (S24)"
        )
    for start in range(0, len(array), CHUNK):
        chunk = array[start : start + CHUNK]
        yield _as_bytes(chunk) if array.dtype.kind == "U" else np.asarray(chunk)


def _chunks_of_parquet(path: str) -> Iterator[np.ndarray]:
    from curation.core.bounded_parquet import ERRORS, BoundedParquet  # with pyarrow, for such a file only

    try:
        with open(path, "rb") as file:
            bounded = BoundedParquet(file)
            if bounded.schema.names.count("uid") != 1:
                raise ValueError(f"it has the columns {', '.join(bounded.schema.names)[:300]}, expected uid")
            for group in range(len(bounded.group_rows)):
                for batch in bounded.read_group(group, ["uid"], CHUNK):
                    yield _as_bytes(batch["uid"].to_pylist())
    except ERRORS as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} cannot be read: {error}") from error


def _as_bytes(values: Any) -> np.ndarray:
    """Return strings as an array of bytes; what is no string, or not ASCII, becomes one that is no uid."""
    return np.array([value.encode("ascii", "replace") if isinstance(value, str) else b"" for value in values])


def _numbers(values: np.ndarray, row: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 16 hex digits of each value as uint64, and the last 8 as uint32."""
    if not len(values):
        return np.zeros(0, np.uint64), np.zeros(0, np.uint32)
    # One place more than a uid has, so that a longer value is not cut to a uid.
    text = np.ascontiguousarray(values.astype(f"S{UID_CHARS + 1}")).view(np.uint8).reshape(-1, UID_CHARS + 1)
    digits = _DIGITS[text[:, :UID_CHARS]]
    wrong = (text[:, UID_CHARS] != 0) | (digits == 255).any(axis=1)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"{where}: {values[place].decode('ascii', 'replace')[:100]!r} (row {row + place}) is no uid: "
            f"expected {UID_CHARS} hex digits, 0 to 9 and a to f"
        )
    packed = digits[:, 0::2] << 4 | digits[:, 1::2]
    high = np.ascontiguousarray(packed[:, :8]).view(">u8").ravel().astype(np.uint64)
    return high, np.ascontiguousarray(packed[:, 8:]).view(">u4").ravel().astype(np.uint32)
