"""Writes tar archives whose bytes depend only on the members' names and contents: ustar, no owner, no time."""

import re
import struct
from typing import BinaryIO

BLOCK = 512
RECORD = 20 * BLOCK
"""tar programs pad an archive to a multiple of this many bytes."""
_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_SAFE_NAME = re.compile(r"[0-9A-Za-z_-]+\.[0-9a-z]+")
COMPANION_NAME = re.compile(r"[0-9A-Za-z_-]+\.[0-9a-z]+(\.[0-9a-z]+)?")
"""Names whose extensions may have two parts, as `syn.json`."""


def header(name: str, size: int, allowed: re.Pattern[str] = _SAFE_NAME) -> bytes:
    """Return the header of a member: 512 bytes, mode 0644, owner 0, time 0.

    A name consists of letters, digits, - and _, one dot and an extension, and has at most 100 bytes: loaders use the
    name up to the first dot as the sample's key. Raises ValueError for other names.
    """
    if len(name) > 100 or not allowed.fullmatch(name):
        raise ValueError(f"a shard cannot have a member with the name {name!r}")
    fields = (
        name.encode(), b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0",
        b"", b"ustar\x0000", b"", b"", b"", b"", b"",
    )  # fmt: skip
    block = _HEADER.pack(*fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padding(size: int) -> bytes:
    """Return the zeros that pad a member to a multiple of 512 bytes."""
    return bytes(-size % BLOCK)


def member(name: str, data: bytes, allowed: re.Pattern[str] = _SAFE_NAME) -> bytes:
    """Return a member: header, data, padding; `allowed` are the names that it may have."""
    return b"".join((header(name, len(data), allowed), data, padding(len(data))))


def end(size: int) -> bytes:
    """Return the end of an archive with `size` bytes of members: two empty blocks, and zeros up to a whole record."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % RECORD)


class TarWriter:
    """Appends members to an open file; `size` is the archive's size in bytes so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size = file, 0

    def add(self, name: str, data: bytes) -> int:
        """Append a member; return the offset of its data in bytes."""
        offset = self.size + BLOCK
        self.size += self._file.write(member(name, data))
        return offset

    def close(self) -> None:
        """Write the end of the archive; the file stays open."""
        self._file.write(end(self.size))
