"""Host names in the one form in which they are compared and connected to: that of browsers.

The form is the result of UTS 46, non-transitional, with the options of the WHATWG URL Standard ("domain to ASCII"):
`Straße.example` and `xn--strae-oqa.example` are one host, `strasse.example` is another.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import idna
from idna.core import check_bidi, check_initial_combiner, valid_contextj

FORBIDDEN = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]")
"""Characters that no host name has: the "forbidden domain code points" of the URL Standard."""
_PLAIN = re.compile(r"[a-z0-9._-]*")
_ACE = "xn--"
_JOINERS = "\u200c\u200d"
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_MAX_NAME = 253
"""A longer name is none; encoding it would take time that grows with the square of its length."""


@lru_cache(1 << 16)
def ascii_host(host: str) -> str:
    """Return a host name in ASCII and lower case, as browsers look it up; a dot at the end stays.

    Escapes such as `%C3%BC` are decoded. An IPv4 address in decimal, octal or hexadecimal numbers is given in dotted
    form. A name that UTS 46 refuses gets its older form: NFKC, lower case, and IDNA 2003 where that takes it.

    >>> ascii_host("Straße.Example"), ascii_host("so\xadft.example"), ascii_host("１２７。０.０.１")
    ('xn--strae-oqa.example', 'soft.example', '127.0.0.1')
    >>> ascii_host("0x7f.1")
    '127.0.0.1'
    """
    name = host if _PLAIN.fullmatch(host) else _ascii_name(host)
    return dotted_ipv4(name.removesuffix(".")) or name


def host_of_parts(parts: SplitResult) -> str:
    """Return the host of a split URL as it stands there, an IPv6 address without its brackets; "" if it has none.

    `SplitResult.hostname` is in lower case by Python's rules, by which a sigma at the end of a word is another letter.
    """
    place = parts.netloc.rpartition("@")[2]
    return (parts.hostname or "") if place.startswith("[") else place.partition(":")[0]


def compared_host(host: str) -> str:
    """Return a host name in the form in which hosts are compared: `ascii_host` without a dot at the end.

    >>> compared_host("Example.org.")
    'example.org'
    """
    return ascii_host(host).removesuffix(".")


def unicode_host(host: str) -> str:
    """Return a host name in ASCII with the letters that its labels stand for.

    >>> unicode_host("xn--strae-oqa.example")
    'straße.example'
    """
    return ".".join(map(_shown_label, host.split(".")))


def _shown_label(label: str) -> str:
    try:
        return _decoded(label) if label.startswith(_ACE) else label
    except ValueError:  # a UnicodeError is one
        return label


def nfkc_host(host: str) -> str:
    """Return a host name in the form of earlier versions: NFKC, lower case."""
    return unicodedata.normalize("NFKC", host).replace("。", ".").lower()


def with_ascii_host(url: str) -> str:
    """Return a URL with its host in the form of `ascii_host` if it has other characters than ASCII, or escapes.

    Any other URL, and one that cannot be read, stays as it is.

    >>> with_ascii_host("https://me@bücher.example:81/ü")
    'https://me@xn--bcher-kva.example:81/ü'
    """
    if url.isascii() and "%" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    user, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.partition(":")
    if (host.isascii() and "%" not in host) or FORBIDDEN.search(name := ascii_host(host)):
        return url
    return urlunsplit(parts._replace(netloc=f"{user}{at}{name}{colon}{port}"))


def dotted_ipv4(host: str) -> str:
    """Return the dotted address that resolvers read in one to four decimal, octal or hexadecimal numbers; or nothing.

    >>> dotted_ipv4("017700000001"), dotted_ipv4("1.2.3.4.5"), dotted_ipv4("example.org")
    ('127.0.0.1', '', '')
    """
    parts = host.split(".")
    if not parts[-1][:1].isdigit():
        return ""
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    if len(parts) > 4 or any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        return ""
    value = numbers[-1]
    for index, number in enumerate(numbers[:-1]):
        value += number << (24 - 8 * index)
    return str(ipaddress.IPv4Address(value))


def _number(part: str) -> int:
    if not part or len(part) > 20 or not part.isascii() or not part.isalnum():
        raise ValueError(part)
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and len(part) > 1 else int(part)


def _ascii_name(host: str) -> str:
    name = unquote(host) if "%" in host else host
    if name.isascii():
        return name.lower()
    if len(name) > _MAX_NAME:
        return nfkc_host(name)
    try:
        return _uts46(name)
    except ValueError:  # a UnicodeError is one
        return _older_form(name)


def _older_form(name: str) -> str:
    plain = nfkc_host(name)
    try:
        return plain.encode("idna").decode()
    except UnicodeError:
        return plain


def _uts46(name: str) -> str:
    """Return a name by UTS 46, section 4; raises UnicodeError (idna's errors are such) if it is not valid."""
    labels = idna.uts46_remap(name, std3_rules=False).split(".")
    decoded = [_decoded(label) if label.startswith(_ACE) else label for label in labels]
    mixed = any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for label in decoded for char in label)
    for label in filter(None, decoded):
        check_initial_combiner(label)
        if not all(valid_contextj(label, at) for at, char in enumerate(label) if char in _JOINERS):
            raise UnicodeError(f"a joiner in {label!r} joins nothing")
        if mixed:
            check_bidi(label, check_ltr=True)
    return ".".join(label if label.isascii() else _ACE + label.encode("punycode").decode() for label in labels)


def _decoded(label: str) -> str:
    """Return the Unicode form of a label that begins with `xn--`; raises UnicodeError if no name has it."""
    decoded = label.removeprefix(_ACE).encode("ascii").decode("punycode")
    if decoded.isascii() or idna.uts46_remap(decoded, std3_rules=False) != decoded:
        raise UnicodeError(f"{label} stands for no name")
    return decoded
