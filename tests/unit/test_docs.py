"""Paths, modules and make targets that README, CONTRIBUTING and docs/ name exist."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PATH = re.compile(r"(?<![\w/.<{*-])((?:curation|metadata|conf|jobs|tests|docs)/[\w/.-]*\w)(?![\w*<{])")
MODULE = re.compile(
    r"(?<![\w/.])((?:curation|tests|metadata\.(?:sources|lists|fetch|spark)|jobs)(?:\.[a-z_]\w*)+)(?![\w<*(/]|\.<)"
)
TARGET = re.compile(r"\bmake ([a-z-]+)\b")


def named(page: Path, pattern: re.Pattern[str]) -> list[str]:
    """What a page names in code: between back-ticks, in blocks, in links."""
    text = page.read_text("utf-8")
    code = re.findall(r"```.*?```|`[^`\n]+`|\]\([^)]+\)", text, re.DOTALL)
    return sorted({found for piece in code for found in pattern.findall(piece)})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_paths_exist(page: Path) -> None:
    assert [path for path in named(page, PATH) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_modules_exist(page: Path) -> None:
    def exists(module: str) -> bool:
        """A package, a module, or a name in a module."""
        path = ROOT / module.replace(".", "/")
        inside = path.parent.with_suffix(".py")
        return (
            path.is_dir() or path.with_suffix(".py").exists() or (inside.exists() and path.name in inside.read_text())
        )

    assert [module for module in named(page, MODULE) if not exists(module)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert [target for target in named(page, TARGET) if target not in targets] == []


def test_the_patterns_find_what_pages_name() -> None:
    names = [name for page in PAGES for name in named(page, PATH)]
    assert len(names) > 30
    assert any(named(page, MODULE) for page in PAGES)
    assert any(named(page, TARGET) for page in PAGES)
