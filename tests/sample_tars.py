"""Shards as others write them, for tests: made with the standard library's tarfile."""

import hashlib
import io
import json
import random
import tarfile
from pathlib import Path

from PIL import Image


def picture(seed: int, kind: str = "JPEG") -> bytes:
    """A small picture, another one for each seed."""
    draw = random.Random(seed)
    image = Image.new("RGB", (40 + draw.randrange(60), 40 + draw.randrange(60)), tuple(draw.choices(range(256), k=3)))
    image.paste(tuple(draw.choices(range(256), k=3)), (5, 5, 20, 30))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def sample(key: str, image: bytes | None, text: str | None, meta: object = None, kind: str = "jpg") -> list[tuple]:
    """The members of a sample, in the order in which webdataset's writer has them: sorted by extension."""
    members = [(f"{key}.{kind}", image)] if image is not None else []
    members += [(f"{key}.json", meta if isinstance(meta, bytes) else json.dumps(meta).encode())] if meta else []
    members += [(f"{key}.txt", text.encode())] if text is not None else []
    return sorted(members)


def img2dataset_sample(number: int, url: str, text: str) -> list[tuple]:
    """A sample with the json that img2dataset writes."""
    image = picture(number)
    key = f"{number:09d}"
    meta = {
        "url": url, "caption": text, "key": key, "status": "success", "error_message": None, "width": 64, "height": 48,
        "original_width": 640, "original_height": 480, "exif": "{}", "sha256": hashlib.sha256(image).hexdigest(),
    }  # fmt: skip
    return sample(key, image, text, meta)


def write_tar(path: Path, members: list[tuple], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """Write (name, data) members; returns the bytes of the tar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path.read_bytes()
