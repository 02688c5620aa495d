"""The wheel holds what the checkout holds, and what it installs behaves as the checkout does."""

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from curation.core.errors import PROJECT
from tests.conftest import ROOT

BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
KERNELS_AND_BYTE_CODE = "__pycache__"
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    """The metadata of the wheel: its payload is the page on a package index."""
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(file.read(name))


def page(metadata: Message) -> str:
    return str(metadata.get_payload(decode=True), "utf-8")


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    folders = [ROOT / package for package in BUILD["targets"]["wheel"]["packages"]]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in files if KERNELS_AND_BYTE_CODE not in path.parts}
    assert {Path(name).suffix for name in wanted} >= {".py", ".yaml", ".tsv", ".json", ".css", ".properties", ".typed"}
    with zipfile.ZipFile(wheel) as file:
        assert {name for name in file.namelist() if ".dist-info/" not in name} == wanted


def test_the_page_of_a_package_index_has_the_text_and_whole_addresses(metadata: Message) -> None:
    text, readme = page(metadata), (ROOT / "README.md").read_text("utf-8")
    assert text.replace(f"{PROJECT}/blob/main/", "").replace(f"{PROJECT}/raw/main/", "").strip() == readme.strip()
    links = re.findall(r"\]\(([^)\s]+)|\b(?:src|href)=\"([^\"]+)", CODE.sub("", text))
    assert [link for link, other in links if not (link or other).startswith(("https://", "#"))] == []
    own = re.compile(rf"{PROJECT}/(?:blob|raw)/main/")
    inside = [own.sub("", link).partition("#")[0] for link, _ in links if PROJECT in link]
    assert len(inside) > 5
    assert [name for name in inside if not (ROOT / name).exists()] == []


def test_the_addresses_of_the_project_are_those_that_messages_name(metadata: Message) -> None:
    urls = dict(value.split(", ") for value in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Source", "Documentation", "Changelog", "Issues"}
    assert urls["Source"] == PROJECT
    assert urls["Issues"] == f"{PROJECT}/issues"
    assert urls["Documentation"] == f"{PROJECT}/tree/main/docs"
    assert urls["Changelog"] == f"{PROJECT}/blob/main/CHANGELOG.md"
    assert all(value.startswith(PROJECT) for value in urls.values())


def test_the_classifiers_name_the_versions_of_python_that_are_supported(metadata: Message) -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(metadata.get_all("Classifier", [])))
    supported = metadata["Requires-Python"]
    lowest, above = (int(re.search(rf"{sign}3\.(\d+)", supported)[1]) for sign in (">=", "<"))
    assert named == [f"3.{minor}" for minor in range(lowest, above)]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="the list of jobs"),
        pytest.param(["estimate", "archives=1"], id="figures"),
        pytest.param(["balance_pairs", "balance=none"], id="a mistake that lists presets"),
    ],
)
def test_installed_in_an_empty_folder_it_behaves_as_the_checkout(
    arguments: list[str], installed: Path, tmp_path: Path
) -> None:
    told = []
    for command, path in (([installed / "headtail"], ""), ([sys.executable, "-m", "headtail"], str(ROOT))):
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"PYTHONPATH": path} if path else {}
        done = subprocess.run([*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        told.append((done.returncode, done.stdout, done.stderr))
    assert told[0] == told[1]
    assert told[0][1] or told[0][2].startswith("headtail balance_pairs: balance=none: unknown preset; the presets are ")
    assert list(tmp_path.iterdir()) == []
