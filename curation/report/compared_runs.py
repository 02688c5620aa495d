"""Runs as `compare` reads them: the values of the report, or of manifests and thresholds where there is no report.

A report's values are compared as numbers under a path: `stages.balance_pairs.rows_out`. An item of a list is named by
its first text (`stage`, `lang`, `reason`, ...), so keys that reports gain are compared without more code.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parts import Part, sum_receipts
from curation.core.recipes import flatten
from curation.core.seeds import publishable, with_fingerprints
from curation.report.run_paths import RunPaths
from curation.report.run_state import CHAIN, RunState

SKIPPED = frozenset(
    ("format", "samples", "curve", "top_before", "top_after", "names", "examples", "settings", "kept_texts")
)
"""Keys of objects and lists that hold no numbers of a run: pictures, texts, curves; and the format. Entries that moved
are found in the table `entries`."""
MAX_ITEMS, MAX_NAME = 2_000, 120
"""Items of a list that are compared, and characters of the name of an item."""
STAGES = {"pairs": "extract_pairs", "matches": "match_pairs", "curated": "balance_pairs", "shards": "write_shards"}
"""Table -> stage, of those whose manifests count each row once."""

Values = dict[str, Any]


@dataclass(frozen=True)
class ComparedRun:
    """A run: its folder, its tables, and the values of its report; `is_reported`: report.json is there."""

    path: str
    state: RunState
    values: Values
    is_reported: bool

    @classmethod
    def open(cls, path: str) -> Self:
        """Read the manifests of a run and its report; raises HeadtailError if the folder is no run."""
        state = RunState.read(path)
        if not state.is_run:
            raise HeadtailError(f"{path} holds no table of headtail: expected the folder of a run")
        report = storage.join(state.path, "report", "report.json")
        try:
            return cls(state.path, state, storage.read_json(report), True)
        except FileNotFoundError:
            return cls(state.path, state, _values(state), False)
        except ValueError as error:
            raise HeadtailError(f"{report} is damaged ({error}): run report_stats again") from error

    def parts(self, table: str) -> Sequence[Part]:
        """Return the parts of a table whose files are there."""
        return [part for part in self.state.tables[table].parts if not part.cleaned]

    def numbers(self) -> dict[str, float]:
        """Return the numbers by their path."""
        return dict(_numbers(self.values, ""))

    @property
    def jobs(self) -> list[str]:
        """The jobs of the chain whose settings its manifests hold, in their order."""
        return list(dict.fromkeys(job for name, (job, _) in CHAIN.items() if self.state.tables[name].parts))

    @property
    def swept(self) -> str:
        """The folder of the run of which this is a variant, made by a sweep; "" if it is a run of its own."""
        folder, _, name = self.path.rstrip("/").rpartition("/")
        is_variant = folder.endswith("/sweep") and name and not self.state.tables["matches"].is_there
        return folder.removesuffix("/sweep") if is_variant else ""

    def settings(self) -> dict[str, str]:
        """Return the settings of the stages by stage and key, with paths as reports show them, and without secrets."""
        paths, found = RunPaths(self.path), dict[str, str]()
        for name, (job, _) in CHAIN.items():
            # A fingerprint tells whether two drawn seeds are the same one.
            told = publishable(flatten(with_fingerprints(self.state.settings(name))))
            found |= {f"{job}.{key}": str(value) for key, value in paths.values(told).items()}
        return found


def labels(runs: Sequence[ComparedRun]) -> list[str]:
    """Return a short name for each run: the end of its path that the others do not have."""
    ends = [run.path.rstrip("/").split("/") for run in runs]
    for length in range(1, max(map(len, ends)) + 1):
        names = [posixpath.join(*end[-length:]) for end in ends]
        if len(set(names)) == len(names):
            return names
    return [f"{end[-1]} ({number})" for number, end in enumerate(ends, 1)]


def _values(state: RunState) -> Values:
    """Return as much of a report as manifests and thresholds tell."""
    stages = []
    for table, stage in STAGES.items():
        if parts := state.tables[table].parts:
            receipt = sum_receipts(parts).check()
            drops = [{"reason": reason, "count": count} for reason, count in sorted(receipt.drops.items())]
            stages.append({"stage": stage, "rows_in": receipt.rows_in, "rows_out": receipt.rows_out, "drops": drops})
    return {"stages": stages, "languages": state.thresholds()}


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in SKIPPED or (path and isinstance(inner, int)):  # `samples` of a language is a number
                yield from _numbers(inner, f"{path}.{key}" if path else str(key)[:MAX_NAME])
    elif isinstance(value, list):
        for item in value[:MAX_ITEMS]:
            if isinstance(item, Mapping) and (name := _name(item)):
                yield from _numbers(item, f"{path}.{name}")


def _name(item: Mapping[str, Any]) -> str:
    """Return the name of an item: its first text, with its language where it has one.

    >>> _name({"task": "pets", "lang": "en", "classes": 37}), _name({"lang": "en", "name": "English"}), _name({"n": 1})
    ('pets en', 'en', '')
    """
    first = next(((key, value) for key, value in item.items() if isinstance(value, str)), ("", ""))
    lang = f" {item['lang']}" if first[0] != "lang" and isinstance(item.get("lang"), str) else ""
    return f"{first[1][:MAX_NAME]}{lang}"
