"""Makes the lists of class names that headtail ships, from the wheel of clip-benchmark.

`pip download --no-deps clip-benchmark==1.6.2`, then `python -m curation.report.pack_class_lists
clip_benchmark-1.6.2-py2.py3-none-any.whl` writes the lists and their licence beside this module. Of the package's lists
it takes the English ones alone: those in many languages are derived from BabelNet, whose licence is not commercial.
"""

import json
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

from curation.report.class_lists import CLASSES_FILE, LICENCE_FILE

LISTS = "clip_benchmark/datasets/en_classnames.json"


def pack(wheel: Path, target: Path) -> None:
    """Write the lists and the licence of a wheel to a folder; raises ValueError if its licence is not MIT."""
    with zipfile.ZipFile(wheel) as file:
        names = {name.rpartition("/")[2]: name for name in file.namelist() if ".dist-info/" in name}
        about = message_from_bytes(file.read(names["METADATA"]))
        licence = file.read(names["LICENSE"]).decode()
        tasks = json.loads(file.read(LISTS))
    if not licence.startswith("MIT License"):
        raise ValueError(f"{wheel} has the licence {licence.splitlines()[0]!r}, expected MIT License")
    source = f"{LISTS} of {about['Name']} {about['Version']}, {about['Home-page']}, MIT ({LICENCE_FILE})"
    text = json.dumps({"source": source, "tasks": tasks}, ensure_ascii=False, indent=0)
    (target / CLASSES_FILE).write_text(f"{text}\n", "utf-8")
    (target / LICENCE_FILE).write_text(licence, "utf-8")


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(__file__).parent)
