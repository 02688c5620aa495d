"""The forms of Spark's settings: a JVM that gets a wrong one does not start, and says so in many lines."""

import re
from collections.abc import Mapping

from curation.core.errors import HeadtailError

MIN_HEAP_BYTES = 471_859_200
"""Spark does not start with a smaller heap."""
_MASTER = re.compile(
    r"local(\[(\*|[1-9]\d*)(\s*,\s*[1-9]\d*)?\])?|local-cluster\[\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]"
    r"|spark://([^/\s:,]+|\[[\da-fA-F:]+\]):\d+(,[^/\s,]+:\d+)*|yarn|k8s://\S+"
)
_HEAP = re.compile(r"(\d+)([kmgt])", re.IGNORECASE)
_SIZE = re.compile(r"(\d+)(b|kb?|mb?|gb?|tb?|pb?)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_KINDS = (
    # Settings that users change; Spark itself checks the others where it uses them.
    (re.compile(r"spark\.driver\.memory"), "heap"),
    (re.compile(r"spark\.(.*\.(memoryOverhead|maxResultSize|pyspark\.memory)|executor\.memory)"), "size"),
    (re.compile(r"spark\.memory\.offHeap\.size"), "size"),
    (re.compile(r"spark\..*\.(cores|instances|maxFailures|maxConsecutiveAttempts|shuffle\.partitions)"), "count"),
    (re.compile(r"spark\.excludeOnFailure\.task\.maxTaskAttemptsPer(Node|Executor)"), "count"),
    (re.compile(r"spark\.(.*\.enabled|speculation)"), "switch"),
)


def check_master(master: str | None) -> None:
    """Raise HeadtailError for a master of a form that Spark does not know."""
    if master is not None and not _MASTER.fullmatch(master):
        raise HeadtailError(
            f"spark.master={master} is no Spark master: expected local[4], local[*], spark://host:7077, yarn or "
            "k8s://https://host:443"
        )


def check_heap(name: str, value: str) -> None:
    """Raise HeadtailError for a heap that a JVM does not take, or that is too small for Spark."""
    found = _HEAP.fullmatch(value.strip())
    if not found:
        raise HeadtailError(f"{name}={value} is no memory size: expected a whole number and k, m, g or t, as in 4g")
    if int(found[1]) << _UNITS[found[2].lower()] < MIN_HEAP_BYTES:
        raise HeadtailError(f"{name}={value} is too small: Spark needs at least 512m")


def check_values(name: str, settings: Mapping[str, str]) -> None:
    """Raise HeadtailError for a key that is none of Spark's, and for a size, count or switch of the wrong form."""
    for key, value in settings.items():
        if not key.startswith("spark."):
            raise HeadtailError(f"{name}: Spark ignores {key}: its settings begin with spark.")
        kind = next((kind for pattern, kind in _KINDS if pattern.fullmatch(key)), "")
        text = str(value).strip()
        if kind == "heap":
            check_heap(f"{name}.{key}", text)
        elif kind == "size" and not _SIZE.fullmatch(text):
            raise HeadtailError(f"{name}.{key}={value} is no size: expected a whole number and k, m, g or t, as in 4g")
        elif kind == "count" and not text.isdecimal():
            raise HeadtailError(f"{name}.{key}={value} is no count: expected a whole number")
        elif kind == "switch" and text.lower() not in ("true", "false"):
            raise HeadtailError(f"{name}.{key}={value} must be true or false")
