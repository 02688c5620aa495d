"""Where modules are imported from, and imports that no stage needs and how they are left out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path


def prefer_installed_spark(path: list[str]) -> None:
    """Remove the archives of pyspark's sources from an import path that holds the installed pyspark, too.

    Only the archives within that very pyspark are removed: those of another Spark may be of another version.
    """
    folders = {os.path.realpath(folder) for folder in path}
    for entry in list(path):
        archive = Path(os.path.realpath(entry))
        if archive.suffix != ".zip" or len(archive.parts) < 5:
            continue
        package = archive.parents[2]  # pyspark/python/lib/pyspark.zip
        installed = all((package.parent / name / "__init__.py").exists() for name in ("pyspark", "py4j"))
        if package.name == "pyspark" and installed and str(package.parent) in folders:
            path.remove(entry)


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Let the import of a module fail in the block, unless the process has imported it before.

    Libraries import others by the way, to see whether they are there: pyarrow and pyspark import pandas.
    """
    finder = _Absent(module)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Absent(MetaPathFinder):
    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname == self._module:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
