"""The wheel as a user gets it: built once a test session, and installed where the locked packages are seen."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.conftest import ROOT

UV = ROOT / ".venv" / "uv" / "bin" / "uv"


def build_wheel(folder: Path) -> None:
    """Build the wheel into a folder, as `make pack` does."""
    pinned = ["--build-constraints", "requirements-tools.lock", "--require-build-hashes"]
    subprocess.run([UV, "build", "--quiet", "--wheel", *pinned, "--out-dir", folder], cwd=ROOT, check=True)


def install_wheel(wheel: Path, folder: Path) -> None:
    """Install a wheel into a new environment whose other packages are those of this one.

    The kernels that numba has compiled for this checkout come along: to compile them again takes longer than a test.
    """
    from curation.spark.packing import _kernels

    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    # The lines of .pth files in that folder, among them the one that leads to this checkout, are not read.
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib"))
    for name, path in _kernels():
        target = packages / Path(name).relative_to("packages")
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
