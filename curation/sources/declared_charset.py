"""The encodings that an HTML page declares: byte order mark, Content-Type, `<meta>`, `<?xml encoding?>`.

The order is that of the HTML Standard ("Determining the character encoding", "prescan a byte stream"). We differ in one
point: a `<meta>` counts wherever it stands, and not only in the first 1,024 bytes.
"""

import re
from collections.abc import Iterator

from curation.sources.encodings import encoding_of

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
_CHARSET = re.compile(rb"(?i)(?<![\w-])charset\s*=\s*[\"']?\s*([^\s\"';,]+)")
_XML = re.compile(rb"\s*<\?xml\s[^>]{0,1000}?\sencoding\s*=\s*[\"']([^\"'>]*)[\"']")
_TAG = re.compile(rb"<(?:(!--)|(/?)([a-z][^\s/>]*)|[!/?])")
# Possessive quantifiers: of a tag without an end, each byte is looked at once.
_ATTRIBUTE = rb"(=?[^\s/>=]++|=)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"'][^\s>]*+)))?+"
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TAG_END = re.compile(rb"(?:[\s/]++|" + _ATTRIBUTE + rb")*+>")
_COMMENT_END = re.compile(rb"--!?>")
_OTHER_END = re.compile(rb">")
_HEAD_BYTES = 4096
"""Most pages declare their charset in these: the rest of them is not searched."""
_TEXT_ONLY = frozenset(b"script style textarea title iframe noembed noframes xmp".split())


def declared_encodings(content_type: bytes, body: bytes) -> Iterator[str]:
    """Yield the encodings that a page declares, the one that counts first.

    >>> page = b"<?xml version='1.0' encoding='koi8-r'?><!-- <meta charset=big5> --><meta charset=gb2312>"
    >>> list(declared_encodings(b"text/html; charset=unknown", page))
    ['gbk', 'koi8-r']
    """
    yield from (encoding for mark, encoding in _MARKS if body.startswith(mark))
    named = _CHARSET.search(content_type)
    if named and (encoding := encoding_of(named[1])):
        yield encoding
    for declared in (_in_xml, _in_meta) if b"xml" in content_type.lower() else (_in_meta, _in_xml):
        if encoding := declared(body):
            yield "utf-8" if encoding.startswith("utf-16") else encoding  # the name could be read as ASCII


def _in_xml(body: bytes) -> str | None:
    found = _XML.match(body)
    return encoding_of(found[1]) if found else None


def _in_meta(body: bytes) -> str | None:
    return _first_meta(body[:_HEAD_BYTES]) or _first_meta(body)


def _first_meta(body: bytes) -> str | None:
    """Return the encoding of the first `<meta>` that names one, outside of comments, scripts and the like."""
    body = body.lower()
    last = body.rfind(b"<meta", 0, max(body.rfind(b"charset"), 0))
    at = 0
    while at <= last and (tag := _TAG.search(body, at)):
        comment, closes, name = tag.groups()
        if name:
            end = _TAG_END.match(body, tag.end())
        else:
            end = _COMMENT_END.search(body, tag.end() - 2) if comment else _OTHER_END.search(body, tag.end())
        if end is None:
            return None
        at = end.end()
        if name == b"meta" and not closes and (encoding := _of_meta(body[tag.end() : at - 1])):
            return encoding
        if name in _TEXT_ONLY and not closes and (at := body.find(b"</" + name, at)) < 0:
            return None
    return None


def _of_meta(tag: bytes) -> str | None:
    """Return the encoding that the attributes of a `<meta>`, in lower case, name."""
    attributes: dict[bytes, bytes] = {}
    for name, *values in _ATTRIBUTES.findall(tag):
        attributes.setdefault(name, b"".join(values))
    encoding = encoding_of(attributes.get(b"charset", b""))
    if encoding is None and attributes.get(b"http-equiv", b"").strip() == b"content-type":
        named = _CHARSET.search(attributes.get(b"content", b""))
        encoding = encoding_of(named[1]) if named else None
    return "windows-1252" if encoding == "x-user-defined" else encoding
