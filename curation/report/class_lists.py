"""The class names of benchmarks: the lists that headtail ships, and files of one's own.

The shipped lists are `en_classnames.json` of the package clip-benchmark (MIT): 17 tasks, ImageNet-1k among them.
`pack_class_lists.py` makes the file again. A file of one's own is a JSON object of tasks: `{"pets": ["Beagle", ...]}`
is English, `{"pets": {"de": [...], "en": [...]}}` names the languages.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from importlib.resources import files
from typing import Any

from curation.core import storage
from curation.core.errors import HeadtailError

SHIPPED = "clip-benchmark"
"""The name of the shipped lists in the setting `benchmarks`."""
CLASSES_FILE, LICENCE_FILE = "clip-benchmark-classes.json", "clip-benchmark-LICENSE"
LANG = "en"
"""The language of lists that name none."""
MAX_BYTES = 16 << 20
MAX_CLASSES = 200_000
MAX_CHARACTERS = 256
"""Bounds of a file of one's own: its size, its class names, and the length of one of them."""


@dataclass(frozen=True)
class ClassList:
    """The class names of a task in one language, in the order of its list; blank names are left out."""

    task: str
    lang: str
    names: tuple[str, ...]


def read_class_lists(sources: Sequence[str]) -> list[ClassList]:
    """Return the lists of sources, each SHIPPED or the path of a file.

    Raises HeadtailError for a file that is no such list, is too large, or has a task that another source has.
    """
    found: dict[tuple[str, str], ClassList] = {}
    for source in sources:
        for each in _lists(_read(source), source):
            if (each.task, each.lang) in found:
                raise HeadtailError(
                    f"{source} has the task {each.task!r} in {each.lang}, as another source has: give it another name"
                )
            found[each.task, each.lang] = each
    return list(found.values())


def class_settings(sources: Sequence[str], lists: Sequence[ClassList]) -> dict[str, str]:
    """Return what class names add to the recipe of a report: the shipped ones nothing, as before there were any."""
    if list(sources) == [SHIPPED]:
        return {}
    return {"benchmarks": hashlib.sha256(json.dumps([astuple(each) for each in lists]).encode()).hexdigest()}


def _read(source: str) -> Any:
    if source == SHIPPED:
        return json.loads((files("curation.report") / CLASSES_FILE).read_text("utf-8"))["tasks"]
    try:
        with storage.open_input(source) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES >> 20} MiB")
        return json.loads(data)
    except FileNotFoundError:
        raise HeadtailError(
            f"benchmarks names {source}, and there is no such file: give {SHIPPED}, or a JSON file of class names"
        ) from None
    except (ValueError, RecursionError) as error:
        raise HeadtailError(f"{source} is no list of class names: {error}") from error


def _lists(tasks: Any, source: str) -> Iterator[ClassList]:
    if not isinstance(tasks, dict):
        raise HeadtailError(f"{source} is no list of class names: expected a JSON object of tasks, each with its names")
    total = 0
    for task, value in tasks.items():
        by_lang = value if isinstance(value, dict) else {LANG: value}
        for lang, names in by_lang.items():
            if not isinstance(names, list) or not all(map(_is_name, names)):
                raise HeadtailError(
                    f"{source}: the names of {task[:80]!r} in {lang[:20]!r} must be a list of texts of at most "
                    f"{MAX_CHARACTERS} characters"
                )
            total += len(names)
            if total > MAX_CLASSES:
                raise HeadtailError(f"{source} has more than {MAX_CLASSES:,} class names: divide it among reports")
            if given := tuple(name.strip() for name in names if name.strip()):
                yield ClassList(task, lang, given)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_CHARACTERS and value.isprintable()
