"""The type checker sees wrong tasks, wrong arguments and missing None checks; each ignored error has its reason."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

CHECKED = ("headtail", "curation", "metadata", "jobs", "conf")
IGNORE = re.compile(r"#\s*type:\s*ignore\b(?P<codes>\[[\w\-, ]+\])?(?P<rest>.*)")


def sources() -> Iterator[Path]:
    for folder in CHECKED:
        yield from sorted((ROOT / folder).rglob("*.py"))


def task_classes() -> list[tuple[str, str]]:
    """(module, name) of each task: a dataclass whose name ends with Task."""
    return [
        (".".join(path.relative_to(ROOT).with_suffix("").parts), node.name)
        for path in sources()
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Task") and node.decorator_list
    ]


def check(code: str) -> dict[int, str]:
    """Check a module with the project's settings; returns the code of the error of each line."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    found = re.findall(r"^<string>:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    return {int(line): code for line, code in found}


def test_wrong_code_is_an_error_and_right_code_is_none() -> None:
    lines = [
        ("from curation.core.receipts import Receipt", ""),
        ("from curation.core.storage import join", ""),
        ("from curation.images.fetch import Fetched", ""),
        ("receipt, fetched = Receipt('a'), Fetched('success')", ""),
        ("count: int = receipt.rows_in", ""),
        ("count = receipt.rows_into", "attr-defined"),
        ("receipt.rows_out = 'seven'", "assignment"),
        ("path: str = join('a', 'b')", ""),
        ("path = join('a', 7)", "arg-type"),
        ("Receipt('a', drop={})", "call-arg"),
        ("kib: int = fetched.source_bytes // 1024", "operator"),
        ("body = fetched.body.read()", "union-attr"),
        ("if fetched.source_bytes is not None:", ""),
        ("    kib = fetched.source_bytes // 1024", ""),
    ]
    # Names that a user imports: their types are known, and others may exist.
    lines += [
        ("import headtail", ""),
        ("matches = headtail.match(['a dog'], headtail.EntryList(['dog']))", ""),
        ("share: float = matches.counts.tail_share(2)", ""),
        ("wrong: str = matches.counts.tail_share(2)", "assignment"),
        ("headtail.balance_everything", ""),
    ]
    tasks = task_classes()
    assert len(tasks) > 20
    for number, (module, name) in enumerate(tasks):
        lines += [(f"from {module} import {name} as Task{number}", "")]
        lines += [(f"def field_{number}(task: Task{number}) -> object:", "")]
        lines += [("    return task.no_such_field", "attr-defined")]
        lines += [(f"Task{number}(no_such_field=1)", "call-arg")]
    assert check("".join(f"{line}\n" for line, _ in lines)) == {
        number: code for number, (_, code) in enumerate(lines, 1) if code
    }


def test_each_ignored_error_has_its_code_and_its_reason() -> None:
    wrong = []
    for path in sources():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := IGNORE.search(line):
                reason = found["rest"].strip().removeprefix("#").strip()
                if not found["codes"] or len(reason.split()) < 2:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    if wrong:
        pytest.fail("write # type: ignore[code]  # why\n" + "\n".join(wrong), pytrace=False)
