"""Our packages are found whatever has their names: in the working folder, on PYTHONPATH, over ours, imported before."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from headtail import names
from tests.conftest import ROOT
from tests.hostile_names import NAMES, foreign_packages

MODULE = [sys.executable, "-m", "headtail"]
SCRIPT = [sys.executable, str(ROOT / "jobs" / "estimate.py")]
"""As spark-submit runs a job: the folder of the job comes first on the path, the working folder is not on it."""


def call(command: list[str], cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "form"),
    [
        pytest.param([*MODULE, "estimate"], 0, id="module, conf is a package"),
        pytest.param([*MODULE, "estimate"], 1, id="module, conf is a module"),
        pytest.param([*MODULE, "estimate"], 2, id="module, conf is a namespace"),
        pytest.param(SCRIPT, 0, id="script, conf is a package"),
        pytest.param(SCRIPT, 1, id="script, conf is a module"),
    ],
)
def test_ours_are_found_beside_foreign_ones(command: list[str], form: int, tmp_path: Path) -> None:
    cwd, path = foreign_packages(tmp_path / "cwd", form), foreign_packages(tmp_path / "path", form + 1)
    done = call([*command, "archives=1"], cwd, path, ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("| stage |")


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["module", "script"])
@pytest.mark.parametrize(
    ("file", "place"),
    [("conf/__init__.py", "conf"), ("conf.py", "conf.py"), ("conf/schema.py", "conf")],
    ids=["package", "module", "namespace"],
)
def test_one_that_was_imported_before_is_told(command: list[str], file: str, place: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    alone = f"import sys; path, sys.path[:] = sys.path[:], [{str(tmp_path)!r}]\nimport conf\nsys.path[:] = path\n"
    (tmp_path / "sitecustomize.py").write_text(alone)
    done = call(command, tmp_path, tmp_path, ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"headtail: another package conf, {tmp_path}/{place}, was imported before headtail's: "
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("init", "told"),
    [
        pytest.param("", "conf/__init__.py is not headtail's, another package conf was installed over it: ", id="over"),
        pytest.param(None, "conf is no package of headtail's: install headtail again", id="gone"),
    ],
)
def test_one_that_was_installed_over_ours_is_told(init: str | None, told: str, tmp_path: Path) -> None:
    for name in ("curation", "headtail", "jobs", "metadata"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "conf").mkdir()
    if init is not None:
        (tmp_path / "conf" / "__init__.py").write_text(init)
    done = call(MODULE, ROOT.parent, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"headtail: {tmp_path}/{told}")
    assert done.stderr.count("\n") == 1


DAEMON = """
import os, sys, types
class Stub(types.ModuleType):
    def prefer_installed_spark(self, path):
        pass
    def main(self):
        import conf, curation, metadata
        sys.stdout.write(os.path.dirname(curation.__path__[0]))
sys.modules |= {name: Stub(name) for name in ("curation.core.imports", "curation.spark.daemon")}
"""
"""A sitecustomize.py with a daemon that tells where our packages are."""


@pytest.mark.parametrize("local", [True, False], ids=["this machine", "another machine"])
def test_workers_find_ours_beside_foreign_ones(local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cwd, path = foreign_packages(tmp_path / "cwd"), foreign_packages(tmp_path / "path", 1)
    (cwd / "headtail.py").write_text("raise RuntimeError('a script of the user')")
    (path / "sitecustomize.py").write_text(DAEMON)
    monkeypatch.chdir(cwd)
    for name, value in names.worker_variables(local).items():
        monkeypatch.setenv(name, value)
    done = call([sys.executable, "-m", "headtail.daemon"], cwd, path, ROOT)
    assert (done.stdout, done.stderr) == (str(ROOT), "")


def test_workers_on_this_machine_take_the_packages_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another headtail, of another version, comes first on their path."""
    path = tmp_path / "path"
    for name in names.PACKAGES:
        (path / name).mkdir(parents=True)
        (path / name / "__init__.py").write_text(names.MARK)
    for name in ("daemon", "names"):
        (path / "headtail" / f"{name}.py").write_text((ROOT / "headtail" / f"{name}.py").read_text())
    (path / "sitecustomize.py").write_text(DAEMON)
    told = []
    for local in (True, False):
        with monkeypatch.context() as patch:
            for name, value in names.worker_variables(local).items():
                patch.setenv(name, value)
            told.append(call([sys.executable, "-m", "headtail.daemon"], tmp_path, path, ROOT).stdout)
    assert told == [str(ROOT), str(path)]


def test_a_worker_with_a_foreign_package_says_so(tmp_path: Path) -> None:
    (tmp_path / "conf.py").touch()
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport conf\n")
    done = call([sys.executable, "-m", "headtail.daemon"], tmp_path, tmp_path, ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith(f"headtail.names.NamesError: another package conf, {tmp_path}/conf.py, was imported ")


def test_the_working_folder_stays_on_the_path_where_headtail_lies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert names.worker_variables(local=True) == {names.HOME: str(ROOT)}
    assert names.worker_variables(local=False) == {"PYTHONSAFEPATH": "1"}


def test_ours_are_found_in_a_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ours.zip", "w") as file:
        for name in names.PACKAGES:
            file.writestr(f"{name}/__init__.py", names.MARK)
    home = str(tmp_path / "ours.zip")
    assert names._fault(home) is None
    spec = names.OwnPackages(home).find_spec("conf")
    assert spec is not None
    assert spec.origin == f"{home}/conf/__init__.py"


JOBS = [path for path in sorted(ROOT.glob("jobs/*.py")) if "launch(run)" in path.read_text()]


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_a_job_finds_our_packages_before_it_imports_them(job: Path) -> None:
    imports = [each for each in ast.parse(job.read_text()).body if isinstance(each, ast.ImportFrom | ast.Import)]
    modules = [each.module or "" if isinstance(each, ast.ImportFrom) else each.names[0].name for each in imports]
    ours = [module for module in modules if module.split(".")[0] in (*NAMES, "headtail")]
    assert ours[0] == "headtail.start"


@pytest.mark.parametrize("form", ["curation/__init__.py", "curation.py"], ids=["package", "module"])
@pytest.mark.parametrize("first", ["", "import curation; "], ids=["unseen", "imported"])
def test_a_foreign_package_in_the_way_is_named(form: str, first: str, tmp_path: Path) -> None:
    (tmp_path / form).parent.mkdir(exist_ok=True)
    (tmp_path / form).write_text("MINE = 1\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {first}import headtail; headtail.EntryList"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("ImportError: headtail needs its own package curation, ")
    assert f"{tmp_path}/curation" in line
