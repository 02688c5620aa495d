"""uids against hashlib."""

import random

import pyarrow as pa

from curation.core.uids import uid_of, uids_of


def test_every_length_equals_hashlib() -> None:
    rng = random.Random(1)
    urls = ["".join(rng.choices("ab/é中", k=size)) for size in range(300)]
    assert uids_of(pa.array(urls)).to_pylist() == [uid_of(url) for url in urls]
    assert uids_of(pa.array(urls)[7:70]).to_pylist() == [uid_of(url) for url in urls[7:70]]
    assert uids_of(pa.array([], pa.string())).to_pylist() == []
