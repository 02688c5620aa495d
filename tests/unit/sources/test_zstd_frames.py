"""Zstd archives: frames with and without a dictionary, damage, and bounds."""

import io
import random
from collections.abc import Callable
from functools import cache

import pytest

from curation.core.choices import SourceKind
from curation.sources import zstd_frames
from curation.sources.archives import BREAK, ReadLog, read_plain
from curation.sources.source_kinds import foreign_kind
from curation.sources.warc import WarcReader
from tests.packing import packed, skippable, trained_dictionary, zstd_frame
from tests.unit.sources.test_warc import HTML, PAGE, response

RANDOM = random.Random(5)
RECORDS = [
    response((PAGE.format(f"kite {n}") + RANDOM.randbytes(RANDOM.randrange(900)).hex()).encode(), HTML)
    for n in range(60)
]
WHOLE = b"".join(RECORDS)
HALF = len(RECORDS) // 2


@cache
def dictionary() -> bytes:
    return trained_dictionary(RECORDS)


@cache
def other() -> bytes:
    return trained_dictionary([record[::-1] for record in RECORDS])


@cache
def frames() -> list[bytes]:
    return [zstd_frame(record) for record in RECORDS]


@cache
def with_dictionary() -> list[bytes]:
    return [zstd_frame(record, dictionary()) for record in RECORDS]


def plain(data: bytes) -> tuple[bytes, ReadLog]:
    log = ReadLog()
    return b"".join(read_plain(io.BytesIO(data), log)), log


def alts(data: bytes) -> list[int]:
    """The numbers of the records that a WARC reader finds."""
    found = [alt for links in WarcReader(io.BytesIO(data), ReadLog()) for alt in links.texts["alt"].to_pylist()]
    return [int(alt.removeprefix("kite ")) for alt in found if alt]


