"""Labels and decoders against the stored answers of a browser: tests/encoding_oracle.py."""

import json
import re
from itertools import groupby

import pytest

from curation.sources.encodings import ENCODING_OF_LABEL, ENCODINGS, decode, encoding_of
from tests.encoding_oracle import DECODED, FILE, digest, drawn, pairs

ORACLE = json.loads(FILE.read_text())
READ_ON = {
    "gbk": re.compile(rb"[\x81-\xfe][0-9]"),
    "gb18030": re.compile(rb"[\x81-\xfe][0-9]"),
    "iso-2022-jp": re.compile(rb"\x1b"),
    "utf-16be": re.compile(rb"\A.\Z", re.DOTALL),
    "utf-16le": re.compile(rb"\A.\Z", re.DOTALL),
}
"""Sequences for which a line end is no end: it belongs to the bytes before it, or these are read again."""
LINE_END = {"utf-16be": b"\0\n", "utf-16le": b"\n\0"}


def test_each_label_names_the_encoding_of_the_browser() -> None:
    assert ORACLE["labels"] == ENCODING_OF_LABEL
    assert (len(ENCODING_OF_LABEL), len(ENCODINGS)) == (228, 40)
    assert all(encoding_of(f"\t {label.upper()}\n".encode()) == name for label, name in ORACLE["labels"].items())


def test_other_words_are_no_labels() -> None:
    words = [b"", b"utf-7", b"cp437", b"shift jis", b"utf\xa08", "latın1".encode(), b"x" * 999]
    assert [encoding_of(word) for word in words] == [None] * len(words)


@pytest.mark.parametrize("encoding", DECODED)
def test_all_sequences_of_one_and_two_bytes(encoding: str) -> None:
    line_end = LINE_END.get(encoding, b"\n")
    groups = [(False, pairs(encoding))]
    if reading_on := READ_ON.get(encoding):
        groups = groupby(pairs(encoding), lambda sequence: bool(reading_on.search(sequence)))
    texts = []
    for reads_on, group in groups:
        # A sequence that a line end cuts off gives what one gives that the end of the input cuts off.
        texts += [decode(data, encoding) for data in (group if reads_on else [line_end.join(group)])]
    assert digest(texts) == ORACLE["sha256"][encoding][0]


@pytest.mark.parametrize("encoding", DECODED)
def test_drawn_longer_sequences(encoding: str) -> None:
    assert digest(decode(sequence, encoding) for sequence in drawn(encoding)) == ORACLE["sha256"][encoding][1]


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        pytest.param("big5", b"\x88\x62\x88\x64\x88\xa3\x88\xa5", "Ê̄Ê̌ê̄ê̌", id="two characters in one"),
        pytest.param("euc-jp", b"\x8f\xc0(\xd8\xf4", "\ufffd(\u61ff", id="JIS X 0208 behind a broken JIS X 0212"),
        pytest.param("euc-jp", b"\x8f\xdc\x80\xc0\xef", "\ufffd\u6226", id="the same with a byte beyond ASCII"),
        pytest.param("iso-2022-jp", b"\x1b(\xbfa", "\ufffd(\ufffda", id="a broken escape sequence"),
        pytest.param("replacement", b"", "", id="no byte"),
        pytest.param("replacement", b"abc", "\ufffd", id="a label that browsers refuse"),
    ],
)
def test_the_standard_where_the_browser_differs(encoding: str, data: bytes, text: str) -> None:
    assert decode(data, encoding) == text
