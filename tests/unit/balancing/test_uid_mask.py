"""Masks: the same set from each kind of file, in little memory, and what is refused."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.balancing import uid_mask
from curation.balancing.uid_mask import UidMask

UID = "1d63379d7e8c160931a17eb0"


def uids(count: int, seed: int = 1) -> list[str]:
    """Uids of which some share their first 64 bits."""
    rng = random.Random(seed)
    heads = [f"{rng.getrandbits(64):016x}" for _ in range(count // 2)]
    return [f"{rng.choice(heads)}{rng.getrandbits(32):08x}" for _ in range(count)]


def forms(values: list[str], folder: Path) -> dict[str, Any]:
    np.save(folder / "s.npy", np.array([value.encode() for value in values]))
    np.save(folder / "u.npy", np.array(values))
    pq.write_table(pa.table({"text": ["x"] * len(values), "uid": values}), folder / "uids.parquet")
    files = {name: str(folder / name) for name in ("s.npy", "u.npy", "uids.parquet")}
    return {**files, "list": values, "iterator": iter(values)}


def test_it_is_the_set_of_its_uids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uid_mask, "CHUNK", 200)
    given, others = uids(1_100), uids(400, seed=2)
    expected = set(given)
    halves = [given[place][:16] + others[place][16:] for place in range(400)]  # the first 64 bits of one that is in
    for name, form in forms(given, tmp_path).items():
        mask = UidMask(form)
        assert len(mask) == len(given), name
        assert all(uid in mask for uid in given), name
        for each in (*others, *halves):
            assert (each in mask) == (each in expected), name


def test_it_holds_twelve_bytes_a_uid() -> None:
    mask = UidMask(uids(1000))
    assert sum(value.nbytes for value in vars(mask).values()) == 12_000


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (UID[:-1], repr(UID[:-1])),
        (UID + "0", repr(UID + "0")),
        (UID.upper(), repr(UID.upper())),
        (UID[:-1] + "g", repr(UID[:-1] + "g")),
        (UID[:-1] + "é", "'" + UID[:-1] + "\\?'"),
        ("", "''"),
        (None, "''"),
        (7, "''"),
    ],
    ids=["short", "long", "capitals", "no digit", "no ASCII", "empty", "null", "a number"],
)
def test_what_is_no_uid_is_refused_with_its_row(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf"mask: {said} \(row 2\) is no uid: expected 24 hex digits, 0 to 9 and a to"):
        UidMask([UID, UID, value])


def test_files_without_uids_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["x"]}), tmp_path / "urls.parquet")
    pq.write_table(pa.table({"uid": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    np.save(tmp_path / "numbers.npy", np.arange(3))
    np.save(tmp_path / "objects.npy", np.array([UID], object), allow_pickle=True)
    for name, message in {
        "urls.parquet": "has the columns url, expected uid",
        "empty.parquet": "holds no uid: expected at least one",
        "numbers.npy": "holds an array of type int64 and shape .3,., expected one row of strings",
        "objects.npy": "memory-mapped",
    }.items():
        with pytest.raises(ValueError, match=message):
            UidMask(str(tmp_path / name))
    with pytest.raises(ValueError, match="mask holds no uid"):
        UidMask([])
