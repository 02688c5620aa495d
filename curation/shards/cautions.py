"""Cautions about finished shards: they train, but some readers see other images than a person, or refuse the set."""

from collections import Counter
from collections.abc import Mapping

from PIL import Image

from curation.core.amounts import counted
from curation.images.as_seen import is_spoiled

_FORMAT, _SPOILED = "format ", "spoiled "
"""Beginnings of facts of a receipt, in front of the extension of images, and of the mode of spoiled ones."""


def count_image(extension: str, image: Image.Image, facts: Counter[str]) -> None:
    """Count what the cautions look at; the image is loaded, its transparent colour read (as_seen.py)."""
    facts[f"{_FORMAT}{extension}"] += 1
    if is_spoiled(image):
        facts[f"{_SPOILED}{image.mode}"] += 1


def cautions(facts: Mapping[str, int]) -> list[str]:
    """Return a line for each caution about the images that `count_image` has counted.

    >>> cautions({"format jpg": 9, "format png": 1})[0]
    'caution: the images are of several formats (jpg 9, png 1): Hugging Face datasets and NeMo Curator expect one; \
download.formats=jpg stores one'
    """
    formats, spoiled = _counts(facts, _FORMAT), _counts(facts, _SPOILED)
    found = []
    if spoiled:
        count = sum(spoiled.values())
        found.append(
            f"caution: {counted(count, 'images')} ({_listed(spoiled)}) look{'s' if count == 1 else ''} otherwise to a "
            'person than to a trainer, whose convert("RGB") turns 16-bit grey white and shows colours under '
            "transparent pixels; a new run stores them as a person sees them"
        )
    if len(formats) > 1:
        found.append(
            f"caution: the images are of several formats ({_listed(formats)}): Hugging Face datasets and NeMo Curator "
            "expect one; download.formats=jpg stores one"
        )
    return found


def _counts(facts: Mapping[str, int], begin: str) -> dict[str, int]:
    return {name.removeprefix(begin): count for name, count in sorted(facts.items()) if name.startswith(begin)}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
