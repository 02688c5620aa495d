"""Wyhash, final version 4.2, in plain Python: what the kernels of curation/core/draws.py are compared with.

It reproduces the test vectors that are published with it (tests/unit/core/test_draws.py).
"""

SECRET = (0x2D358DCCAA6C78A5, 0x8BB84B93962EACC9, 0x4B33A62ED433D4A3, 0x4D5A2DA51DE1AA47)
WORD = (1 << 64) - 1


def mix(left: int, right: int) -> int:
    """The two halves of a 128-bit product, exclusive-or."""
    product = left * right
    return (product & WORD) ^ (product >> 64)


def wyhash(data: bytes, seed: int) -> int:
    """The hash of some bytes, 64 bits."""

    def read(start: int, size: int = 8) -> int:
        return int.from_bytes(data[start : start + size], "little")

    size = len(data)
    seed ^= mix(seed ^ SECRET[0], SECRET[1])
    if size < 4:
        first, last = (data[0] << 16 | data[size // 2] << 8 | data[-1] if data else 0), 0
    elif size <= 16:
        inner = size // 8 * 4
        first = read(0, 4) << 32 | read(inner, 4)
        last = read(size - 4, 4) << 32 | read(size - 4 - inner, 4)
    else:
        chains, stripes = [seed, seed, seed], size // 48
        for stripe in range(stripes):
            for chain in range(3):
                start = 48 * stripe + 16 * chain
                chains[chain] = mix(read(start) ^ SECRET[chain + 1], read(start + 8) ^ chains[chain])
        seed = chains[0] ^ chains[1] ^ chains[2] if stripes else seed
        for start in range(48 * stripes, size - 16, 16):
            seed = mix(read(start) ^ SECRET[1], read(start + 8) ^ seed)
        first, last = read(size - 16), read(size - 8)
    product = (first ^ SECRET[1]) * (last ^ seed)
    return mix((product & WORD) ^ SECRET[0] ^ size, (product >> 64) ^ SECRET[1])


def colliding(seed: int, count: int) -> list[str]:
    """Return texts of 47 bytes with one hash under a seed that is known.

    The state of the hash after 16 bytes, put into bytes 24 to 31, makes a factor 0: bytes 16 to 23 count for nothing.
    """
    state = seed ^ mix(seed ^ SECRET[0], SECRET[1])
    for number in range(1_000_000):
        start = f"{number:016}".encode()
        words = (int.from_bytes(start[:8], "little"), int.from_bytes(start[8:], "little"))
        word = mix(words[0] ^ SECRET[1], words[1] ^ state).to_bytes(8, "little")
        if word.isascii() and word.decode().isprintable():
            return [f"{start.decode()}{k:08}{word.decode()}{'.' * 15}" for k in range(count)]
    raise AssertionError("no state is printable")


def keyed(seed: int, purpose: str, *keys: str) -> int:
    """What `hash64(seed, purpose, *keys)` gives for one row."""
    found = wyhash(f"{seed}:{purpose}".encode(), 0)
    for key in keys:
        found = wyhash(key.encode(), found)
    return found
