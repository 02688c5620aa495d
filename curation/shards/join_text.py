"""What a join of rows with samples came to, as one line."""

from collections.abc import Mapping
from typing import Any

from curation.core.amounts import counted

_LEFT = {
    "faulty_rows": "faulty",
    "fits_no_image": "of no image of the set",
    "fit_no_image": "of no image of the set",
    "same_key": "with the key of another row",
    "same_image": "of an image with another row",
}
_MORE = {
    "joined_by_both_keys": "joined by two keys",
    "further_keys": "samples with further rows by another key",
    "cut": "captions cut",
}


def join_text(counts: Mapping[str, Any], what: str) -> str:
    """Return how many samples or images have `what`, of how many rows, and what was left out, where anything was.

    >>> join_text({"rows": 9, "faulty_rows": 0, "same_key": 1, "samples_with": 8, "samples_without": 2}, "a caption")
    '8 of 10 samples have a caption; 9 rows: 1 with the key of another row'
    >>> join_text({"images_with": 3, "images_without": 0, "cut": 1}, "a caption")
    '3 of 3 images have a caption; captions cut: 1'
    """
    nouns = "samples" if "samples_with" in counts else "images"
    having = counts[f"{nouns}_with"]
    parts = [f"{having:,} of {counted(having + counts[f'{nouns}_without'], nouns)} have {what}"]
    if "rows" in counts:
        left = ", ".join(f"{counts[name]:,} {text}" for name, text in _LEFT.items() if counts.get(name))
        parts.append(counted(counts["rows"], "rows") + (f": {left}" if left else ""))
    parts += [f"{text}: {counts[name]:,}" for name, text in _MORE.items() if counts.get(name)]
    return "; ".join(parts)


def captions_text(counts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each name of captions: how many were joined, and what was not.

    >>> captions_text({"short": {"samples_with": 3, "samples_without": 0}})
    ['captions.short: 3 of 3 samples have it']
    """
    return [f"captions.{name}: {join_text(mine, 'it')}" for name, mine in counts.items()]
