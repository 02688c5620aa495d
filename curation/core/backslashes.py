"""Backslashes in addresses of http and https: browsers read those in front of query and fragment as slashes."""


def with_slashes(url: str) -> str:
    r"""Return a link or URL with slashes for the backslashes of host and path (WHATWG URL Standard, special schemes).

    >>> print(with_slashes(r"http:\\h.org\a?b\c"))
    http://h.org/a?b\c
    """
    end = min((at for mark in "?#" if (at := url.find(mark)) >= 0), default=len(url))
    return url[:end].replace("\\", "/") + url[end:]
