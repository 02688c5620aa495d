"""The figures that other projects publish of themselves (peers.json), each with its source."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Peer:
    """A statement of another project. `core_seconds` are those of an archive or of a thousand images, as `per` says.

    A statement without a rate has none of `stage`, `core_seconds` and `per`.
    """

    name: str
    stage: str
    core_seconds: float
    per: str
    says: str
    source: str
    title: str

    def seconds_of(self, archives: float, images: float) -> float:
        """Return the core-seconds that the peer would take by its own words."""
        return self.core_seconds * {"archive": archives, "thousand images": images / 1000}[self.per]


@lru_cache(maxsize=1)
def peers() -> Sequence[Peer]:
    """Return all statements."""
    return [Peer(**entry) for entry in json.loads((files("curation.report") / "peers.json").read_text())]


def peer_of(stage: str) -> Peer | None:
    """Return the peer that publishes a rate of a stage; None if nobody does."""
    return next((peer for peer in peers() if peer.stage == stage), None)
