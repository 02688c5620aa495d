"""Each drop reason in the code of a stage has its meaning in the report."""

import ast
import functools
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from curation.core.choices import Obey
from curation.report.reasons import MEANINGS, STAGES, meaning
from tests.conftest import ROOT

PACKAGES = ("sources", "extraction", "matching", "balancing", "images", "shards")
OTHER_ACCOUNTS = (
    "matching/entry_store.py", "balancing/datacomp.py", "shards/check.py", "shards/companions.py",
    "shards/caption_tables.py", "shards/datacomp_keys.py", "shards/keyed_join.py", "shards/other_sets.py",
    "shards/score_join.py",
)  # fmt: skip
"""Modules whose drops belong to no stage of the report: entries of a list, the export, damaged samples,
what fits no sample, rows of joined tables."""
NAMED = "drop_reasons.py"
"""A module whose every string is a reason."""
ASSIGNED = ("reason", "reasons", "status")
NAMES = re.compile("drops|reason|status|FetchError|ImageError", re.IGNORECASE)
"""A module without one of these names counts no reason: it is not parsed."""


def strings(*nodes: ast.AST | None) -> Iterator[str]:
    """The nodes that are constants whose value could be a reason."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.replace("_", "").isalpha():
            yield node.value


def name_of(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for pair in zip(target.elts, value.elts, strict=True):
            yield from assigned(*pair)
    elif name_of(target).lower() in ASSIGNED:
        yield from strings(*ast.walk(value))


def reasons_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and name_of(node.value) == "drops":
            yield from strings(node.slice)
        elif isinstance(node, ast.Assign):
            yield from chain.from_iterable(assigned(target, node.value) for target in node.targets)
        elif isinstance(node, ast.Call):
            if any(name_of(argument) == "drops" for argument in node.args):
                yield from strings(*node.args)
            if name_of(node.func) in ("FetchError", "ImageError"):
                yield from strings(*node.args[:1])
        elif isinstance(node, ast.FunctionDef):
            # `drops[reason] += ...` counts under the keys of a dict in the same function.
            inner = list(ast.walk(node))
            if any(
                isinstance(each, ast.Subscript)
                and name_of(each.value) == "drops"
                and not isinstance(each.slice, ast.Constant)
                for each in inner
            ):
                yield from strings(*(key for each in inner if isinstance(each, ast.Dict) for key in each.keys))


@functools.cache
def reasons_in_code() -> dict[str, Path]:
    """The drop reasons and download statuses that the code of the stages can count, each with one of its modules."""
    found: dict[str, Path] = dict.fromkeys(Obey, ROOT / "curation/core/choices.py")
    for package in PACKAGES:
        for path in sorted((ROOT / "curation" / package).glob("*.py")):
            text = path.read_text()
            if not path.as_posix().endswith(OTHER_ACCOUNTS) and NAMES.search(text):
                tree = ast.parse(text)
                reasons = strings(*ast.walk(tree)) if path.name == NAMED else reasons_in(tree)
                found |= dict.fromkeys(filter(None, reasons), path)
    return found


def test_each_reason_that_code_counts_has_a_meaning() -> None:
    missing = [
        f"{reason} ({path.relative_to(ROOT)})" for reason, path in reasons_in_code().items() if reason not in MEANINGS
    ]
    assert missing == [], "add them to MEANINGS in curation/report/reasons.py"


def test_each_meaning_is_that_of_a_reason_that_code_counts() -> None:
    found = reasons_in_code().keys()
    assert [key for key in MEANINGS if key.rpartition(".")[2] not in found] == []


def test_a_meaning_for_one_stage_names_a_stage() -> None:
    assert {key.partition(".")[0] for key in MEANINGS if "." in key} <= STAGES.keys()
    assert meaning("not_drawn", "write_shards") != meaning("not_drawn", "balance_pairs")


@pytest.mark.parametrize(
    "code",
    [
        'receipt.drops["too_many_words"] += 1',
        '_count(receipt.drops, "too_many_words", 3)',
        'REASONS = ("", "too_many_words")',
        'def f(drops):\n    tests = {"too_many_words": 1}\n    for reason in tests:\n        drops[reason] += 1',
        'raise FetchError("too_many_words", "401 words")',
        'result.status, result.error = "too_many_words", "401 words"',
        'reasons = np.where(exact, "too_many_words", "short_text")',
    ],
    ids=["key", "argument", "table of reasons", "name of a test", "error", "status", "array"],
)
def test_a_new_reason_is_found(code: str) -> None:
    assert "too_many_words" in set(reasons_in(ast.parse(code)))
