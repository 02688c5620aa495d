"""Five hundred crafted variants of each kind of input; the modules of tests/fuzz make any number of them."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.fuzz import images, tables, tars, wikitext


@pytest.mark.parametrize("kind", [tables, wikitext, tars, images], ids=lambda kind: kind.__name__.rsplit(".", 1)[-1])
def test_no_variant_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: ModuleType) -> None:
    monkeypatch.chdir(tmp_path)  # where a variant that fails is left
    outcomes = kind.main(variants=500, seed=3)
    del outcomes["slowest_milliseconds"], outcomes["growth_megabytes"]
    assert sum(outcomes.values()) == 500
    assert len(outcomes) > 1, "faults, and what was read"
