"""Files that are damaged at many places: of images and of shards of others."""

import random
from pathlib import Path

import pyarrow.parquet as pq

from curation.extraction.extract import ExtractTask, extract_file
from curation.images.encoding import ImageError, encode_image
from tests.http_server import draw
from tests.sample_tars import img2dataset_sample, write_tar
from tests.unit.images.settings import image_settings
from tests.unit.images.test_encoding import opened, with_exif
from tests.unit.sources.test_webdataset import SETTINGS, joined


def test_damage_anywhere_raises_nothing_but_image_errors() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"):
        body = with_exif(kind) if kind in ("JPEG", "PNG", "WEBP") else draw(1, kind)
        for at in range(0, len(body), max(1, len(body) // 150)):
            for broken in (body[:at], body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]):
                for resize in ("original", "keep_ratio"):
                    try:
                        found = encode_image(broken, image_settings(resize=resize, size=32))
                    except ImageError:
                        continue
                    assert opened(found.data).size == (found.width, found.height)


def test_no_damage_loses_what_stood_before_it(tmp_path: Path) -> None:
    samples = [img2dataset_sample(n, f"http://h.org/{n}.jpg", f"kite {n}") for n in range(12)]
    data = write_tar(tmp_path / "a.tar", joined(samples))
    ends = [data.index(f"{n:09d}.jpg".encode()) for n in range(1, 12)]
    draw = random.Random(3)
    for _ in range(200):
        damaged = bytearray(data)
        at = draw.randrange(len(data) - 20_000 if draw.random() < 0.2 else ends[-1])
        size = draw.choice((1, 8, 600))
        match draw.randrange(4):
            case 0:
                del damaged[at:]
            case 1:
                damaged[at : at + size] = draw.randbytes(size)
            case 2:
                del damaged[at : at + size]
            case 3:
                damaged[at:at] = data[:size]
        (tmp_path / "b.tar").write_bytes(damaged)
        output = str(tmp_path / "out.parquet")
        receipt = extract_file(ExtractTask(str(tmp_path / "b.tar"), output), SETTINGS)
        whole = sum(end <= at for end in ends)
        found = pq.read_table(output, columns=["text"])["text"].to_pylist()
        assert found[:whole] == [f"kite {n}" for n in range(whole)], at
        assert receipt.check()
