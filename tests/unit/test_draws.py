import random

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from curation.draws import draw, hash64, hash_seed, keep


def _words(rows: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    alphabet = "ab \x1f0éß中😀"
    return ["".join(rng.choices(alphabet, k=rng.randrange(120))) for _ in range(rows)]


def _expected(seed: int, purpose: str, rows: list[tuple[str, ...]]) -> list[int]:
    key = xxhash.xxh64_intdigest(f"{seed}:{purpose}".encode())
    return [xxhash.xxh64_intdigest("\x1f".join(row).encode(), seed=key) for row in rows]


def test_hash_equals_the_xxhash_package_at_every_length() -> None:
    texts = ["x" * length for length in range(200)]
    assert hash64(3, "keep", pa.array(texts)).tolist() == _expected(3, "keep", [(text,) for text in texts])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_keys_are_joined_and_slices_are_honoured(kind: pa.DataType) -> None:
    first, second = _words(500, 1), _words(500, 2)
    arrays = [pa.array(column, kind).slice(37, 400) for column in (first, second)]
    rows = list(zip(first, second, strict=True))[37:437]
    assert hash64(-7, "order", *arrays).tolist() == _expected(-7, "order", rows)
    assert hash64(-7, "order", arrays[1]).tolist() == _expected(-7, "order", [row[1:] for row in rows])


def test_the_separator_may_fall_on_any_byte_of_a_word() -> None:
    rows = [("u" * first, "t" * second) for first in range(70) for second in range(70)]
    found = hash64(1, "keep", pa.array([row[0] for row in rows]), pa.array([row[1] for row in rows]))
    assert found.tolist() == _expected(1, "keep", rows)


def test_rows_may_be_picked_from_each_key() -> None:
    first, second = _words(30, 5), _words(50, 6)
    at = [np.array([0, 0, 29, 7]), np.array([49, 1, 1, 0])]
    rows = [(first[i], second[k]) for i, k in zip(*at, strict=True)]
    keys = [pa.array(first), pa.array(["x", *second]).slice(1)]
    assert hash64(2, "keep", *keys, at=at).tolist() == _expected(2, "keep", rows)


def test_keeping_is_drawing_below_a_probability() -> None:
    keys = pa.array(_words(3000, 7)), pa.array(_words(3000, 8))
    u = draw(4, "keep", *keys)
    probabilities = np.concatenate([u[:1000], np.nextafter(u[1000:2000], 1), np.linspace(0, 1, 1000)])
    at = [np.arange(3000)] * 2
    kept = keep(probabilities, 4, "keep", *keys, at=at)
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
    assert hash_seed(5, "choose_text") == xxhash.xxh64_intdigest(b"5:choose_text")


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
        ([], "one or two keys, got 0"),
        ([pa.array(["a"])] * 3, "one or two keys, got 3"),
        ([pa.array(["a", None])], "1 nulls"),
        ([pa.array([1])], "int64"),
        ([pa.array(["a"]), pa.array(["a", "b"])], "differ in length: 1 and 2"),
    ],
)
def test_what_is_no_key_is_refused(keys: list[pa.Array], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(0, "keep", *keys)
