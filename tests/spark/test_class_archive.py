"""The archive of Spark's classes: written once, used by the JVMs that follow, ignored where it does not fit."""

import os
import subprocess
import time
from pathlib import Path

import pyspark
import pytest

from curation.core.errors import HeadtailError
from curation.spark import session
from curation.spark.class_archive import CLAIM_SECONDS, archive_options, main
from curation.spark.java import java_home, started_java
from curation.spark.jvm import OPTION_VARIABLES

JARS = Path(pyspark.__file__).parent / "jars"


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A folder like that of a Java."""
    for name in ("bin/java", "release", "lib/modules", "lib/server/classes.jsa"):
        (tmp_path / "runtime" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runtime" / name).write_text('JAVA_VERSION="17.0.1"\n')
    return tmp_path / "runtime"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir(mode=0o700)
    return tmp_path / "cache"


def names(options: list[str]) -> list[str]:
    return [option.split("=")[0] for option in options]


def archive_of(options: list[str]) -> Path:
    return Path(options[0].split("=")[1])


def test_one_process_writes_the_archive_and_others_use_it(runtime: Path, folder: Path) -> None:
    java = str(runtime / "bin" / "java")
    writes = archive_options(java, folder)
    assert names(writes) == ["-XX:ArchiveClassesAtExit", "-Xlog:cds*"]
    assert archive_options(java, folder) == []
    archive_of(writes).write_bytes(b"archive")
    assert archive_options(java, folder) == [f"-XX:SharedArchiveFile={archive_of(writes)}", "-Xlog:cds*=off"]


def test_an_archive_that_was_never_written_is_written_later(runtime: Path, folder: Path) -> None:
    java = str(runtime / "bin" / "java")
    archive_options(java, folder)
    (claim,) = folder.iterdir()
    long_ago = time.time() - CLAIM_SECONDS - 1
    os.utime(claim, (long_ago, long_ago))
    writes = archive_options(java, folder)
    assert names(writes)[:1] == ["-XX:ArchiveClassesAtExit"]
    # As a JVM leaves it that is killed while it writes: the header comes last.
    archive_of(writes).write_bytes(bytes(4096) + b"classes")
    assert archive_options(java, folder) == []
    os.utime(claim, (long_ago, long_ago))
    assert archive_options(java, folder) == writes


def test_another_java_in_its_place_gets_another_archive(runtime: Path, folder: Path) -> None:
    java = str(runtime / "bin" / "java")
    archive_of(archive_options(java, folder)).write_bytes(b"archive")
    (runtime / "release").write_text('JAVA_VERSION="17.0.2"\n')
    assert names(archive_options(java, folder))[:1] == ["-XX:ArchiveClassesAtExit"]


@pytest.mark.parametrize(
    "option", ["-XX:SharedArchiveFile=/a", "-Xshare:off", "-javaagent:/a.jar", "-Dname='it -agentlib:jdwp=server=y"]
)
def test_options_of_the_user_come_first(runtime: Path, folder: Path, option: str) -> None:
    assert archive_options(str(runtime / "bin" / "java"), folder, [option]) == []


def test_nothing_that_others_can_write_is_mapped(runtime: Path, folder: Path) -> None:
    java = str(runtime / "bin" / "java")
    archive = archive_of(archive_options(java, folder))
    archive.write_bytes(b"archive")
    archive.chmod(0o666)
    assert archive_options(java, folder) == []
    archive.chmod(0o644)
    folder.chmod(0o777)
    assert archive_options(java, folder) == []


def test_without_room_or_a_runtime_there_is_no_archive(
    runtime: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archive_options("/nowhere/bin/java", folder) == []
    monkeypatch.setattr("curation.spark.class_archive.ROOM_BYTES", 1 << 60)
    assert archive_options(str(runtime / "bin" / "java"), folder) == []


def test_a_launcher_of_another_kind_starts_no_java_of_ours(tmp_path: Path) -> None:
    assert started_java(tmp_path) == ""
    (tmp_path / "bin").mkdir()
    for launcher in (b"", b"#!/bin/sh\n", b"#!/bin/sh\nexec 'java", b"\x7fELF\xff\xfe", b"java -version"):
        (tmp_path / "bin" / "java").write_bytes(launcher)
        assert started_java(tmp_path) == ""
    assert archive_options("", tmp_path) == []


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The options of the JVMs that _start starts: those with an archive end with an error."""
    started: list[str] = []

    def start_jvm(settings: dict[str, str]) -> None:
        started.append(settings.get(session.JAVA_OPTIONS, ""))
        if "-XX:Archive" in started[-1]:
            raise HeadtailError("CDS dumping does not support native JVMTI agent")

    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(session, "start_jvm", start_jvm)
    monkeypatch.setattr(session, "name_user", lambda _: None)
    monkeypatch.setattr(session.SparkContext, "_ensure_initialized", lambda **_: None)
    return started


def test_spark_starts_without_an_archive_where_it_does_not_with_one(
    starts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "archive_options", lambda *_: ["-XX:ArchiveClassesAtExit=/a.jsa"])
    session._start({session.JAVA_OPTIONS: "-Da=b"})
    assert starts == ["-Da=b -XX:ArchiveClassesAtExit=/a.jsa", "-Da=b"]


@pytest.mark.parametrize("name", OPTION_VARIABLES)
def test_options_in_the_environment_count(
    starts: list[str], runtime: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(session, "started_java", lambda _: str(runtime / "bin" / "java"))
    monkeypatch.setenv("JAVA_HOME", str(folder))
    monkeypatch.setenv(name, "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n")
    session._start({})
    assert starts == [""]


def test_a_real_jvm_loads_its_classes_from_the_archive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_TOOL_OPTIONS", raising=False)
    java = started_java(Path(java_home()))
    program = ["-cp", f"{JARS}/*", "org.apache.spark.deploy.SparkSubmit", "--version"]

    def shared_classes() -> int:
        log = folder / "loaded.log"
        options = [*archive_options(java, folder), f"-Xlog:class+load:file={log}"]
        done = subprocess.run([java, *options, *program], capture_output=True, text=True, check=True)
        assert "[warning]" not in done.stdout + done.stderr
        return log.read_text().count("shared objects file (top)")

    assert shared_classes() == 0
    assert shared_classes() > 20
    (archive,) = folder.glob("*.jsa")
    archive.chmod(0o600)
    with archive.open("r+b") as file:  # as a JVM leaves it that is killed while it writes: the header comes last
        file.write(bytes(4096))
    assert shared_classes() == 0


def test_options_for_the_driver_of_a_spark_submit_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("curation.spark.class_archive._write_base", lambda _java, _base: True)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    main()
    main()
    writes, waits, _ = capsys.readouterr().out.split("\n")
    assert "-XX:ArchiveClassesAtExit=" + str(tmp_path) in writes
    assert waits == ""  # another process writes it
