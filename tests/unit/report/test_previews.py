"""Previews: thumbnails of the images of a shard, and the texts of entries."""

import base64
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from curation.balancing.counts import save_array
from curation.core.tar_writer import TarWriter
from curation.matching.entry_lists import EntryList
from curation.report.previews import (
    NO_PICTURE,
    SIDE_PIXELS,
    EntriesTask,
    PreviewsTask,
    plan_entries,
    plan_previews,
    read_entries,
    read_previews,
    thumbnail,
)
from curation.report.stats import SampleDraw


def encoded(mode: str, size: tuple[int, int] = (600, 200), kind: str = "PNG", colour: object = None) -> bytes:
    data = io.BytesIO()
    Image.new(mode, size, colour).save(data, kind)  # type: ignore[arg-type]
    return data.getvalue()


def decoded(url: str) -> Image.Image:
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_mode_becomes_a_small_jpeg(mode: str) -> None:
    picture = decoded(thumbnail(encoded(mode)))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (SIDE_PIXELS, SIDE_PIXELS // 3))


def test_cmyk_becomes_rgb() -> None:
    assert decoded(thumbnail(encoded("CMYK", kind="JPEG"))).mode == "RGB"


def test_transparency_becomes_white() -> None:
    assert decoded(thumbnail(encoded("RGBA", colour=(0, 0, 0, 0)))).getpixel((5, 5)) == (255, 255, 255)


def test_small_images_are_not_enlarged() -> None:
    assert decoded(thumbnail(encoded("RGB", (3, 2)))).size == (3, 2)


@pytest.mark.parametrize(
    "image",
    [b"", b"no image", encoded("RGB")[:60], encoded("RGB", kind="TIFF")],
    ids=["empty", "text", "cut off", "TIFF"],
)
def test_data_that_is_no_image_of_a_shard_gives_no_picture(image: bytes) -> None:
    assert thumbnail(image) == NO_PICTURE


def test_bombs_give_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert thumbnail(encoded("RGB")) == NO_PICTURE


@pytest.mark.parametrize("key", ["texts", "matched_texts"], ids=["old form", "new form"])
def test_samples_are_read_from_their_shards(tmp_path: Path, key: str) -> None:
    tar = tmp_path / "00000.tar"
    with open(tar, "wb") as file:
        writer = TarWriter(file)
        for uid in ("a", "b", "c"):
            text = {"text": uid, "text_key": "alt", "lang": "en", "lang_score": 1.0, "entry_ids": [1, 2]}
            text |= {"keep_probability": 0.5, "kept": True}
            values: dict[str, Any] = {
                "uid": uid,
                "url": "http://x/",
                "text": uid,
                "lang": "en",
                "keep_probability": 0.5,
            }
            values |= {"width": 6, "height": 2, "sha256": "0", "texts": [uid], key: [text]}
            writer.add(f"{uid}.json", json.dumps(values).encode())
            writer.add(f"{uid}.txt", uid.encode())
            writer.add(f"{uid}.png", encoded("RGB", (6, 2)))
        writer.close()
    (task,) = plan_previews([SampleDraw(1, "c", str(tar)), SampleDraw(2, "a", str(tar))])
    receipt = read_previews(task)
    assert [sample["uid"] for sample in receipt.outputs] == ["a", "c"]
    assert receipt.outputs[1]["texts"] == [
        {"text": "c", "lang": "en", "keep_probability": 0.5, "kept": True, "entry_ids": [1, 2]}
    ]
    assert decoded(receipt.outputs[0]["thumbnail"]).size == (6, 2)


def test_a_sample_that_is_missing_from_its_shard_raises(tmp_path: Path) -> None:
    tar = tmp_path / "00000.tar"
    with open(tar, "wb") as file:
        TarWriter(file).close()
    with pytest.raises(AssertionError, match="1 unaccounted for"):
        read_previews(PreviewsTask(str(tar), ["a"]))


class Store:
    def entry_list(self, lang: str) -> EntryList:
        texts = pa.array([f"{lang} a", None, "Mr. Smith", f"{lang} c"])
        sources = ["wordnet", "wordnet", "title", None] if lang == "en" else [None] * 4
        return EntryList(texts, pa.array(sources, pa.string()), pa.nulls(4, pa.float64()), Counter())

    def unmatchable(self, lang: str) -> np.ndarray:
        return np.array([2] if lang == "en" else [], np.int32)


def test_entries_are_named_and_counted() -> None:
    tasks = plan_entries(["de", "en"], [("en", 3), ("en", 0), ("en", 3)])
    assert tasks == [EntriesTask("de", []), EntriesTask("en", [0, 3])]
    de, en = (read_entries(task, Store()).outputs[0] for task in tasks)
    assert de == {"lang": "de", "entries": 3, "never": 0, "examples": [], "texts": {}, "sources": []}
    assert en == {
        "lang": "en",
        "entries": 3,
        "never": 1,
        "examples": ["Mr. Smith"],
        "texts": {"0": "en a", "3": "en c"},
        "sources": [],
    }


def test_matches_are_added_by_the_source_of_the_list(tmp_path: Path) -> None:
    for name, counts in (("before", [7, 9, 4, 2]), ("after", [5, 0, 4])):
        save_array(str(tmp_path / name / "en.npy"), np.array(counts))
        save_array(str(tmp_path / name / "de.npy"), np.array(counts))
    tasks = plan_entries(["de", "en"], [], str(tmp_path / "before"), str(tmp_path / "after"))
    de, en = (read_entries(task, Store()).outputs[0]["sources"] for task in tasks)
    assert de == []
    assert en == [
        {"source": "title", "entries": 1, "matched": 1, "before": 4, "after": 4},
        {"source": "unknown", "entries": 1, "matched": 1, "before": 2, "after": 0},
        {"source": "wordnet", "entries": 1, "matched": 1, "before": 7, "after": 5},
    ]
