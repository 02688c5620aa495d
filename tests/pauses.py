"""Pauses of a module, which tests count and do not wait for."""

import time
from types import ModuleType, SimpleNamespace

import pytest


def record_pauses(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[float]:
    """Let `time.sleep` of a module end at once, and return its pauses; threads of other modules sleep on."""
    pauses: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(**(vars(time) | {"sleep": pauses.append})))
    return pauses
