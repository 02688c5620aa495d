"""Outside the two spark/ folders nothing imports Spark or Hydra, so that any program can use it."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

PURE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("curation", "metadata")
    for path in (ROOT / package).rglob("*.py")
    if "spark" not in path.parts and path.name != "__init__.py"
)

BLOCKED = """
import importlib, sys
for name in ("pyspark", "hydra", "omegaconf", "conf", "jobs"):
    sys.modules[name] = None
failed = []
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        failed.append(f"{module}: {error}")
print("\\n".join(failed))
"""


def test_pure_modules_import_without_spark() -> None:
    assert "curation.balancing" in PURE
    done = subprocess.run([sys.executable, "-c", BLOCKED, *PURE], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("package", ["curation", "metadata"])
def test_the_block_blocks(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, f"{package}.spark.session"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert f"{package}.spark.session" in done.stdout
