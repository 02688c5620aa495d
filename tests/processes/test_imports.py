"""What a fresh Python imports: pure modules without Spark, the public names and `--help` without anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.structure import DIVIDED, Tree, is_pure, read_tree

MODULES = sorted(f"headtail.{path.stem}" for path in (ROOT / "headtail").glob("*.py") if path.stem[0] != "_")
BLOCKED = """
import importlib, sys
for name in ("pyspark", "hydra", "omegaconf", "conf", "jobs"):
    sys.modules[name] = None
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


FAKE_TORCH = """
class IterableDataset:
    pass

class Worker:
    id = 3
    num_workers = 4

def get_worker_info():
    return Worker
"""


@pytest.fixture(scope="module")
def tree() -> Tree:
    """The modules and imports of this checkout."""
    return read_tree(ROOT)


def import_blocked(*modules: str) -> list[str]:
    """Import modules where Spark, Hydra, conf and jobs cannot be imported; returns a line for each that fails."""
    command = [sys.executable, "-c", BLOCKED, *modules]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.splitlines()


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pure_modules_import_without_spark(tree: Tree) -> None:
    names = tree.modules.items()
    pure = sorted(name for name, module in names if is_pure(module.package) and name.startswith(DIVIDED))
    assert len(pure) > 90
    assert import_blocked(*pure) == []


def test_the_block_blocks(tree: Tree) -> None:
    folders = ("curation/spark/", "metadata/spark/")
    found = {each.importer for each in tree.imports if each.path.startswith(folders) and each.target[:7] == "pyspark"}
    spark = sorted(found)
    assert {name.split(".")[0] for name in spark} == {"curation", "metadata"}
    failed = import_blocked(*spark)
    assert [line.split(": ")[0] for line in failed] == spark
    assert [line for line in failed if "pyspark" not in line.split(": ", 1)[1]] == []


def test_importing_it_imports_nothing_else() -> None:
    """The command line imports the package first, and `--help` is to take no time."""
    told = python(
        "import sys\nbefore = set(sys.modules)\nimport headtail\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    assert told == "headtail\n"


def test_no_module_needs_spark_or_hydra_or_torch() -> None:
    assert len(MODULES) > 8
    blocked = (
        "pyspark",
        "py4j",
        "hydra",
        "omegaconf",
        "conf",
        "jobs",
        "torch",
        "datasets",
        "webdataset",
        "img2dataset",
    )
    told = python(
        f"import importlib, sys\nsys.modules.update(dict.fromkeys({blocked}))\n"
        f"for name in {MODULES}:\n    importlib.import_module(name)\n"
        "print('pandas' in sys.modules)"
    )
    assert told == "False\n"  # only who has a DataFrame pays for pandas


def test_it_is_a_dataset_of_pytorch_where_pytorch_is(tmp_path: Path) -> None:
    """With stand-ins for the two names of PyTorch that it needs; `make check-training` runs the real ones."""
    (tmp_path / "torch/utils/data").mkdir(parents=True)
    for folder in ("torch", "torch/utils"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "torch/utils/data/__init__.py").write_text(FAKE_TORCH)
    program = """
import headtail, torch.utils.data
balancer = headtail.Balancer(headtail.EntryList(["dog"]), {"en": [2]}, 1)
found = headtail.BalancedDataset([{"text": "dog", "uid": "a"}] * 9, balancer)
list(found)
print(isinstance(found, torch.utils.data.IterableDataset), found.state_dict())
"""
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "True {'workers': 4, 'positions': [[3, 1, 0]]}\n"


def test_show_loads_neither_spark_nor_what_fetches_images() -> None:
    code = "import sys, jobs.show; print([name for name in ('pyspark', 'img2dataset', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("argument", ["--help", "balance.tt=5"])
def test_help_and_mistakes_import_nothing_heavy(argument: str) -> None:
    program = (
        "import sys; from jobs.cli import main; sys.argv = ['headtail', 'curate', sys.argv[1]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('numpy', 'numba', 'pyarrow', 'pyspark') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, argument], capture_output=True, text=True, check=True)
    assert "balance.t" in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_stage_for_webdataset_needs_numpy_and_webdataset_alone() -> None:
    program = """
import sys
for name in ("pyarrow", "numba", "pyspark", "hydra", "omegaconf", "fsspec"):
    sys.modules[name] = None
import curation.balancing.online
ours = {name for name in sys.modules if name.split(".")[0] in ("conf", "jobs", "curation", "metadata")}
parts = {"online", "sample_texts", "uid_mask", "worker_state"}
assert ours == {"curation", "curation.balancing", *(f"curation.balancing.{part}" for part in parts)}, ours
"""
    subprocess.run([sys.executable, "-c", program], check=True)
