"""The members of tars that other programs wrote, in one pass: their names, places and data.

It reads ustar, pax and GNU tars. Damage ends a member, not the file: the reader then searches the blocks for the next
header with a right checksum.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from curation.core.errors import refuse_outage
from curation.core.tar_writer import BLOCK
from curation.sources.archives import MAGIC, ReadLog

CHUNK_BYTES = 1 << 20
MAX_EXTENSION_BYTES = 1 << 16
"""A header's long name or pax fields, which follow its block, are read up to this size."""
_REGULAR = (b"0", b"\0", b"7")
_SPARSE = b"S"
_USED_FIELDS = ("path", "size", "GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.size")
"""The fields of pax headers that are looked at: a tar may hold any number of others."""
_FIELD = re.compile(rb"(\d{1,6}) ([^=]{1,1000})=")
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")


@dataclass
class Member:
    """A regular file in a tar: its name, place and size, and its data, which is read before the next member."""

    name: str
    offset: int
    size: int
    _file: "_Bounded"
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.size

    @property
    def is_whole(self) -> bool:
        """Whether all of its data was read."""
        return not self.left

    def chunks(self) -> Iterator[bytes]:
        """Yield the data in pieces; fewer than `size` bytes if the file ends too early."""
        while self.left and (data := self._file.read(min(self.left, CHUNK_BYTES))):
            self.left -= len(data)
            yield data

    def read(self, max_bytes: int) -> bytes | None:
        """Return the data; None if it is longer than `max_bytes` or cut off."""
        if self.size > max_bytes:
            return None
        data = b"".join(self.chunks())
        return data if self.is_whole else None


def read_members(file: BinaryIO, log: ReadLog) -> Iterator[Member | None]:
    """Yield the regular files of a tar in their order; None for each damage, which `log` records."""
    try:
        packed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        if packed:
            raise OSError("a packed tar, which is not supported: unpack it")
        yield from _Walk(_Bounded(file, log.max_bytes), log).members()
    except (OSError, EOFError) as error:
        refuse_outage(error)
        log.fault(log.bytes_read, f"cannot be read any further: {error}")
        yield None


class _Bounded:
    """A file that may have no end: reading more than `max_bytes` of it is an error."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self._file, self._left, self._max_bytes = file, max_bytes, max_bytes

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError(f"more than {self._max_bytes} bytes (source.max_file_bytes)")
        return data


class _Walk:
    def __init__(self, file: _Bounded, log: ReadLog) -> None:
        self._file, self._log = file, log

    def members(self) -> Iterator[Member | None]:
        log, lost, ended = self._log, False, False
        extended: dict[str, bytes] = {}
        while len(block := self._file.read(BLOCK)) == BLOCK:
            start = log.bytes_read
            log.bytes_read += BLOCK
            header = _parse(block)
            ended = not block.strip(b"\0")
            if header is None:
                if not lost and not ended:
                    log.fault(start, "no tar header")
                    yield None
                lost = lost or not ended
                continue
            lost = False
            short_name, kind, size = header
            name = short_name.decode("utf-8", "replace")
            if kind in (b"x", b"L"):
                member = Member("", log.bytes_read, size, self._file)
                data = member.read(MAX_EXTENSION_BYTES) or b""
                extended |= _pax_fields(data) if kind == b"x" else {"path": data.rstrip(b"\0")}
            else:
                size = int(extended["size"]) if re.fullmatch(rb"\d{1,18}", extended.get("size", b"")) else size
                name = extended["path"].decode("utf-8", "replace") if "path" in extended else name
                sparse = kind == _SPARSE or any(field.startswith("GNU.sparse.") for field in extended)
                extended = {}
                member = Member(name, log.bytes_read, size, self._file)
                if sparse:  # a few bytes that stand for terabytes of zeros
                    log.fault(start, f"a sparse member, which is not read: {name[:100]!r}")
                    yield None
                elif kind in _REGULAR:
                    yield member
            if not self._pass(member):
                log.fault(start, f"the file ends within a member: {name[:100]!r}")
                yield None
                return
        if block or not ended:
            log.fault(log.bytes_read, "the file ends without the end of a tar" if log.bytes_read else "no tar")
            yield None

    def _pass(self, member: Member) -> bool:
        """Read on to the block behind a member; whether it was there."""
        for _ in member.chunks():
            pass
        padding = -member.size % BLOCK
        self._log.bytes_read += member.size - member.left
        self._log.bytes_read += (skipped := len(self._file.read(padding)))
        return member.is_whole and skipped == padding


def _parse(block: bytes) -> tuple[bytes, bytes, int] | None:
    """Name, type and size of a member by its header; None where the checksum is wrong."""
    claimed = _OCTAL.fullmatch(block[148:156])
    if not claimed or not claimed[1] or int(claimed[1], 8) != sum(block[:148]) + sum(block[156:]) + 8 * 32:
        return None
    size = _number(block[124:136])
    if size < 0:
        return None
    name, kind = block[:100].partition(b"\0")[0], block[156:157]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return (prefix + b"/" + name if prefix else name), kind, size if kind not in b"123456" else 0


def _number(digits: bytes) -> int:
    """A number in octal or, as GNU writes large ones, in binary; -1 for anything else."""
    if digits[:1] == b"\x80":
        return int.from_bytes(digits[1:])
    found = _OCTAL.fullmatch(digits)
    return int(found[1] or b"0", 8) if found else -1


def _pax_fields(data: bytes) -> dict[str, bytes]:
    r"""The used fields of a pax header, `length key=value\n` each, as far as they can be read."""
    fields: dict[str, bytes] = {}
    at = 0
    while match := _FIELD.match(data, at):
        end = at + int(match[1])
        if not match.end() < end <= len(data):
            break
        name = match[2].decode("utf-8", "replace")
        if name in _USED_FIELDS:
            fields[name] = data[match.end() : end - 1]
        at = end
    return fields
