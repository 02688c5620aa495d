"""The paths of pictures: they tell what is drawn, by whom, and how it looks."""

import re
from dataclasses import dataclass

_PATH = re.compile(r"/(?:mirror/)?(?P<look>(?P<vendor>[a-z]+)/(?P<concept>[0-9a-z-]+)_(?P<serial>\d+)\.jpg)")


@dataclass(frozen=True)
class Drawn:
    """What a path shows. Paths of the same `look` give the same bytes."""

    vendor: str
    concept: str
    serial: int
    look: str


def path_of(vendor: str, concept: str, serial: int) -> str:
    """Return the path of a picture.

    >>> path_of("google", "1f600", 7)
    '/google/1f600_0000007.jpg'
    """
    return f"/{vendor}/{concept}_{serial:07}.jpg"


def copy_of(path: str) -> str:
    """Return the path of another address with the same bytes."""
    return f"/mirror{path}"


def gone(path: str) -> str:
    """Return an address where a picture was, and is not any more."""
    return f"/gone{path}"


def drawing_of(path: str) -> Drawn | None:
    """Return what a path shows, None for a path that is gone or was never there.

    >>> drawing_of("/mirror/google/1f600_0000007.jpg")
    Drawn(vendor='google', concept='1f600', serial=7, look='google/1f600_0000007.jpg')
    >>> drawing_of(gone("/google/1f600_0000007.jpg")), drawing_of("/../google/1f600_0000007.jpg")
    (None, None)
    """
    found = _PATH.fullmatch(path)
    return Drawn(found["vendor"], found["concept"], int(found["serial"]), found["look"]) if found else None
