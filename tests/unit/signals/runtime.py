"""A stand-in for onnxruntime, which is optional: its model gives the means and the shape of its input."""

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

MODEL = b"means"


class Session:
    """The part of `onnxruntime.InferenceSession` that is used."""

    made: list[Any]
    version = 3

    def __init__(self, weights: bytes, options: Any, providers: list[str]) -> None:
        if not weights.startswith(MODEL):
            raise RuntimeError("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : no model")
        self.options, self.providers, self.side = options, providers, weights[len(MODEL) :]
        Session.made.append(self)

    def get_providers(self) -> list[str]:
        return [name for name in self.providers if name != "BrokenExecutionProvider"] or ["CPUExecutionProvider"]

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(version=Session.version)

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="pixels", shape=["n", 3, 8, 8], type="tensor(float)")]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in ("mean", "means", "broken")]

    def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        pixels = inputs["pixels"]
        if pixels.shape != (1, 3, 8, 8) or pixels.dtype != np.float32:
            raise RuntimeError(f"Got invalid dimensions\n {pixels.shape}")
        means = pixels.mean(axis=(2, 3))
        outputs = {"mean": means.mean(axis=1), "means": means, "broken": np.array([[np.nan]], np.float32)}
        return [outputs[name] for name in names]


def stand_in() -> ModuleType:
    """The module, and an empty list of its sessions."""
    module: Any = ModuleType("onnxruntime")
    module.SessionOptions, module.InferenceSession = SimpleNamespace, Session
    module.get_available_providers = lambda: ["BrokenExecutionProvider", "CPUExecutionProvider"]
    module.__version__ = "1.0"
    Session.made = []
    return module
