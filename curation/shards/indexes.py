"""Indexes of a tar of samples, made while it is written, so that nobody has to read the set again to make them.

`00000.idx` is read by NVIDIA DALI (`fn.readers.webdataset`, its format v1.2), `00000.tar.idx` by Megatron-Energon.
"""

from array import array
from collections.abc import Iterable, Iterator

from curation.core import storage
from curation.core.tar_writer import BLOCK, padding

DALI, ENERGON = ".idx", ".tar.idx"
"""What stands in place of `.tar` in the names of the indexes of a shard."""
VERSION = "v1.2"
"""The version of DALI's format: https://docs.nvidia.com/deeplearning/dali, tools/wds2idx.py."""


class TarIndex:
    """The places of the samples of a tar, which has one header of 512 bytes a member and nothing else between them."""

    def __init__(self) -> None:
        self._key, self._size = "", 0
        self._lines: list[str] = []
        self._starts = array("Q")

    def add(self, name: str, size: int) -> None:
        """Add the next member: its name and the bytes of its data. The members of a sample follow each other."""
        key, _, extension = name.partition(".")
        place = f"{extension} {self._size + BLOCK} {size} {name}"
        if key == self._key:
            self._lines[-1] += f" {place}"
        else:
            self._key = key
            self._lines.append(place)
            self._starts.append(self._size)
        self._size += BLOCK + size + len(padding(size))

    def dali(self) -> bytes:
        """Return the text that DALI reads: a line for each sample with extension, offset, size, name of each member."""
        return "".join(f"{line}\n" for line in (f"{VERSION} {len(self._lines)}", *self._lines)).encode(errors="replace")

    def energon(self) -> bytes:
        """Return the numbers that Energon reads, uint64: where each sample begins, and where the last one ends."""
        places = array("Q", [*self._starts, self._size])
        return places.tobytes()

    def write(self, tar: str) -> None:
        """Write both files beside the tar."""
        for path, data in zip(index_paths(tar), (self.dali(), self.energon()), strict=True):
            storage.write_bytes(path, data)


def index_of(members: Iterable[tuple[str, int]]) -> TarIndex:
    """Return the index of a tar of these members, each a name and its bytes.

    >>> print(index_of([("a.json", 2), ("a.jpg", 600), ("b.json", 2)]).dali().decode(), end="")
    v1.2 2
    json 512 2 a.json jpg 1536 600 a.jpg
    json 3072 2 b.json
    """
    index = TarIndex()
    for name, size in members:
        index.add(name, size)
    return index


def index_paths(tar: str) -> tuple[str, str]:
    """Return the paths of DALI's and of Energon's index of a tar."""
    base = tar.removesuffix(".tar")
    return f"{base}{DALI}", f"{base}{ENERGON}"


def read_index(tar: str) -> Iterator[list[tuple[str, int, int, str]]]:
    """Yield extension, offset, bytes and name of each member, sample by sample, from DALI's index of a tar.

    Raises FileNotFoundError if the tar has none, ValueError if it is damaged.
    """
    with storage.open_input(index_paths(tar)[0]) as file:
        _, *lines = file.read().decode().splitlines()
    for line in lines:
        words = line.split(" ")
        yield [
            (extension, int(offset), int(size), name)
            for extension, offset, size, name in zip(*(words[place::4] for place in range(4)), strict=True)
        ]
