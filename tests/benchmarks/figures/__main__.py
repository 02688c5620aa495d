"""Measure all figures of figures.json in one sitting, and write the file and the tables of docs/scale.md.

Each part (parts.py) runs in a process of its own. What a part has found is kept in build/figures.json: a sitting that
stops goes on there on the same day, on the same machine. The files are written only if all parts have succeeded at
scale 1; the last line is a JSON object of the figures in any case.

Arguments: parts=extract,match,... (all; with some of them nothing is written) scale=1 folder=(where temporary files go;
match and growth need 3 GB) fresh=false (true: nothing is taken from a sitting that has stopped)
"""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.figures.parts import PARTS, command_of

ROOT = Path(__file__).parents[3]
FIGURES = ROOT / "curation/report/figures.json"
KEPT = ROOT / "build/figures.json"
PAGE_COMMAND = [sys.executable, "-m", "tests.golden.scale"]
PART_SECONDS = 1200
"""A part that takes longer has failed."""
IDLE_LOAD = 0.7
Found = dict[str, dict[str, float]]


def machine_name() -> str:
    """Return the processor of this machine with its number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{name or platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores"


def measure(name: str, scale: float, folder: str | None) -> dict[str, float]:
    """Run a part; its lines are passed on. Raises RuntimeError, with its last errors, if it fails or takes too long."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"headtail-{name}-") as place:
        command = [sys.executable, "-m", "tests.benchmarks.figures.part", name, str(scale), place]
        log = Path(place, "errors.txt")
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
            )
        watch = threading.Timer(PART_SECONDS, end_all, [process.pid])
        watch.start()
        last = ""
        try:
            assert process.stdout
            for line in process.stdout:
                last = line
                if line.startswith(f"{name}: "):
                    print(f"    {line}", end="", flush=True)
            code = process.wait()
        finally:
            watch.cancel()
            end_all(process.pid)
        if code:
            raise RuntimeError(f"it has ended with {code}: {log.read_text()[-3000:]}")
    return json.loads(last)


def end_all(session: int) -> None:
    """End a part with the processes that it has left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


def sitting(names: list[str], scale: float, folder: str | None, kept: Path | None, told: Mapping[str, object]) -> Found:
    """Measure the parts one after the other; a part that fails is told, and the others go on."""
    stored = json.loads(kept.read_text()) if kept and kept.exists() else {}
    found: Found = stored["found"] if stored.get("told") == told else {}
    for number, name in enumerate(names, 1):
        head = f"[{number}/{len(names)}] {name}"
        if name in found:
            print(f"{head}: measured before", flush=True)
            continue
        print(f"{head}, load {os.getloadavg()[0]:.1f}", flush=True)
        try:
            found[name] = measure(name, scale, folder)
        except (RuntimeError, ValueError, OSError) as error:
            print(f"{head}: FAILED: {error}", flush=True)
            continue
        if kept:
            kept.parent.mkdir(exist_ok=True)
            written = kept.with_suffix(".new")
            written.write_text(json.dumps({"told": told, "found": found}))
            written.replace(kept)
    return found


def document(found: Found, machine: str, date: str) -> dict[str, object]:
    """Return what figures.json holds: each figure with its unit, command and description."""
    figures = {
        figure: {
            "value": significant(found[part][figure]),
            "unit": described.unit,
            "command": command_of(part),
            "is": described.text,
        }
        for part, of_part in PARTS.items()
        for figure, described in of_part.items()
    }
    return {"machine": machine, "date": date, "figures": figures}


def significant(value: float) -> float:
    """Return a number with three significant digits.

    >>> [significant(value) for value in (0.0012345, 7.5149, 157.43)]
    [0.00123, 7.51, 157.0]
    """
    return float(f"{value:.3g}")


def main(arguments: list[str]) -> int:
    """Measure, print and write; return the exit code."""
    given = dict(argument.split("=", 1) for argument in arguments)
    if unknown := given.keys() - {"parts", "scale", "folder", "fresh"}:
        sys.exit(f"figures: no such argument: {', '.join(sorted(unknown))}")
    names = given["parts"].split(",") if "parts" in given else list(PARTS)
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"figures: no such part: {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    scale, whole = float(given.get("scale", 1)), "parts" not in given
    machine, date = machine_name(), datetime.now(UTC).date().isoformat()
    if (load := os.getloadavg()[0]) > IDLE_LOAD:
        print(f"other programs use this machine (load {load:.1f}): the figures will be too large", flush=True)
    if given.get("fresh") == "true":
        KEPT.unlink(missing_ok=True)
    started = time.monotonic()
    told = {"machine": machine, "date": date, "scale": scale}
    found = sitting(names, scale, given.get("folder"), KEPT if whole else None, told)
    failed = [name for name in names if name not in found]
    print(f"{len(found)} of {len(names)} parts in {time.monotonic() - started:.0f} s, on {machine}, {date}")
    for name in names:
        for figure, value in found.get(name, {}).items():
            print(f"{figure:28} {significant(value):g} {PARTS[name][figure].unit}")
    if failed:
        print(f"FAILED: {', '.join(failed)}: nothing is written; the same command measures these again")
    elif whole and scale == 1:
        FIGURES.write_text(f"{json.dumps(document(found, machine, date), indent=1, ensure_ascii=False)}\n")
        subprocess.run(PAGE_COMMAND, cwd=ROOT, check=True)
        print(f"written: {FIGURES.relative_to(ROOT)}, docs/scale.md")
        KEPT.unlink()
    print(json.dumps({figure: significant(value) for part in found.values() for figure, value in part.items()}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
