"""Zstd archives: frames with and without a dictionary, damage, and bounds."""

import io
import random

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
DICTIONARY = trained_dictionary(RECORDS)
OTHER = trained_dictionary([record[::-1] for record in RECORDS])
FRAMES = [zstd_frame(record) for record in RECORDS]
WITH_DICTIONARY = [zstd_frame(record, DICTIONARY) for record in RECORDS]
HALF = len(RECORDS) // 2


def plain(data: bytes) -> tuple[bytes, ReadLog]:
    log = ReadLog()
    return b"".join(read_plain(io.BytesIO(data), log)), log


def alts(data: bytes) -> list[int]:
    """The numbers of the records that a WARC reader finds."""
    found = [alt for links in WarcReader(io.BytesIO(data), ReadLog()) for alt in links.texts["alt"].to_pylist()]
    return [int(alt.removeprefix("kite ")) for alt in found if alt]


FILES = {
    "a frame a record": b"".join(FRAMES),
    "one frame": zstd_frame(WHOLE),
    "a frame of known size": packed(WHOLE, "zstd"),
    "several frames a record": b"".join(zstd_frame(WHOLE[at : at + 99]) for at in range(0, len(WHOLE), 99)),
    "a dictionary": skippable(DICTIONARY) + b"".join(WITH_DICTIONARY),
    "a packed dictionary": skippable(packed(DICTIONARY, "zstd")) + b"".join(WITH_DICTIONARY),
    "a dictionary without use": skippable(OTHER) + b"".join(FRAMES),
    "two files in a row": skippable(DICTIONARY) + b"".join(WITH_DICTIONARY[:HALF])
    + skippable(packed(OTHER, "zstd")) + b"".join(zstd_frame(record, OTHER) for record in RECORDS[HALF:]),
    "a dictionary in the middle": b"".join(FRAMES[:HALF]) + skippable(DICTIONARY) + b"".join(WITH_DICTIONARY[HALF:]),
    "extensions between": b"".join(frame + skippable(b"x" * n, 2) for n, frame in enumerate(FRAMES)),
    "an extension in front": skippable(b"x", 0) + b"".join(FRAMES),
    "empty frames": zstd_frame(b"").join([b"", *FRAMES, b""]),
    "zeros behind": b"".join(FRAMES) + bytes(999),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_whole_files(name: str) -> None:
    data, log = plain(FILES[name])
    assert data == WHOLE
    assert not log.faults
    assert log.bytes_read == len(FILES[name])
    assert log.plain_bytes == len(WHOLE)
    pieces = b"".join(piece or b"damage" for piece in zstd_frames.read_frames(io.BytesIO(FILES[name]), ReadLog()))
    assert pieces == WHOLE, "the frames one by one"


def broken(frames: list[bytes], number: int = HALF, at: float = 0.5) -> list[bytes]:
    """Change four bytes of a frame."""
    frame = bytearray(frames[number])
    place = max(int(len(frame) * at), 4)
    frame[place : place + 4] = bytes(byte ^ 255 for byte in frame[place : place + 4])
    return [*frames[:number], bytes(frame), *frames[number + 1 :]]


@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("frames", [FRAMES, [skippable(DICTIONARY), *WITH_DICTIONARY]], ids=["plain", "dictionary"])
def test_damage_ends_a_frame(frames: list[bytes], at: float) -> None:
    number = len(frames) - HALF
    data, log = plain(b"".join(broken(frames, number, at)))
    record = number - (len(frames) - len(RECORDS))
    assert data.startswith(b"".join(RECORDS[:record]))
    assert data.endswith(BREAK + b"".join(RECORDS[record + 1 :]))
    assert [offset for offset, _ in log.faults] == [sum(map(len, frames[:number]))]
    assert "zstd frame" in log.faults[0][1]
    assert {*range(len(RECORDS))} - {*alts(b"".join(broken(frames, number, at)))} <= {record}


FOREIGN, DAMAGED = "bytes that belong to no zstd frame", "damaged zstd frame: "
NO_DICTIONARY = "the dictionary of the zstd frames is damaged: "


@pytest.mark.parametrize(
    ("data", "numbers", "fault"),
    [
        pytest.param(b"".join(FRAMES)[:-9], range(59), "the file ends within a zstd frame", id="cut off"),
        pytest.param(b"".join(FRAMES[:9]) + FRAMES[9][:2], range(9), FOREIGN, id="cut off in a magic"),
        pytest.param(b"".join(FRAMES[:9]) + b"junk" * 99 + b"".join(FRAMES[9:]), range(60), FOREIGN, id="junk"),
        pytest.param(
            b"".join(FRAMES[:9]) + skippable(bytes(99))[:7] + b"\x7f" + b"".join(FRAMES[9:]), range(60),
            "a damaged skippable frame of zstd", id="a huge skippable frame",
        ),
        pytest.param(
            b"".join(FRAMES[:9]) + FRAMES[9][:-40] + b"".join(FRAMES[10:]), [*range(9), *range(10, 60)], DAMAGED,
            id="bytes lost",
        ),
        pytest.param(b"".join(WITH_DICTIONARY), [], f"{DAMAGED}Dictionary mismatch", id="no dictionary"),
        pytest.param(skippable(OTHER) + b"".join(WITH_DICTIONARY), [], f"{DAMAGED}Dictionary mismatch", id="another"),
        pytest.param(
            skippable(b"x" * 99) + b"".join(FRAMES), range(60), f"{NO_DICTIONARY}it does not begin", id="other bytes"
        ),
        pytest.param(
            skippable(packed(DICTIONARY, "zstd")[:-9]) + b"".join(FRAMES), range(60), NO_DICTIONARY, id="cut dictionary"
        ),
        pytest.param(
            skippable(packed(DICTIONARY + bytes(9 << 20), "zstd")) + b"".join(FRAMES), range(60),
            f"{NO_DICTIONARY}more than 8388608 bytes", id="a dictionary of 9 MB",
        ),
        pytest.param(skippable(b"")[:-1], [], NO_DICTIONARY, id="half a head"),
        pytest.param(FRAMES[0][:4], [], "the file ends within a zstd frame", id="a magic"),
        pytest.param(
            b"\x28\xb5\x2f\xfd\x00\x90\x23\x03\x00a" + b"".join(FRAMES), range(60),
            f"{DAMAGED}Frame requires too much memory", id="a window of 256 MB",
        ),
    ],
)  # fmt: skip
def test_faults(data: bytes, numbers: range, fault: str) -> None:
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
    for data in (FILES["a frame a record"], FILES["a dictionary"]):
        assert foreign_kind(io.BytesIO(data), SourceKind.warc) == ""
        assert (
            foreign_kind(io.BytesIO(data), SourceKind.wat)
            == "it is a WARC file, and source.kind is wat: set source=warc"
        )


def test_a_packed_arc_is_refused() -> None:
    log = ReadLog()
    assert not list(WarcReader(io.BytesIO(zstd_frame(b"filedesc://x.arc 0.0.0.0 20080430 text/plain 75\n" * 9)), log))
    assert log.faults[0][1] == "this is an ARC file, which is not supported; convert it to WARC"
