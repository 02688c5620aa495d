"""What a list of paths may name."""

from pathlib import Path

import pytest

from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.extraction.inputs import list_sources
from curation.extraction.path_lists import listed_paths

PREFIX = "https://data.example.org/crawls"


def write(folder: Path, *lines: str) -> str:
    path = folder / "wat.paths"
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.parametrize("line", ["a/1.wat.gz", "a..b/...wat.gz", f"{PREFIX}/a/1.wat.gz"])
def test_lines_under_the_prefix_are_taken(tmp_path: Path, line: str) -> None:
    (found,) = listed_paths(write(tmp_path, "", line), PREFIX, absolute_paths=False)
    assert found.startswith(f"{PREFIX}/")


@pytest.mark.parametrize(
    "line",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "https://data.example.org/other/a",
        "https://data.example.org/crawlsecret/a",
        "https://data.example.org@evil.org/crawls/a",
        f"{PREFIX}/../secret/a",
        "../secret/a",
        "a/%2e%2e/%2E%2e/secret",
        pytest.param("a\\..\\..\\secret", id="backslashes"),
    ],
)
def test_lines_elsewhere_need_a_setting(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, "", "good/1.wat.gz", line)
    with pytest.raises(HeadtailError, match=r"wat.paths, line 3: .* set source.prefix, or source.absolute_paths=true"):
        list_sources([path], SourceKind.wat, PREFIX)
    assert len(list_sources([path], SourceKind.wat, PREFIX, absolute_paths=True)) == 2


def test_a_name_in_a_folder_is_no_chain(tmp_path: Path) -> None:
    (tmp_path / "github::a.wat").write_bytes(b"")
    with pytest.raises(HeadtailError, match=r"github::a.wat' is no file that sources are read from"):
        list_sources([str(tmp_path)], SourceKind.wat, PREFIX)


@pytest.mark.parametrize(
    "line",
    [
        "simplecache::https://data.example.org/crawls/a",
        "https://data.example.org/crawls/a::b",
        "zip://a::s3://bucket/b",
        "ssh://host/a",
        "github://owner:name@main/a",
        "reference://",
        "memory://a",
    ],
)
def test_only_known_stores_and_no_chains(tmp_path: Path, line: str) -> None:
    with pytest.raises(HeadtailError, match=r"wat.paths, line 1: .* is no file that sources are read from"):
        list_sources([write(tmp_path, line)], SourceKind.wat, PREFIX, absolute_paths=True)
    with pytest.raises(HeadtailError, match=r"^source.paths: .* is no file that sources are read from"):
        list_sources([line], SourceKind.wat, PREFIX)
