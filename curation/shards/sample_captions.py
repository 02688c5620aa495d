"""The captions of a shard's samples, which were joined before the shard is written."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from curation.shards.joined import Joined
from curation.shards.sample_json import CAPTION

SYN_JSON = "syn.json"
"""Extension of the member with the captions of a sample, as in the tars of DataCompDR."""
Texts = list[list[str]]
"""The captions of a sample: a list for each name, empty where there is none."""


@dataclass(frozen=True)
class CaptionFiles:
    """Folder and number of the joined slices of a shard, and the names of the captions in the order of their tables.

    `syn_json`: each sample gets a member `syn.json` with all of its captions.
    """

    joined: tuple[str, int]
    names: tuple[str, ...]
    syn_json: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of samples, and keys of their json, that hold the captions."""
        return tuple(f"{CAPTION}{name}" for name in self.names)


class SampleCaptions:
    """The captions of a shard's samples, in their order, of which CHUNK_BYTES are held."""

    def __init__(self, files: CaptionFiles, images: int) -> None:
        self._joined, self._files = Joined(files.joined, images), files
        self._with: Counter[int] = Counter()

    def __iter__(self) -> Iterator[Texts]:
        for start, end, rows in self._joined.windows():
            found: dict[int, Texts] = {}
            if rows is not None:
                columns = (rows[name].to_pylist() for name in ("row", "table", "value"))
                for row, table, value in zip(*columns, strict=True):
                    found.setdefault(row, self._none())[table] = msgspec.json.decode(value)["syn_text"]
                    self._with[table] += 1
            for row in range(start, end):
                yield found.pop(row) if row in found else self._none()

    def counts(self) -> Counter[str]:
        """Return how many samples have a caption, and how many have another one by another key, for each name."""
        columns = enumerate(self._files.columns)
        numbers = {column: (self._with[table], self._joined.further_keys[table]) for table, column in columns}
        with_one = {f"with_{column}": count for column, (count, _) in numbers.items()}
        return Counter(with_one | {f"further_{column}": count for column, (_, count) in numbers.items() if count})

    def _none(self) -> Texts:
        return [[] for _ in self._files.names]


def syn_json(texts: Texts) -> bytes:
    """Return the member `syn.json` of a sample, as the tars of DataCompDR have it: the captions of all names.

    >>> syn_json([["a dog"], [], ["a cat", "cats"]])
    b'{"syn_text":["a dog","a cat","cats"]}'

    A sample without a caption has an empty one: loaders draw one of the texts, and infer their type.

    >>> syn_json([[], []])
    b'{"syn_text":[""]}'
    """
    return msgspec.json.encode({"syn_text": [text for mine in texts for text in mine] or [""]})
