"""The state of a run as lines for a terminal."""

from datetime import datetime
from shlex import quote
from typing import Any

from curation.balancing.targets import targets_of
from curation.core.amounts import byte_size, counted
from curation.core.errors import HeadtailError
from curation.report.aligned_text import aligned, cut, one_line
from curation.report.concept_values import concept_texts
from curation.report.run_state import CLEANED, DAMAGED, FURTHER, MISSING, RunState, TableState
from curation.report.target_values import target_texts, target_values

SHOWN_LANGUAGES = 10
HEADER = ["table", "state", "parts", "rows", "files", "bytes", "written"]


def state_lines(run: RunState, width: int) -> list[str]:
    """Return the tables of a run, what decided them, what comes next, and who works on it."""
    rows = [_row(state) for name, state in run.tables.items() if name not in FURTHER or state.is_there or state.fault]
    lines = [run.path, "", *aligned(HEADER, rows, width, right=[2, 3, 4, 5]), ""]
    lines += [cut(one_line(f"{name:9} {text}"), width) for name, text in _decisions(run)]
    lines += [one_line(f"{'damaged':9} {state.fault}") for state in run.tables.values() if state.fault]
    lines += _thresholds(run, width)
    lines += [one_line(f"{'work':9} {line}") for line in run.work]
    after = f"headtail {run.next_job}" if run.next_job else "nothing is missing"
    if run.next_job in ("download_images", "write_shards") and run.tables["report"].is_done:
        after = f"nothing, for a run without images; for images {after} output={quote(run.path)}"
    return [*lines, f"{'next':9} {after}"]


def _row(state: TableState) -> list[str]:
    if not state.is_there:
        return [state.name, state.state, *[""] * 5]
    written = f"{state.finished.astimezone():%Y-%m-%d %H:%M}" if isinstance(state.finished, datetime) else ""
    if state.is_report:
        return [state.name, state.state, "", "", "", "", written]
    numbers = [f"{each:,}" for each in (len(state.parts), state.rows, state.files)]
    return [state.name, state.state, *numbers, byte_size(state.bytes), written]


def _decisions(run: RunState) -> list[tuple[str, str]]:
    """Return the settings that decided most, as (topic, text)."""
    found = []
    if pairs := run.settings("pairs"):
        source = f"{pairs.get('source', '')} {pairs.get('crawl') or ''}".strip()
        kept = (pairs.get("language") or {}).get("languages") or []
        found.append(("source", f"{source}; languages: {_languages(kept)}"))
    if matches := run.settings("matches"):
        lists = f"metadata {str(matches.get('metadata', ''))[:8]}, edges {matches.get('edges', '')}"
        found.append(("matching", f"{lists}; languages: {_languages(matches.get('languages') or [])}"))
    if balance := run.settings("curated"):
        goal = [f"{name} {balance[name]:,.10g}" for name in ("t", "tail_share", "target_images") if balance.get(name)]
        more = [f"unit {balance.get('unit')}", f"headroom {balance.get('headroom', 1):g}"]
        if limit := balance.get("max_per_domain"):
            more.append(f"at most {counted(limit, 'images')} of a domain")
        if targets := balance.get("targets"):
            more.append(f"targets of entries {str(targets)[:8]}")
        found.append(("balance", ", ".join([*goal, *more])))
        found += _beside_entries(run)
    if shards := run.settings("shards"):
        if shards.get("filter"):
            found.append(("filter", str(shards["filter"])))
        if shards.get("second_balance"):
            found.append(("", "balanced again after the download"))
    return found


def _beside_entries(run: RunState) -> list[tuple[str, str]]:
    """Return the targets of entries and the concepts of images that decided as well, as (topic, text)."""
    balance = run.tables["curated"].parts[-1]
    found: list[tuple[str, str]] = []
    try:
        if rows := target_values(targets_of(balance)):
            found.append(("targets", ", ".join(target_texts(rows, SHOWN_LANGUAGES))))
        texts = concept_texts(run.tables["concept_counts"].path, balance)
        found += [("concepts", text) for text in texts]
    except (HeadtailError, OSError) as error:
        found.append(("damaged", str(error)))
    return found


def _languages(langs: list[str]) -> str:
    more = f" and {len(langs) - SHOWN_LANGUAGES} more" if len(langs) > SHOWN_LANGUAGES else ""
    return (", ".join(langs[:SHOWN_LANGUAGES]) or "all") + more


def _thresholds(run: RunState, width: int) -> list[str]:
    """Return the thresholds of the languages with most matches, as a small table."""
    if run.tables["thresholds"].state in (MISSING, CLEANED, DAMAGED):
        return []
    try:
        rows: list[dict[str, Any]] = run.thresholds()
    except (HeadtailError, OSError) as error:
        return [one_line(f"{'damaged':9} {error}")]
    cells = [
        [
            row["lang"], f"{row['t']:,.6g}", f"{row['tail_share']:.2%}", f"{row['entries']:,}", f"{row['matches']:,}",
            f"{row['expected_images']:,.0f}",
        ]
        for row in rows[:SHOWN_LANGUAGES]
    ]  # fmt: skip
    header = ["lang", "t", "tail share", "entries met", "matches", "images expected"]
    more = [f"... and {counted(len(rows) - SHOWN_LANGUAGES, 'languages')} more"] if len(rows) > SHOWN_LANGUAGES else []
    return ["", *aligned(header, cells, width, right=[1, 2, 3, 4, 5]), *more, ""]
