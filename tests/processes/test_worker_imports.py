"""What the workers of a stage import before their first task, by name: memory and seconds follow from that."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.core.imports import absent, prefer_installed_spark
from curation.spark.daemon import import_for_workers
from tests.conftest import ROOT

LIBRARIES = (
    "numba", "pandas", "scipy.linalg", "PIL", "fastwarc", "img2dataset", "cv2", "wandb", "albumentations",
    "webdataset", "hydra", "imagehash", "unittest", "jinja2", "pyspark.sql.connect.session",
)  # fmt: skip
EXPECTED = {
    "curation.extraction.extract": {"numba", "fastwarc"},
    "curation.matching.match": {"numba"},
    "curation.balancing.balance": {"numba"},
    "curation.images.download": {"PIL", "fastwarc"},
    "curation.shards.write": {"numba", "PIL"},
    "curation.report.stats": {"numba"},
}
"""First module of a stage's tasks -> those of LIBRARIES that its workers hold."""
PROGRAM = """
import json, os, sys
from curation.spark.daemon import import_for_workers
import_for_workers("")
for module in sys.argv[2:]:
    if not os.fork():
        import_for_workers(module)
        import pyarrow
        assert pyarrow.array([1]).to_pylist() == [1]  # here pyarrow would look for pandas
        assert module in sys.modules
        found = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
        print(json.dumps([module, found]), flush=True)
        os._exit(0)
    os.wait()
"""


def test_workers_import_only_what_their_stage_needs() -> None:
    command = [sys.executable, "-c", PROGRAM, json.dumps(LIBRARIES), *EXPECTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {module: set(found) for module, found in map(json.loads, done.stdout.splitlines())} == EXPECTED


def test_a_module_that_fails_is_left_to_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fails_at_import.py").write_text("raise RuntimeError('no locator available for a cache')")
    monkeypatch.syspath_prepend(str(tmp_path))
    import_for_workers("fails_at_import")


def test_an_absent_module_is_there_again_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with absent("colorsys"), pytest.raises(ModuleNotFoundError, match="'colorsys'"):
        __import__("colorsys")
    __import__("colorsys")
    with absent("colorsys"):
        __import__("colorsys")  # imported before


@pytest.mark.parametrize(
    ("installed", "kept"),
    [(("pyspark", "py4j"), 1), (("pyspark",), 3), ((), 3)],
    ids=["installed", "without py4j", "elsewhere"],
)
def test_only_archives_of_the_installed_pyspark_are_passed_over(
    tmp_path: Path, installed: tuple[str, ...], kept: int
) -> None:
    for name in installed:
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").touch()
    library = tmp_path / "site" / "pyspark" / "python" / "lib"
    path = [str(library / "pyspark.zip"), str(library / "py4j-1-src.zip"), str(tmp_path / "site")]
    prefer_installed_spark(path)
    assert path == [str(library / "pyspark.zip"), str(library / "py4j-1-src.zip"), str(tmp_path / "site")][-kept:]


def test_archives_of_another_spark_stay(tmp_path: Path) -> None:
    for name in ("pyspark", "py4j"):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").touch()
    path = [str(tmp_path / "spark" / "python" / "lib" / "pyspark.zip"), str(tmp_path / "site")]
    prefer_installed_spark(path)
    assert len(path) == 2


def test_a_worker_that_detects_languages_does_not_import_fasttext() -> None:
    code = (
        "import sys, pyarrow as pa; from curation.extraction.language import detect_languages; "
        "detect_languages(pa.array(['das Haus'])); "
        "sys.exit('fasttext' in sys.modules or 'fasttext_pybind' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


WORKER_ALONE = """
import json, os, sys
import pyarrow as pa
from curation.images.fetch import Fetched
from curation.images.worker import Spool, run_worker
folder = os.environ["TMPDIR"]
before = set(sys.modules)
outcomes = run_worker(pa.array(["http://a.org/1"] * 3), lambda *_: Fetched("gone"), None, 2, Spool(""), folder)
loaded = {name.partition(".")[0] for name in sys.modules.keys() - before} & {
    "img2dataset", "wandb", "albumentations", "cv2", "scipy", "fire"
}
print(json.dumps([[each.fetched.status for each in outcomes], sorted(loaded)]), flush=True)
os._exit(0)  # as a worker of Spark ends: temporary folders of modules stay
"""


def test_a_worker_imports_of_img2dataset_nothing_but_its_loop_and_leaves_no_folder(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", WORKER_ALONE], env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == [["gone"] * 3, []]
    assert list(tmp_path.iterdir()) == []
