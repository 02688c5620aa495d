"""WAT files in the layout that CommonCrawl writes: one gzip member a record, three metadata records a page."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

USER_AGENT = "CCBot/2.0 (https://commoncrawl.org/faq/)"
RESPONSE_HEADERS: dict[str, Any] = {"Date": "Thu, 15 Jan 2026 04:05:06 GMT", "Server": "nginx"}
# The extractor's JSON writer escapes these where Python's does not.
_ESCAPED = re.compile("[\u007f-\u00a0\u2000-\u20ff]")


@dataclass
class Page:
    """A crawled page. `html` is the record's HTML-Metadata; None for a response that is no HTML."""

    uri: str
    html: dict[str, Any] | None
    lang: str = "und"
    content_type: str = "text/html; charset=UTF-8"
    headers: dict[str, Any] = field(default_factory=dict)
    broken: bool = False
    """The response record's JSON breaks off although the record is whole."""


def _uuid(key: str) -> str:
    digest = hashlib.sha1(key.encode()).hexdigest()
    return f"<urn:uuid:{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}>"


def _digest(key: str) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(key.encode()).digest()).decode()


def _json(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _member(headers: dict[str, str], body: bytes) -> bytes:
    """One record as one gzip member; zlib writes no time into its header."""
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": len(body)}.items()]
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    record = "\r\n".join(["WARC/1.0", *lines, "", ""]).encode() + body + b"\r\n\r\n"
    return packer.compress(record) + packer.flush()


def _metadata(uri: str, refers_to: str, body: str) -> bytes:
    headers = {
        "WARC-Type": "metadata",
        "WARC-Target-URI": re.sub(r"\s", "%20", uri),
        "WARC-Date": "2026-01-20T01:02:03Z",
        "WARC-Record-ID": _uuid("wat" + refers_to),
        "WARC-Refers-To": refers_to,
        "Content-Type": "application/json",
        "WARC-Block-Digest": _digest(body),
    }
    return _member(headers, body.encode())


class WatWriter:
    """Collects the members of one file; `name` is that of the WARC file it describes, such as X-00000.warc.gz."""

    def __init__(self, name: str, crawl: str) -> None:
        self.name, self.offset = name, 0
        wat = name.replace(".warc.gz", ".warc.wat.gz")
        fields = {
            "Software-Info": "headtail-sample",
            "Extracted-Date": "Tue, 20 Jan 2026 01:02:03 GMT",
            "ip": "127.0.0.1",
            "hostname": "localhost",
            "format": "WARC File Format 1.0",
            "conformsTo": "http://bibnum.bnf.fr/WARC/WARC_ISO_28500_version1_latestdraft.pdf",
        }
        headers = {
            "WARC-Type": "warcinfo",
            "WARC-Date": "2026-01-20T01:02:03Z",
            "WARC-Filename": wat,
            "WARC-Record-ID": _uuid("warcinfo" + wat),
            "Content-Type": "application/warc-fields",
        }
        body = "".join(f"{key}: {value}\r\n" for key, value in fields.items()) + "\r\n"
        self.members = [_member(headers, body.encode())]
        info = {"isPartOf": crawl, "publisher": "headtail", "description": "Sample crawl", "format": "WARC/1.0"}
        payload = {
            "Actual-Content-Type": "application/warc-fields",
            "Headers-Corrupt": True,
            "WARC-Info-Metadata": info,
        }
        self.info_id = _uuid("warc" + name)
        whole = self._envelope(payload, "warcinfo", self.info_id, {"WARC-Filename": name})
        self.members.append(_metadata(name, self.info_id, _json(whole)))

    def _envelope(self, payload: dict[str, Any], kind: str, record_id: str, more: dict[str, str]) -> dict[str, Any]:
        length = str(len(_json(payload)))
        container = {
            "Filename": self.name,
            "Compressed": True,
            "Offset": str(self.offset),
            "Gzip-Metadata": {
                "Deflate-Length": length,
                "Header-Length": "10",
                "Footer-Length": "8",
                "Inflated-CRC": str(zlib.crc32(record_id.encode()) - 2**31),
                "Inflated-Length": str(4 * int(length)),
            },
        }
        self.offset += int(length)
        content_type = (
            "application/warc-fields" if kind in ("warcinfo", "metadata") else f"application/http; msgtype={kind}"
        )
        header = {
            "WARC-Type": kind,
            "WARC-Date": "2026-01-15T04:05:06Z",
            "WARC-Record-ID": record_id,
            "Content-Length": length,
            "Content-Type": content_type,
            **more,
        }
        payload = {
            **payload,
            "Actual-Content-Length": length,
            "Trailing-Slop-Length": "4",
            "Block-Digest": _digest(record_id),
        }
        envelope = {
            "Payload-Metadata": payload,
            "Format": "WARC/1.0",
            "WARC-Header-Length": "589",
            "WARC-Header-Metadata": header,
        }
        return {"Container": container, "Envelope": envelope}

    def add(self, page: Page) -> None:
        """Append the records of the page's request, response and metadata, in this order."""
        key = f"{self.name} {len(self.members)} {page.uri}"
        request, response, metadata = (_uuid(f"{kind} {key}") for kind in ("request", "response", "metadata"))
        host, _, path = page.uri.partition("://")[2].partition("/")
        common = {"WARC-Warcinfo-ID": self.info_id, "WARC-Target-URI": page.uri}
        asked = {
            "Actual-Content-Type": "application/http; msgtype=request",
            "HTTP-Request-Metadata": {
                "Request-Message": {"Method": "GET", "Path": "/" + path, "Version": "HTTP/1.1"},
                "Headers-Length": "263",
                "Headers": {"User-Agent": USER_AGENT, "Accept-Encoding": "br,gzip", "Host": host},
                "Entity-Length": "0",
                "Entity-Digest": _digest(""),
                "Entity-Trailing-Slop-Length": "0",
            },
        }
        headers = {**RESPONSE_HEADERS, "Content-Type": page.content_type, **page.headers}
        answer: dict[str, Any] = {
            "Response-Message": {"Status": "200", "Version": "HTTP/1.1", "Reason": "OK"},
            "Headers-Length": str(len(_json(headers))),
            "Headers": headers,
        }
        if page.html is not None:
            answer["HTML-Metadata"] = page.html
        answer |= {"Entity-Length": "4096", "Entity-Digest": _digest(key), "Entity-Trailing-Slop-Length": "0"}
        answered = {
            "Actual-Content-Type": "application/http; msgtype=response",
            "HTTP-Response-Metadata": answer,
        }
        facts = [{"Name": "fetchTimeMs", "Value": "258"}, {"Name": "charset-detected", "Value": "UTF-8"}]
        noted = {
            "Actual-Content-Type": "application/metadata-fields",
            "WARC-Metadata-Metadata": {"Metadata-Records": facts},
        }
        kind = page.content_type.partition(";")[0]
        more = {**common, "WARC-Concurrent-To": request, "WARC-Identified-Payload-Type": kind}
        bodies = (
            (request, _json(self._envelope(asked, "request", request, common))),
            (response, _json(self._envelope(answered, "response", response, more))),
            (metadata, _json(self._envelope(noted, "metadata", metadata, common))),
        )
        for record_id, body in bodies:
            if page.broken and record_id == response:
                body = body[: len(body) * 2 // 3]
            self.members.append(_metadata(page.uri, record_id, body))

    def data(self, cut_off: bool = False) -> bytes:
        """The file's bytes; `cut_off` ends them in the middle of the last member."""
        if cut_off:
            return b"".join(self.members[:-1]) + self.members[-1][: len(self.members[-1]) // 2]
        return b"".join(self.members)
