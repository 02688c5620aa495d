"""Draws equal an implementation in plain Python, and are uniform and independent."""

import random
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pytest

from curation.core.draws import draw, hash64, hash_seed, keep
from tests.wyhash import colliding, keyed, wyhash


def _words(rows: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    alphabet = "ab \x1f0éß中😀"
    return ["".join(rng.choices(alphabet, k=rng.randrange(120))) for _ in range(rows)]


def _expected(seed: int, purpose: str, rows: list[tuple[str, ...]]) -> list[int]:
    return [keyed(seed, purpose, *row) for row in rows]


@pytest.mark.parametrize(
    ("seed", "text", "expected"),
    [
        (0, "", 0x93228A4DE0EEC5A2),
        (1, "a", 0xC5BAC3DB178713C4),
        (2, "abc", 0xA97F2F7B1D9B3314),
        (3, "message digest", 0x786D1F1DF3801DF4),
        (4, "abcdefghijklmnopqrstuvwxyz", 0xDCA5A8138AD37C87),
        (5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0xB9E734F117CFAF70),
        (6, "1234567890" * 8, 0x6CC5EAB49A92D617),
    ],
    ids=["empty", "one letter", "three letters", "two words", "alphabet", "letters and digits", "80 digits"],
)
def test_the_hash_in_plain_python_gives_the_published_vectors(seed: int, text: str, expected: int) -> None:
    assert wyhash(text.encode(), seed) == expected


def test_hash_equals_the_one_in_plain_python_at_every_length() -> None:
    texts = ["".join(chr(33 + (7 * length + k) % 90) for k in range(length)) for length in range(300)]
    assert hash64(3, "keep", pa.array(texts)).tolist() == _expected(3, "keep", [(text,) for text in texts])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_slices_are_honoured(kind: pa.DataType) -> None:
    first, second = _words(500, 1), _words(500, 2)
    arrays = [pa.array(column, kind).slice(37, 400) for column in (first, second)]
    rows = list(zip(first, second, strict=True))[37:437]
    assert hash64(7, "order", *arrays).tolist() == _expected(7, "order", rows)
    assert hash64(7, "order", arrays[1]).tolist() == _expected(7, "order", [row[1:] for row in rows])


def test_where_one_key_ends_and_the_next_begins_matters() -> None:
    found = hash64(1, "keep", pa.array(["ab", "a", "abc"]), pa.array(["c", "bc", ""]))
    assert len(set(found.tolist())) == 3


def test_rows_may_be_picked_from_each_key() -> None:
    first, second = _words(30, 5), _words(50, 6)
    at = [np.array([0, 0, 29, 7]), np.array([49, 1, 1, 0])]
    rows = [(first[i], second[k]) for i, k in zip(*at, strict=True)]
    keys = [pa.array(first), pa.array(["x", *second]).slice(1)]
    assert hash64(2, "keep", *keys, at=at).tolist() == _expected(2, "keep", rows)


def test_keeping_is_drawing_below_a_probability() -> None:
    starts = np.array([0, 0, 5, 900, 900, 901, 3000], np.int32)
    first, second = pa.array(_words(6, 7)), pa.array(_words(3000, 8))
    parents = np.repeat(np.arange(6), np.diff(starts))
    u = draw(4, "keep", first, second, at=[parents, np.arange(3000)])
    probabilities = np.concatenate([u[:1000], np.nextafter(u[1000:2000], 1), np.linspace(0, 1, 1000)])
    kept = keep(probabilities, 4, "keep", first, second, starts)
    assert kept.tolist() == (u < probabilities).tolist()
    assert not kept[:1000].any()
    assert kept[1000:2000].all()


def test_a_draw_is_the_top_53_bits() -> None:
    keys = pa.array(_words(2000, 4))
    u = draw(11, "keep", keys)
    assert u.dtype == np.float64
    assert (u >= 0).all()
    assert (u < 1).all()
    assert (u * 2**53).astype(np.uint64).tolist() == (hash64(11, "keep", keys) >> np.uint64(11)).tolist()


def test_seed_of_the_hash_is_the_hash_of_seed_and_purpose() -> None:
    assert hash_seed(5, "choose_text") == wyhash(b"5:choose_text", 0)


def test_purposes_of_a_drawn_seed_do_not_lead_to_each_other() -> None:
    """A drawn seed is negative: BLAKE2b hashes it with each purpose, so the one cannot be computed from the other."""
    assert hash_seed(-5, "order") == int.from_bytes(blake2b(b"-5:order", digest_size=8).digest(), "little")
    assert len({hash_seed(seed, purpose) for seed in (-5, -6, 5) for purpose in ("order", "keep")}) == 6


def test_texts_made_for_a_seed_have_one_hash_under_it_and_under_no_other() -> None:
    """The docstring of draws says what wyhash is not: whoever knows the seed makes texts with one hash."""
    texts = pa.array(colliding(hash_seed(0, "distinct"), 50))
    assert len(set(hash64(0, "distinct", texts).tolist())) == 1
    assert len(set(hash64(-1, "distinct", texts).tolist())) == len(set(texts.to_pylist())) == 50


def test_draws_are_uniform_and_purposes_and_seeds_independent() -> None:
    """Chi-squared over a 16 x 16 grid of pairs of draws: 255 degrees of freedom, false alarm below 1e-6."""
    keys = pa.array([f"{i:024x}" for i in range(100_000)])
    base = draw(0, "keep", keys)
    for other in (draw(0, "choose_text", keys), draw(1, "keep", keys)):
        seen = np.histogram2d(base, other, bins=16, range=[[0, 1], [0, 1]])[0]
        expected = len(keys) / 256
        assert ((seen - expected) ** 2 / expected).sum() < 375


def test_empty_input_gives_no_draws() -> None:
    assert draw(0, "keep", pa.array([], pa.string()), pa.array([], pa.string())).tolist() == []
    assert len(draw(0, "keep", pa.array(["", ""]))) == 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        pytest.param([], "at least one key", id="no key"),
        pytest.param([pa.array(["a", None])], "1 nulls", id="null"),
        pytest.param([pa.array([1])], "int64", id="number"),
        pytest.param([pa.array(["a"]), pa.array(["a", "b"])], "differ in length: 1 and 2", id="two lengths"),
    ],
)
def test_what_is_no_key_is_refused(keys: list[pa.Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(0, "keep", *keys)
