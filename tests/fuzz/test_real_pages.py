"""Pages of real texts in every encoding, with the charset in the header, in the page, or in an XML declaration."""

import contextlib
import random
from collections.abc import Iterator
from itertools import cycle

import pytest

from tests.conftest import needs_shared
from tests.encoders import encode
from tests.fuzz.charsets import READABLE, check, make_page
from tests.real_texts import sentences


def texts_of(encoding: str) -> Iterator[list[str]]:
    """Yield the sentences of each language of which an encoding holds twenty, some of them not in ASCII."""
    for texts in sentences().values():
        fitting = []
        for text in texts:
            with contextlib.suppress(KeyError):
                encode(text, encoding)
                fitting.append(text)
            if len(fitting) == 20:
                break
        if len(fitting) == 20 and not "".join(fitting).isascii():
            yield fitting


@needs_shared
@pytest.mark.parametrize("encoding", [name for name in READABLE if name != "x-user-defined"])
def test_pages_of_real_texts(encoding: str) -> None:
    rng, places = random.Random(encoding), cycle(["header", "meta", "xml"])
    pages = [
        make_page(rng, encoding, alts, f"http://h.org/{number}", next(places), 0)
        for number, alts in enumerate(texts_of(encoding))
    ]
    counts = check(pages)
    assert counts["pages"] > 0
    assert counts["guessed"] == 0
