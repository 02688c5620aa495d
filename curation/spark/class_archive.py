"""The archive of the classes that Spark loads: with it a JVM starts Spark in half the time.

Java calls this class data sharing (JEP 350). The first run on a machine writes the archive when its JVM ends, which
takes the JVM some seconds more; the runs that follow map the file into memory. The archive stands on one of Java's own
classes, which most Javas bring along. A JVM ignores an archive that does not fit it or is not complete.

`python -m curation.spark.class_archive` prints the options for the driver of a spark-submit on this machine.
"""

import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyspark

from curation.core.errors import HeadtailError
from curation.core.ownership import is_own_file, is_own_folder, open_own_file
from curation.spark.java import java_home, started_java

CLAIM_SECONDS = 3600.0
"""After this time the process that was to write an archive counts as killed."""
ROOM_BYTES = 2 << 30
"""No archive, of about 160 MB, is written to a disk with less free space."""
QUIET = "-Xlog:cds*=off"
FOREIGN = ("SharedArchive", "ArchiveClasses", "-Xshare", "AOT", "-agent", "-javaagent", "patch-module")
"""Options of a user that are at odds with an archive of ours hold one of these; with an agent, no JVM writes one."""


def archive_options(java: str, folder: Path, given: Sequence[str] = ()) -> list[str]:
    """Return the JVM options that use the archive of a Java, or that write it; none where that is not possible.

    `java` is the path of the executable, `folder` lies in this user's cache and holds the archives of that Java,
    `given` are the user's own options, one or several in a string. One process at a time writes an archive.
    """
    if any(name in options for options in given for name in FOREIGN) or not is_own_folder(folder):
        return []
    try:
        runtime = Path(java).resolve().parents[1]
        release = (runtime / "release").read_text()
        changed = (runtime / "lib" / "modules").stat().st_mtime_ns
    except OSError:
        return []
    key = f"{release}{changed}{pyspark.__version__}{Path(pyspark.__file__).parent}"
    name = f"spark-{zlib.crc32(key.encode()):08x}"
    archive, base = folder / f"{name}.jsa", folder / f"{name}.base"
    is_complete = (runtime / "lib" / "server" / "classes.jsa").exists()
    if _is_whole(archive):
        return [f"-XX:SharedArchiveFile={archive}" if is_complete else f"-XX:SharedArchiveFile={base}:{archive}", QUIET]
    if shutil.disk_usage(folder).free < ROOM_BYTES or not _claim(folder / f"{name}.claim"):
        return []
    write = [f"-XX:ArchiveClassesAtExit={archive}", QUIET]
    if is_complete:
        return write
    return [f"-XX:SharedArchiveFile={base}", *write] if _write_base(java, base) else []


def _is_whole(archive: Path) -> bool:
    """Return whether an archive of ours is there. A JVM that is killed while it writes leaves zeros at its start."""
    file = open_own_file(archive)
    if file is None:
        return False
    with file:
        return any(file.read(4))


def _write_base(java: str, base: Path) -> bool:
    """Write the archive of Java's own classes, which takes three seconds; return whether it is there."""
    if is_own_file(base):
        return True
    new = base.with_suffix(f".base.{os.getpid()}")
    command = [java, "-Xshare:dump", f"-XX:SharedArchiveFile={new}", QUIET]
    try:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=120)
        new.replace(base)
    except (OSError, subprocess.SubprocessError):
        new.unlink(missing_ok=True)
        return False
    return True


def _claim(path: Path) -> bool:
    """Create a file unless it exists; return whether this process created it. A file of long ago is replaced."""
    try:
        if time.time() - path.stat().st_mtime > CLAIM_SECONDS:
            path.unlink()
    except OSError:
        pass
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError:
        return False
    return True


def main() -> None:
    """Print the options that use or write the archive of the Java that local runs start; an empty line without any."""
    try:
        home = Path(java_home())
    except HeadtailError as fault:
        sys.exit(str(fault))
    print(" ".join(archive_options(started_java(home), home)))  # noqa: T201


if __name__ == "__main__":
    main()
