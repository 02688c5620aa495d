"""Encoders of all encodings of the Web, made from the decoders, which a browser has checked."""

from functools import lru_cache
from itertools import groupby

from curation.sources.encodings import decode
from curation.sources.multibyte_tables import tables_of

_UTF = ("utf-8", "utf-16le", "utf-16be")


@lru_cache
def repertoire(encoding: str) -> dict[str, bytes]:
    """The characters of an encoding of one or two bytes a character, with their bytes: the first that mean them."""
    sequences = [bytes([byte]) for byte in range(256)]
    texts = [decode(byte, encoding) for byte in sequences]
    if tables_of(encoding):
        sequences += (pairs := [bytes([lead, trail]) for lead in range(0x81, 0xFF) for trail in range(0x40, 0xFF)])
        texts += decode(b"\n".join(pairs), encoding).split("\n")  # a line end is never a second byte
    bytes_of: dict[str, bytes] = {}
    for sequence, text in zip(sequences, texts, strict=True):
        if len(text) == 1 and text != "\ufffd":
            bytes_of.setdefault(text, sequence)
    return bytes_of


def encode(text: str, encoding: str) -> bytes:
    """Return a text in an encoding; raises KeyError for a character that the encoding lacks."""
    if encoding in _UTF:
        return text.encode(encoding)
    if encoding == "iso-2022-jp":
        return b"".join(_japanese("".join(run), is_ascii) for is_ascii, run in groupby(text, str.isascii))
    bytes_of = repertoire(encoding)
    return b"".join([bytes_of[character] for character in text])


def _japanese(run: str, is_ascii: bool) -> bytes:
    if is_ascii:
        return run.encode()
    kanji = encode(run, "euc-jp")
    if len(kanji) != 2 * len(run) or 0x8E in kanji[::2]:
        raise KeyError(run)
    return b"\x1b$B" + bytes(byte & 0x7F for byte in kanji) + b"\x1b(B"
