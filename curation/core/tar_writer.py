"""Writes tar archives whose bytes depend only on the members' names and contents: ustar, no owner, no time."""

import re
from collections.abc import Mapping
from itertools import chain
from typing import BinaryIO

BLOCK = 512
RECORD = 20 * BLOCK
"""tar programs pad an archive to a multiple of this many bytes."""
_OWNER = b"0000644\0" + 2 * b"0000000\0"
_TIME = b"00000000000\0"
_REST = b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
"""What follows the checksum: a plain file, no link, the format, no names of owners, no prefix."""
_SUM = sum(_OWNER + _TIME + b" " * 8 + _REST)
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
    encoded, octal = name.encode(), b"%011o\0" % size
    checksum = b"%06o\0 " % (_SUM + sum(encoded) + sum(octal))
    return b"".join((encoded.ljust(100, b"\0"), _OWNER, octal, _TIME, checksum, _REST))


def padding(size: int) -> bytes:
    """Return the zeros that pad a member to a multiple of 512 bytes."""
    return bytes(-size % BLOCK)


def member(name: str, data: bytes, allowed: re.Pattern[str] = _SAFE_NAME) -> bytes:
    """Return a member: header, data, padding; `allowed` are the names that it may have."""
    return members({name: data}, allowed)


def members(named: Mapping[str, bytes], allowed: re.Pattern[str]) -> bytes:
    """Return members one after the other, their data by name; all bytes are copied once."""
    parts = ((header(name, len(data), allowed), data, padding(len(data))) for name, data in named.items())
    return b"".join(chain.from_iterable(parts))


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
