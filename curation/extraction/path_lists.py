"""Path lists: files of paths of archives, as CommonCrawl's `wat.paths.gz`.

Whoever writes the list must not choose what else this machine reads. Lines lie under a prefix, unless the user permits
other places, and name a plain file of a known kind of storage.
"""

import io
import re
from urllib.parse import unquote

from curation.core.errors import HeadtailError
from curation.core.plain_places import SCHEMES, is_plain_place
from curation.core.progress import say
from curation.core.remote import STARTING, open_patiently
from curation.core.text_lists import decoded, lines_in

ENDINGS = (".paths", ".paths.gz")
_STEPS = re.compile(r"[/\\]")


def listed_paths(path: str, prefix: str, absolute_paths: bool, crawl: str = "") -> list[str]:
    """Return the paths of a list; a line without a place of its own lies under `prefix`. `crawl` is the list's crawl.

    Raises HeadtailError if the list cannot be read or is empty, and, with the line's number, for a line that leads out
    of `prefix` although `absolute_paths` is false, or whose place is none of SCHEMES.
    """
    folder = prefix if prefix.endswith("/") else f"{prefix}/"
    found = []
    for number, line in _read_lines(path, crawl):
        whole = line if "://" in line or line.startswith("/") else folder + line
        place = f"{path}, line {number}"
        check_scheme(whole, place)
        if not absolute_paths and (not whole.startswith(folder) or _climbs(whole.removeprefix(folder))):
            raise HeadtailError(
                f"{place}: {line[:200]!r} does not lie under source.prefix={prefix}: set source.prefix, or "
                "source.absolute_paths=true if you trust whoever wrote the list"
            )
        found.append(whole)
    if not found:
        raise HeadtailError(f"the list of files {path} is empty")
    return found


def check_scheme(path: str, place: str = "source.paths") -> None:
    """Raise HeadtailError for a path on another kind of storage than SCHEMES, and for a chain of fsspec (`a::b`)."""
    if not is_plain_place(path):
        raise HeadtailError(
            f"{place}: {path[:200]!r} is no file that sources are read from: expected a path, or an address that "
            f"begins with {', '.join(f'{name}://' for name in SCHEMES)}, without '::'"
        )


def _climbs(path: str) -> bool:
    """Return whether a path leaves its folder; a server may decode it first.

    >>> _climbs("a/../../b"), _climbs("a/%2e%2e/b"), _climbs("a/..b")
    (True, True, False)
    """
    return ".." in _STEPS.split(unquote(path))


def _read_lines(path: str, crawl: str) -> list[tuple[int, str]]:
    """Return the lines of a list, which is that of a crawl if one is given, with their numbers, without blank ones."""
    if "://" in path:
        say("extract_pairs", f"reads the list of files {path}")
    try:
        with open_patiently(path, STARTING) as file:
            data = io.BytesIO(file.read())
        with decoded(data, f"the list of files {path}") as text:
            lines = list(lines_in(text))
    except FileNotFoundError as error:
        named = f"there is no crawl {crawl}: its list of files" if crawl else "the list of files"
        known = "; https://index.commoncrawl.org names the crawls" if crawl else ""
        answer = f" ({str(error).removeprefix(f'{path}: ')})" if "://" in path else ""
        raise HeadtailError(f"{named} {path} does not exist{answer}{known}") from None
    except OSError as error:
        raise HeadtailError(f"the list of files {path} cannot be read: {error}") from None
    found = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if found and (found[0][1] in "[{" or found[0][1].startswith(('["', '{"'))):
        raise HeadtailError(f"the list of files {path} is JSON: expected a text file with one path per line")
    return found
