"""What a local S3 answers by itself: refusals, and listings of a bucket `many`, whose objects can only be listed."""

import bisect
import re
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

MANY = "many"
PAGE = 1000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Environ = dict[str, Any]
Answer = tuple[str, list[tuple[str, str]], bytes]
STATUS = {"SlowDown": 503, "InternalError": 500, "AccessDenied": 403, "ExpiredToken": 400}
REASONS = {
    "SlowDown": "Please reduce your request rate.",
    "InternalError": "We encountered an internal error.",
    "AccessDenied": "Access Denied",
    "ExpiredToken": "The provided token has expired.",
}


def kind_of(environ: Environ) -> str:
    """Return the kind of a request as bills have it: an upload in parts is three kinds of PUT."""
    method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
    if method == "POST":
        return "DELETE" if "delete" in query.split("&")[0] else "PUT"
    is_bucket = "/" not in environ["PATH_INFO"].strip("/")
    return "LIST" if method == "GET" and ("list-type" in query or is_bucket) else method


def refusal(code: str, expired_status: int, method: str) -> Answer:
    """Return the answer of S3 to a request that it refuses; one to HEAD has no body."""
    status = expired_status if code == "ExpiredToken" else STATUS[code]
    text = f"<Error><Code>{code}</Code><Message>{REASONS[code]}</Message></Error>"
    return as_xml(f"{status} {code}", "" if method == "HEAD" else text)


def undeleted(body: bytes) -> Answer:
    """Return the answer to a request to delete objects, none of which is deleted."""
    keys = re.findall(r"<Key>.*?</Key>", body.decode())
    errors = "".join(f"<Error>{key}<Code>InternalError</Code><Message>x</Message></Error>" for key in keys)
    return as_xml("200 OK", f'<DeleteResult xmlns="{NAMESPACE}">{errors}</DeleteResult>')


def as_xml(status: str, text: str) -> Answer:
    """Return an answer with a text of XML, or none."""
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode() if text else b""
    return status, [("Content-Type", "application/xml"), ("Content-Length", str(len(content)))], content


def listing(keys: list[str], environ: Environ) -> Answer:
    """Return a page of a bucket's sorted keys: of those with a prefix, or the folders below it."""
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    if environ["REQUEST_METHOD"] == "HEAD":
        return "404 Not Found", [("Content-Length", "0")], b""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    at = bisect.bisect_left(keys, max(prefix, query.get("continuation-token", "")))
    items: list[str] = []
    while at < len(keys) and keys[at].startswith(prefix) and len(items) < int(query.get("max-keys", PAGE)):
        head, found, _ = keys[at].removeprefix(prefix).partition(delimiter) if delimiter else (keys[at], "", "")
        if found:
            folder = f"{prefix}{head}{delimiter}"
            items.append(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>")
            at = bisect.bisect_left(keys, f"{folder}\U0010ffff")
        else:
            items.append(
                f"<Contents><Key>{escape(keys[at])}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{at:032x}&quot;</ETag><Size>{at + 1}</Size></Contents>"
            )
            at += 1
    more = at < len(keys) and keys[at].startswith(prefix)
    token = f"<NextContinuationToken>{escape(keys[at])}</NextContinuationToken>" if more else ""
    text = f"<Name>{MANY}</Name><KeyCount>{len(items)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
    return as_xml("200 OK", f'<ListBucketResult xmlns="{NAMESPACE}">{text}{"".join(items)}</ListBucketResult>')