FILES = {
    "a frame a record": lambda: b"".join(frames()),
    "one frame": lambda: zstd_frame(WHOLE),
    "a frame of known size": lambda: packed(WHOLE, "zstd"),
    "several frames a record": lambda: b"".join(zstd_frame(WHOLE[at : at + 499]) for at in range(0, len(WHOLE), 499)),
    "a dictionary": lambda: skippable(dictionary()) + b"".join(with_dictionary()),
    "a packed dictionary": lambda: skippable(packed(dictionary(), "zstd")) + b"".join(with_dictionary()),
    "a dictionary without use": lambda: skippable(other()) + b"".join(frames()),
    "two files in a row": lambda: skippable(dictionary()) + b"".join(with_dictionary()[:HALF])
    + skippable(packed(other(), "zstd")) + b"".join(zstd_frame(record, other()) for record in RECORDS[HALF:]),
    "a dictionary in the middle": lambda: b"".join(frames()[:HALF]) + skippable(dictionary())
    + b"".join(with_dictionary()[HALF:]),
    "extensions between": lambda: b"".join(frame + skippable(b"x" * n, 2) for n, frame in enumerate(frames())),
    "an extension in front": lambda: skippable(b"x", 0) + b"".join(frames()),
    "empty frames": lambda: zstd_frame(b"").join([b"", *frames(), b""]),
    "zeros behind": lambda: b"".join(frames()) + bytes(999),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_whole_files(name: str) -> None:
    file = FILES[name]()
    data, log = plain(file)
    assert data == WHOLE
    assert not log.faults
    assert log.bytes_read == len(file)
    assert log.plain_bytes == len(WHOLE)
    pieces = b"".join(piece or b"damage" for piece in zstd_frames.read_frames(io.BytesIO(file), ReadLog()))
    assert pieces == WHOLE, "the frames one by one"


def broken(frames: list[bytes], number: int = HALF, at: float = 0.5) -> list[bytes]:
    """Change four bytes of a frame."""
    frame = bytearray(frames[number])
    place = max(int(len(frame) * at), 4)
    frame[place : place + 4] = bytes(byte ^ 255 for byte in frame[place : place + 4])
    return [*frames[:number], bytes(frame), *frames[number + 1 :]]


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("has_dictionary", [False, True], ids=["plain", "dictionary"])
def test_damage_ends_a_frame(has_dictionary: bool, at: float) -> None:
    parts = [skippable(dictionary()), *with_dictionary()] if has_dictionary else frames()
    number = len(parts) - HALF
    data, log = plain(b"".join(broken(parts, number, at)))
    record = number - (len(parts) - len(RECORDS))
    assert data.startswith(b"".join(RECORDS[:record]))
    assert data.endswith(BREAK + b"".join(RECORDS[record + 1 :]))
    assert [offset for offset, _ in log.faults] == [sum(map(len, parts[:number]))]
    assert "zstd frame" in log.faults[0][1]
    assert {*range(len(RECORDS))} - {*alts(b"".join(broken(parts, number, at)))} <= {record}


FOREIGN, DAMAGED = "bytes that belong to no zstd frame", "damaged zstd frame: "
NO_DICTIONARY = "the dictionary of the zstd frames is damaged: "


@pytest.mark.parametrize(
    ("make", "numbers", "fault"),
    [
        pytest.param(lambda: b"".join(frames())[:-9], range(59), "the file ends within a zstd frame", id="cut off"),
        pytest.param(lambda: b"".join(frames()[:9]) + frames()[9][:2], range(9), FOREIGN, id="cut off in a magic"),
        pytest.param(
            lambda: b"".join(frames()[:9]) + b"junk" * 99 + b"".join(frames()[9:]), range(60), FOREIGN, id="junk"
        ),
        pytest.param(
            lambda: b"".join(frames()[:9]) + skippable(bytes(99))[:7] + b"\x7f" + b"".join(frames()[9:]), range(60),
            "a damaged skippable frame of zstd", id="a huge skippable frame",
        ),
        pytest.param(
            lambda: b"".join(frames()[:9]) + frames()[9][:-40] + b"".join(frames()[10:]), [*range(9), *range(10, 60)],
            DAMAGED, id="bytes lost",
        ),
        pytest.param(lambda: b"".join(with_dictionary()), [], f"{DAMAGED}Dictionary mismatch", id="no dictionary"),
        pytest.param(
            lambda: skippable(other()) + b"".join(with_dictionary()), [], f"{DAMAGED}Dictionary mismatch", id="another"
        ),
        pytest.param(
            lambda: skippable(b"x" * 99) + b"".join(frames()), range(60),
            f"{NO_DICTIONARY}it does not begin", id="other bytes",
        ),
        pytest.param(
            lambda: skippable(packed(dictionary(), "zstd")[:-9]) + b"".join(frames()), range(60), NO_DICTIONARY,
            id="cut dictionary",
        ),
        pytest.param(
            lambda: skippable(packed(dictionary() + bytes(9 << 20), "zstd")) + b"".join(frames()), range(60),
            f"{NO_DICTIONARY}more than 8388608 bytes", id="a dictionary of 9 MB",
        ),
        pytest.param(lambda: skippable(b"")[:-1], [], NO_DICTIONARY, id="half a head"),
        pytest.param(lambda: frames()[0][:4], [], "the file ends within a zstd frame", id="a magic"),
        pytest.param(
            lambda: b"\x28\xb5\x2f\xfd\x00\x90\x23\x03\x00a" + b"".join(frames()), range(60),
            f"{DAMAGED}Frame requires too much memory", id="a window of 256 MB",
        ),
    ],
)  # fmt: skip
def test_faults(make: Callable[[], bytes], numbers: range, fault: str) -> None:
    data = make()
    _, log = plain(data)
    assert log.faults[0][1].startswith(fault), log.faults
    assert alts(data) == [*numbers]


def test_all_blocks_before_the_damage_are_kept() -> None:
    text = RANDOM.randbytes(250_000).hex().encode()
    frame = zstd_frame(text)
    for cut in (len(frame) - 99, len(frame) // 2, len(frame) // 4):
        data, log = plain(frame[:cut] + zstd_frame(b"next"))
        kept, _, rest = data.partition(BREAK)
        assert text.startswith(kept)
        assert len(kept) > len(text) * cut / len(frame) - 131_072
        assert (rest, len(log.faults)) == (b"next", 1)


def test_bombs_are_read_in_pieces() -> None:
    bomb = packed(bytes(1 << 25), "zstd") * 9
    log = ReadLog(max_bytes=1 << 20)
    pieces = list(read_plain(io.BytesIO(bomb), log))
    assert max(map(len, pieces)) <= zstd_frames.PIECE_BYTES
    assert log.plain_bytes < 2 << 20
    assert "not read any further" in log.faults[0][1]


def test_the_kind_of_a_zstd_file_is_known() -> None:
    for data in (FILES["a frame a record"](), FILES["a dictionary"]()):
        assert foreign_kind(io.BytesIO(data), SourceKind.warc) == ""
        assert (
            foreign_kind(io.BytesIO(data), SourceKind.wat)
            == "it is a WARC file, and source.kind is wat: set source=warc"
        )


def test_a_packed_arc_is_refused() -> None:
    log = ReadLog()
    assert not list(WarcReader(io.BytesIO(zstd_frame(b"filedesc://x.arc 0.0.0.0 20080430 text/plain 75\n" * 9)), log))
    assert log.faults[0][1] == "this is an ARC file, which is not supported; convert it to WARC"
