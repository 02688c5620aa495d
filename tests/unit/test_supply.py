"""What is installed has a hash: packages, the tool that installs them, and what builds the wheel."""

import re
import tomllib

import pytest

from tests.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-tools.lock")
HASHED = re.compile(r"([\w.-]+(?:\[[\w,-]+\])?)==\S+(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_a_version_and_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(HASHED.findall(text)) == len(requirements) > 0
    assert "://" not in text


def test_uv_and_the_build_backend_are_locked() -> None:
    locked = set(HASHED.findall((ROOT / "requirements-tools.lock").read_text()))
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {"uv", "editables"} | {re.split(r"[<>=~]", name)[0] for name in backend} <= locked


def test_make_installs_and_builds_with_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    build = re.search(r"^BUILD := (.*)$", makefile, re.MULTILINE)
    assert build
    assert build[1] == "--build-constraints $(TOOLS) --require-build-hashes"
    commands = re.findall(r"(?:-m pip install|\$\(UV\) (?:pip (?:install|sync)|build)\b)[^&;\n]*", makefile)
    own = [command for command in commands if "tests/training" not in command]
    assert len(own) == 5
    assert [command for command in own if "--require-hashes" not in command and "$(BUILD)" not in command] == []


def test_pillow_is_new_enough_whoever_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "pillow>=13" in project["dependencies"]
