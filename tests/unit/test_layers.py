"""Who imports whom: the table of layers holds."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.structure import DIVIDED, MAY_IMPORT, Tree, cycles, measure, read_tree, violations

OPENED_FIRST = re.compile(r"[Oo]pen `(\w+)\.py` first")


@pytest.fixture(scope="module")
def tree() -> Tree:
    """The modules and imports of this checkout."""
    return read_tree(ROOT)


def write_tree(root: Path, files: dict[str, str]) -> Tree:
    """Write source files, with an empty `__init__` in each folder, and read them."""
    for path, source in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for folder in file.relative_to(root).parents[:-1]:
            (root / folder / "__init__.py").touch()
        file.write_text(source)
    return read_tree(root)


def test_each_import_is_in_the_table(tree: Tree) -> None:
    if found := violations(tree):
        pytest.fail("\n".join(found), pytrace=False)  # an assertion would cut the list


def test_no_module_reaches_itself(tree: Tree) -> None:
    assert cycles(tree.module_graph) == []


def test_the_table_has_no_cycle() -> None:
    packages = {package: {name for name in row if name in MAY_IMPORT} for package, row in MAY_IMPORT.items()}
    assert cycles(packages) == []


def test_each_row_has_a_package(tree: Tree) -> None:
    without = [package for package in MAY_IMPORT if package not in tree.packages]
    assert without == []


@pytest.mark.parametrize("package", [name for name in sorted(MAY_IMPORT) if name not in DIVIDED])
def test_each_package_names_the_module_to_open_first(tree: Tree, package: str) -> None:
    assert package in tree.modules, f"{package} has no __init__.py"
    named = OPENED_FIRST.search(tree.modules[package].docstring)
    assert named, f'the docstring of {package} names no module to open first: "Open `x.py` first"'
    assert (ROOT / package.replace(".", "/") / f"{named[1]}.py").is_file(), f"{package} has no {named[1]}.py"


def test_the_pattern_finds_a_name() -> None:
    assert OPENED_FIRST.search("A stage. Open `match.py` first: it is short.")[1] == "match"
    assert OPENED_FIRST.search("A stage. See match.py.") is None


def test_a_broken_table_is_reported_line_by_line(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "curation/core/tables.py": "def read():\n    import py4j.protocol\n",
            "curation/core/errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import omegaconf\n",
            "curation/core/draws.py": "from . import errors\nfrom ..sources import wat\n",
            "curation/sources/wat.py": "import json\n\ndef read():\n    from curation.extraction.urls import resolve\n",
            "curation/extraction/urls.py": "from curation.core import tables, gone\nfrom curation.sources import wat\n",
            "curation/matching/match.py": "import pyspark\n",
            "curation/images/fetch.py": "from curation.core.gone import fetch\nfrom tests.http_server import serve\n",
            "curation/captions/write.py": "from curation.core.tables import read\n",
            "curation/report/page.py": "from curation import captions\nfrom curation.captions import write\n",
            "curation/spark/session.py": "from pyspark.sql import SparkSession\nfrom hydra import compose\n",
            "curation/stray.py": "",
            "conf/schema/base.py": "from curation.core.errors import Error\nfrom curation.core import tables\n",
            "jobs/curate.py": "from curation.spark.session import SparkSession\nfrom conf.schema import base\n",
            "tools/count.py": "import pyspark\n",
        },
    )
    row = "a new stage is a new package with a row in tests/structure.py"
    assert violations(tree) == [
        f"curation/captions/: curation.captions has no row: {row}",
        f"tools/: tools has no row: {row}",
        f"curation/stray.py lies in no package: {row}",
        "conf/schema/base.py:2 imports curation.core.tables: "
        "conf may import curation.core.errors, curation.core.choices and curation.core.amounts only",
        "curation/core/draws.py:2 imports curation.sources.wat: curation.core may import nothing of ours",
        "curation/core/errors.py:3 imports omegaconf: only conf and jobs may import omegaconf",
        "curation/core/tables.py:2 imports py4j.protocol: only curation.spark, metadata.spark and jobs may import py4j",
        "curation/images/fetch.py:1 imports curation.core.gone: no such module",
        "curation/images/fetch.py:2 imports tests.http_server: only tests may import tests",
        "curation/matching/match.py:1 imports pyspark: only curation.spark, metadata.spark and jobs may import pyspark",
        *(
            f"curation/report/page.py:{line} imports {name}: curation.report may import curation.core, "
            "curation.matching, curation.balancing, curation.images and curation.shards only"
            for line, name in ((1, "curation.captions"), (2, "curation.captions.write"))
        ),
        "curation/sources/wat.py:4 imports curation.extraction.urls: curation.sources may import curation.core only",
        "curation/spark/session.py:2 imports hydra: only conf and jobs may import hydra",
    ]
    assert cycles(tree.module_graph) == [["curation.extraction.urls", "curation.sources.wat"]]


def test_a_tree_is_measured(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "curation/core/errors.py": '"""Errors."""\n\nLIMIT = 1\n',
            "curation/core/tables.py": "import json\nfrom .errors import LIMIT\nfrom curation.core import errors\n",
            "curation/sources/wat.py": "from curation.core import errors, tables\n",
            "curation/sources/warc.py": "def read():\n    import curation.core.errors as told\n",
            "tests/unit/test_wat.py": "from curation.sources import wat\n",
        },
    )
    assert measure(tree) == {
        "packages": 3,
        "modules": 7,
        "lines": 9,
        "module_imports": 4,
        "imports_across_packages": 3,
        "package_arrows": 1,
        "imports_of_core": 3,
        "package_floors": 2,
        "module_floors": 3,
        "package_cycles": [],
        "module_cycles": [],
        "by_package": {
            "curation": {"modules": 1, "lines": 0},
            "curation.core": {"modules": 3, "lines": 6},
            "curation.sources": {"modules": 3, "lines": 3},
        },
    }


def test_the_structure_is_printed_for_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def print_structure(folder: Path) -> list[str]:
        """As `python -m tests.structure FOLDER` does."""
        monkeypatch.setattr(sys, "argv", ["structure.py", str(folder)])
        runpy.run_path(str(ROOT / "tests/structure.py"), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    cycle = {"curation/wat.py": "import metadata.store\n", "metadata/store.py": "from curation import wat\n"}
    write_tree(tmp_path, cycle)
    printed = print_structure(tmp_path)
    assert "1      curation                   2       1  metadata 1" in printed
    assert "package cycles                1  curation <-> metadata" in printed
    assert '"module_cycles": [["curation.wat", "metadata.store"]]' in printed[-1]
    with pytest.raises(SystemExit, match="holds no Python package"):
        print_structure(tmp_path / "curation")
    assert capsys.readouterr().out == ""
