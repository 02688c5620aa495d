"""Two or more runs side by side: the first is the one that the others are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.core.errors import HeadtailError
from curation.core.schemas import CURATED, SAMPLES
from curation.report.compared_runs import ComparedRun, labels
from curation.report.entry_moves import Moves, entry_moves
from curation.report.uid_overlap import Overlap, overlap

TABLES = {"curated": CURATED, "shards": SAMPLES}


@dataclass(frozen=True)
class Comparison:
    """What runs have in common and what not.

    `numbers` are (path, value of each run or None) of all numbers of their reports, `settings` (key, text of each run
    or "") those that differ. `overlaps` has for each table that all runs have, and each run but the first, the images
    in common with the first. `notes` say what could not be compared.
    """

    labels: list[str]
    numbers: list[tuple[str, list[float | None]]]
    settings: list[tuple[str, list[str]]]
    overlaps: dict[str, list[Overlap]]
    moves: Moves | None
    notes: list[str]

    @property
    def differing(self) -> list[tuple[str, list[float | None]]]:
        """The numbers that are not the same in all runs."""
        return [(path, values) for path, values in self.numbers if len(set(values)) > 1]

    def section(self, name: str) -> list[tuple[str, list[float | None]]]:
        """Return the numbers of a section of a report, by their paths within it."""
        found = ((*path.partition("."), values) for path, values in self.numbers)
        return [(rest or section, values) for section, _, rest, values in found if section == name]


def compare(paths: Sequence[str]) -> Comparison:
    """Compare runs by their folders; raises HeadtailError if there are fewer than two, or a folder is no run."""
    if len(paths) < 2:
        raise HeadtailError("compare takes two runs or more: a=/data/run1 b=/data/run2")
    runs = [ComparedRun.open(path) for path in paths]
    names, notes = labels(runs), list[str]()
    notes += _unreported(runs, names)
    for run, name in zip(runs, names, strict=True):
        if run.is_reported and run.state.tables["report"].behind:
            notes.append(f"the report of {name} is behind {run.state.tables['report'].behind}: run report_stats")
    overlaps = _overlaps(runs, names, notes)
    moves = entry_moves(runs)
    if moves is None:
        notes.append("not all runs have a table entries with counts: entries that moved are not shown")
    settings = _settings(runs, names, notes)
    return Comparison(names, _joined([run.numbers() for run in runs], None), settings, overlaps, moves, notes)


def _unreported(runs: Sequence[ComparedRun], names: Sequence[str]) -> list[str]:
    """Return the notes on runs without a report, and how one is written."""
    lacking = [(run, name) for run, name in zip(runs, names, strict=True) if not run.is_reported]
    if not lacking:
        return []
    told = f"no report in {', '.join(name for _, name in lacking)}: only what manifests and thresholds tell is compared"
    variant = next((run for run, _ in lacking if run.swept), None)
    if variant is None:
        return [f"{told}, until report_stats writes it"]
    places = " ".join(f"{name}={variant.path}/{name}" for name in ("thresholds", "curated", "entries", "report"))
    more = [f"{told}, until report_stats writes it"] if not all(run.swept for run, _ in lacking) else [told]
    cure = f"headtail report_stats output={variant.swept} {places} entry_lists=..."
    return [*more, f"the report of a sweep's variant: {cure}"]


def _settings(runs: Sequence[ComparedRun], names: Sequence[str], notes: list[str]) -> list[tuple[str, list[str]]]:
    """Return the settings that differ between the runs that have the job; note the jobs that not all of them have."""
    jobs = [run.jobs for run in runs]
    found: list[tuple[str, list[str]]] = _joined([run.settings() for run in runs], "")
    by_lack: dict[tuple[str, ...], list[str]] = {}
    for job in dict.fromkeys(job for each in jobs for job in each):
        lacking = tuple(name for name, each in zip(names, jobs, strict=True) if job not in each)
        by_lack.setdefault(lacking, []).append(job)
    for lacking, absent in by_lack.items():
        if lacking:
            notes.append(
                f"settings of {', '.join(absent)} are not compared with {', '.join(lacking)}: no table is there"
            )

    def differs(key: str, values: list[str]) -> bool:
        job = key.partition(".")[0]
        return len({value for value, each in zip(values, jobs, strict=True) if job in each}) > 1

    return [(key, values) for key, values in found if differs(key, values)]


def _joined(each: Sequence[dict[str, Any]], missing: Any) -> list[tuple[str, list[Any]]]:
    """Return the keys of dicts in their order, those of later ones at the end, with the value in each."""
    keys = dict.fromkeys(key for one in each for key in one)
    return [(key, [one.get(key, missing) for one in each]) for key in keys]


def _overlaps(runs: Sequence[ComparedRun], names: Sequence[str], notes: list[str]) -> dict[str, list[Overlap]]:
    found: dict[str, list[Overlap]] = {}
    for table, schema in TABLES.items():
        files = [[file for part in run.parts(table) for file in part.files] for run in runs]
        lacking = [name for name, each in zip(names, files, strict=True) if not each]
        if len(lacking) < len(runs) and lacking:
            notes.append(f"images of {table} are not compared: there are none in {', '.join(lacking)}")
        elif not lacking:
            found[table] = [overlap(files[0], each, schema) for each in files[1:]]
    return found
