"""The rules of image URLs: how a link becomes an absolute URL, and which URLs are refused.

The rules, in order: a backslash in front of query and fragment becomes a slash, as in browsers (from version 2 of the
extraction rules on); outer blanks and control characters are trimmed; tab, CR and LF are removed, as browsers do; the
fragment is dropped; a relative link is joined with the base of its page (RFC 3986, section 5.2). Nothing else changes:
no case folding, no percent-encoding, no default ports. The scheme must be http or https. The host must not be a literal
private address (`hosts.judge_host`) nor on a block list. The work on bytes is in `url_kernels.py`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.backslashes import with_slashes
from curation.core.string_buffers import buffers_of, string_array
from curation.extraction import hosts, user_lists
from curation.extraction.drop_reasons import BAD, BLOCKED, KEPT, PRIVATE
from curation.extraction.url_kernels import ODD_HOST, join_links

BROWSER_SLASHES = 2
"""The version of the extraction rules from which on backslashes are read as browsers read them."""
BACKSLASH = ord("\\")


@dataclass(frozen=True)
class UrlRules:
    """Which hosts are refused.

    `allow_private_hosts` are networks such as `127.0.0.1/32` whose addresses (and, for loopback networks, the name
    `localhost`) are let through. `block_hosts` are names, or files of names, that are refused with all their
    subdomains. `removals` are images to leave out, or removal lists.
    """

    allow_private_hosts: tuple[str, ...]
    block_hosts: tuple[str, ...]
    removals: tuple[str, ...]


NO_LISTS = UrlRules((), (), ())
"""The rules that hold without any list of the user."""


def resolve_urls(
    urls: pa.Array, bases: pa.Array, page: np.ndarray, rules: UrlRules, version: int = BROWSER_SLASHES
) -> tuple[pa.Array, np.ndarray]:
    """Resolve links against the base URL of their pages.

    `urls` are links as they stand in the page; `page[i]` is the index in `bases` of link i's page (int32). `version` is
    that of the extraction rules. Returns the absolute URLs, empty where they cannot be resolved, and a number in
    URL_REASONS for each, uint8.

    >>> from curation.extraction.drop_reasons import URL_REASONS
    >>> links = pa.array(["../b.png#top", "data:image/gif;base64,R0lG"])
    >>> bases = pa.array(["https://example.org/x/y.html"])
    >>> resolved, reasons = resolve_urls(links, bases, np.zeros(2, np.int32), NO_LISTS)
    >>> resolved.to_pylist(), [URL_REASONS[reason] for reason in reasons]
    (['https://example.org/b.png', ''], ['', 'data_url'])
    """
    if version >= BROWSER_SLASHES:
        urls, bases = slash_backslashes(urls), slash_backslashes(bases)
    offsets, data, reasons = join_links(*buffers_of(urls), *buffers_of(bases), page)
    resolved = string_array(offsets, data)
    _refuse_hosts(resolved, reasons, rules, version)
    return resolved, reasons


def slash_backslashes(urls: pa.Array) -> pa.Array:
    r"""Return links with slashes where browsers read backslashes as such: in front of query and fragment.

    >>> print(slash_backslashes(pa.array([r"\\h.org\a?b\c"]))[0])
    //h.org/a?b\c
    """
    rows = _with_backslashes(urls)
    if not rows.any():
        return urls
    changed = pa.array(map(with_slashes, urls.filter(pa.array(rows)).to_pylist()), urls.type)
    return pc.replace_with_mask(urls, pa.array(rows), changed)


def count_slashed(urls: pa.Array, bases: pa.Array, page: np.ndarray, resolved: pa.Array, reasons: np.ndarray) -> int:
    """Return how many of the kept URLs are others than without the rule of backslashes.

    The arguments are those of `resolve_urls` and its results.
    """
    rows = (_with_backslashes(urls) | _with_backslashes(bases)[page]) & (reasons == KEPT)
    if not rows.any():
        return 0
    mask = pa.array(rows)
    before, reasons_before = resolve_urls(urls.filter(mask), bases, page[rows], NO_LISTS, BROWSER_SLASHES - 1)
    same = pc.equal(before, resolved.filter(mask)).to_numpy(zero_copy_only=False)
    return int((~same | (reasons_before == BAD)).sum())


def _with_backslashes(urls: pa.Array) -> np.ndarray:
    """Return whether each link holds a backslash, bool."""
    offsets, data = buffers_of(urls)
    places = offsets[0] + np.flatnonzero(data[offsets[0] : offsets[-1]] == BACKSLASH)
    rows = np.zeros(len(urls), bool)
    rows[np.searchsorted(offsets, places, "right") - 1] = True
    return rows


def _refuse_hosts(urls: pa.Array, reasons: np.ndarray, rules: UrlRules, version: int) -> None:
    """Set the reason of each URL with a private, impossible or blocked host."""
    for row in np.flatnonzero(reasons == ODD_HOST).tolist():
        reasons[row] = hosts.judge_host(authority_of(urls[row].as_py()), rules.allow_private_hosts, version)
    if rules.block_hosts:
        blocked = user_lists.read_hosts(rules.block_hosts, version)
        for row in np.flatnonzero(reasons == KEPT).tolist():
            if hosts.is_listed(host_of(urls[row].as_py(), version), blocked):
                reasons[row] = BLOCKED


def join_bases(page_urls: pa.Array, bases: pa.Array, version: int = BROWSER_SLASHES) -> pa.Array:
    """Return the URL that each page's links are relative to: its `<base>` where that makes a URL, else its own.

    `bases` (string) holds the `<base>` as the page has it, null where it has none. A private host makes a URL, too:
    links relative to it are refused later.

    >>> join_bases(pa.array(["http://h.org/a/b", "http://h.org/c"]), pa.array(["/x/", None])).to_pylist()
    ['http://h.org/x/', 'http://h.org/c']
    """
    pages = np.flatnonzero(bases.is_valid())
    if not len(pages):
        return page_urls
    found = bases.take(pa.array(pages))
    resolved, reasons = resolve_urls(found, page_urls, pages.astype(np.int32), NO_LISTS, version)
    joined = page_urls.to_pylist()
    for page, base, reason in zip(pages.tolist(), resolved.to_pylist(), reasons.tolist(), strict=True):
        joined[page] = base if reason in (KEPT, PRIVATE) else joined[page]
    return pa.array(joined, pa.string())


def authority_of(url: str) -> str:
    """Return the part between `//` and the path of an absolute URL."""
    authority = url.partition("//")[2]
    return authority.partition("/")[0].partition("?")[0]


def host_of(url: str, version: int = hosts.UTS46) -> str:
    """The host of an absolute URL, in the form in which hosts are compared.

    >>> host_of("https://me@Example.org:443/a.jpg")
    'example.org'
    """
    return hosts.plain_host(authority_of(url).rpartition("@")[2].partition(":")[0], version)
