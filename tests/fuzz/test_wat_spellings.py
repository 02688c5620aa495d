"""Random pages in many spellings of their JSON: the scan of a WAT against decoding every record as a whole."""

import gzip
import json
import random
from typing import Any

import pytest

from curation.sources import wat
from tests.unit.sources.test_wat import Found, read, record

URLS = ["a.jpg", "/b.png?x=1&amp;y=2", "http://h.org/é.png", " \thttp://h.org/x\n", "data:image/png;base64,QUJD", ""]
WORDS = [
    "kite",
    'a "red" kite',
    "back\\slash",
    "日本語",
    "😀",
    "tab\tnew\nline",
    "",
    "IMG@/src",
    '"IMG@/src"',
    "{}[],:",
    "\\",
]


def spell(text: str, rng: random.Random) -> str:
    """A JSON string in one of its many spellings."""
    spelt = []
    for char in text:
        draw = rng.random()
        if draw < 0.03:
            units = char.encode("utf-16-be", "surrogatepass")
            pairs = [units[index : index + 2].hex() for index in range(0, len(units), 2)]
            spelt.append("".join("\\u" + (pair.upper() if rng.random() < 0.5 else pair) for pair in pairs))
        elif draw < 0.06 and char == "/":
            spelt.append("\\/")
        else:
            spelt.append(json.dumps(char, ensure_ascii=rng.random() < 0.1)[1:-1])
    return '"' + "".join(spelt) + '"'


def write(value: Any, rng: random.Random, blank: str) -> str:
    """JSON with members in any order and, with `blank`, white space between its tokens."""
    gap = blank if rng.random() < 0.5 else ""
    if isinstance(value, dict):
        members = [f"{spell(key, rng)}{gap}:{gap}{write(item, rng, blank)}" for key, item in value.items()]
        rng.shuffle(members)
        return "{" + gap + f"{gap},{gap}".join(members) + gap + "}"
    if isinstance(value, list):
        return "[" + gap + f"{gap},".join(write(item, rng, blank) for item in value) + gap + "]"
    return spell(value, rng) if isinstance(value, str) else json.dumps(value)


def random_page(rng: random.Random) -> dict:
    def link() -> Any:
        path = rng.choice(["IMG@/src"] * 4 + ["A@/href", "IMG@/longdesc", "IMG@/src2", "XIMG@/src", "img@/src"])
        made: dict[str, Any] = {"path": path, "url": rng.choice(URLS)}
        for key, share in (("alt", 0.8), ("title", 0.3), ("text", 0.2), ("rel", 0.1), ("path2", 0.05)):
            if rng.random() < share:
                made[key] = rng.choice(WORDS)
        if rng.random() < 0.02:
            made[rng.choice(("alt", "url", "extra", "path"))] = rng.choice([None, 3, True, ["x"], {"path": "IMG@/src"}])
        if rng.random() < 0.05:
            del made["url"]
        return rng.choice([{}, [], "IMG@/src", None]) if rng.random() < 0.03 else made

    head: dict[str, Any] = {"Title": rng.choice(WORDS), "Metas": [{"name": "Base", "content": "IMG@/src"}]}
    if rng.random() < 0.3:
        head["Base"] = rng.choice(["http://base.org/x/", "sub/", "http://[1", "", None])
    html: dict[str, Any] = {"Head": head, "Links": [link() for _ in range(rng.randrange(12))]}
    for key in ("Head", "Links"):
        if rng.random() < 0.03:
            del html[key]
        elif rng.random() < 0.03:
            html[key] = {}
    headers = {"Content-Type": "text/html", "Base": "http://wrong.org/", "Vary": ["a", "b"], "X": rng.choice(WORDS)}
    response: dict[str, Any] = {"Headers": headers, "HTML-Metadata": html}
    if rng.random() < 0.03:
        response["HTML-Metadata"] = rng.choice([{}, None, []])
    return {"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": response}}, "Container": {"Filename": "a"}}


def naive(page_url: str, page: dict) -> list[Found]:
    """What a page's record says, its members taken one by one."""
    html = page["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"] or {}
    head, links = (html.get(key) or {} for key in ("Head", "Links"))
    base = {"http://base.org/x/": "http://base.org/x/", "sub/": page_url + "sub/"}.get(head.get("Base"), page_url)
    found = []
    for link in links:
        if isinstance(link, dict) and link.get("path") == "IMG@/src":
            url, alt, title = (link[k] if isinstance(link.get(k), str) else None for k in ("url", "alt", "title"))
            found.append((page_url, base, short(url or ""), alt, title))
    return found


def short(url: str) -> str:
    """Of data: URLs the scan gives nothing but the scheme."""
    return url[:5] if url.startswith("data:") else url


@pytest.mark.parametrize("blank", ["", " ", "\t"], ids=["no blanks", "blanks", "tabs"])
def test_scan_equals_decoding_every_record(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wat, "WINDOW_BYTES", 1 << 14)
    rng = random.Random(11)
    expected: list[Found] = []
    records = []
    for number in range(1500):
        page, page_url = random_page(rng), f"http://example.org/{number}/"
        records.append(record(write(page, rng, blank).encode("utf-8", "surrogatepass"), page_url))
        expected += naive(page_url, page)
    found, reader, log = read(b"".join(gzip.compress(data, mtime=0) for data in records))
    assert [(*row[:2], short(row[2]), *row[3:]) for row in found] == expected
    assert reader.counts["records_read"] == len(records)
    assert not log.faults
    assert len(expected) > 3000
