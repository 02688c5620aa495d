"""Ask Chromium's URL class about hosts and links, and store its answers: `python -m tests.browser.url_answers`.

The unit tests of host names and URL rules compare with the stored table, so they need no browser.
"""

import json
import random
import tempfile
from pathlib import Path

from tests.browser.chromium import open_chromium
from tests.conftest import ROOT

ANSWERS = ROOT / "tests/unit/extraction/url_answers.json"
HOSTS = [
    "Straße.example", "faß.de", "FASS.de", "βόλος.com", "ΒΌΛΟΣ.com", "www.ﬁ.example", "bücher.example",
    "BÜCHER.example", "bu\u0308cher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.Example", "xn--fa-hia.de",
    "xn--ls8h.la", "💩.la", "食狮.公司.cn", "食狮。公司．cn", "食狮｡公司.cn", "so\xadft.example",
    "lo\xadcalhost", "local\u200bhost", "a\u2060b.org", "a️b.org", "a\u200cb.com", "a\u200db.com",
    "نامه\u200cای.com", "क\u094d\u200dष.com", "אב.com", "1א.com", "אב1.com", "א1a.com", "ａｂｃ.com",
    "Ｅxample.org", "１２７.０.０.１", "127。0。0。1", "１２７．１", "①②⑦.0.0.1", "²7.0.0.1", "0ｘ7f.1",
    "127.0.0\xad.1", "127.0.0.1․", "１０.０.０.１", "١٢٧.٠.٠.١", "८.८.८.८", "xn--", "xn--a", "xn--zzzzzz",
    "xn--ü.de", "xn--zn7c.com", "xn--zzzz.bücher.de", "xn--a-ecp.ru", "xn--0.pt", "a..ü", "ü.", "ü..", "ü。",
    ".ü", "℀.com", "a％2f.ü", "ex%61mple.com", "%E4%BE%8B.com", "%C3%BC.de", "%FC.de", "%00.de", "a%2fb.de",
    "％41.com", "\u0301a.com", "a\u0301.com", "�.com", "a\ud7ffb.com", "ⓔⓧⓐ.org", "℡.com", "ﷺ.com",
    "ｌｏｃａｌｈｏｓｔ", "ſ.com", "K.com", "İ.com", "ı.com", "日本語。ＪＰ", "ü_x.com", "-ü-.com", "ab--ü.com",
    "ẞ.de", "ꭰ.com", "᠆ab.com", "٣٠٠.com", "ü~x.com", "ü!x.com", "ü x.com", "ü<x.com", "ü^x.com", "ü|x.com",
    "㍿.com", "﹒com.ü", "一二。三", "\u06dd.com", "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
]  # fmt: skip
_LETTERS = [
    "a", "ß", "ü", "u\u0308", "A", "Σ", "ς", "食", "א", "ا", "ا\u200cب", "१", "1", "１", "-", "\xad", "\u200d",
    "💩", "ﬀ", "𝔞",
]  # fmt: skip
_DOTS = [
    ".", ".", ".", "。", "．", "｡",
]  # fmt: skip
_PRIVATE = [
    "127", "１２７", "𝟏𝟐𝟕", "0x7f", "0ｘ7ｆ", "0177", "10", "①⓪", "0", "1", "１", "1\xad", "2", "254", "169",
    "192", "168",
]  # fmt: skip
BASES = [
    "https://example.org/a/b/page.html?q=1", "http://h.org", "http://h.org\\x\\y.html",
    "https://h.org/x\\y/z?a\\b/c",
]  # fmt: skip
LINKS = [
    "\\a.jpg", "a\\b.jpg", "..\\a.jpg", ".\\a.jpg", "\\\\cdn.net\\a.jpg", "/\\cdn.net/a.jpg",
    "\\/cdn.net/a.jpg", "x/..\\y.jpg", "http:\\\\cdn.net\\a.jpg", "http:/\\cdn.net/a", "HTTP://cdn.net\\a",
    "https:\\\\cdn.net:8080\\a?b\\c#d\\e", "?a\\b", "a?b\\c", "a\\b?c\\d", "a#b\\c", "http://me\\@cdn.net/a",
    "http://cdn.net\\@me/a", "http://me@cdn.net\\a", "http://127.0.0.1\\@cdn.net/a", "\\..\\..\\a", "a\\", "\\",
    "..\\", "\\\\cdn.net", "\\\\cdn.net?x\\y", "http://cdn.net\\..\\a", "\t\\a.jpg", "\\\n\\cdn.net\\a",
    "https:\\\\\\cdn.net\\a", "\\\\\\cdn.net\\a", "http:\\a", "c:\\a.jpg", "mailto:a\\b", "a\\b\\..\\c",
    "a\\.\\c",
]  # fmt: skip
_STEPS = [
    "a", "b.jpg", "..", ".", "\\", "\\", "/", "?x\\y", "q",
]  # fmt: skip
_ASK = "const [hosts, links] = arguments; const ask = (a, b) => { try { return new URL(a, b) } catch { return null } };"
_RETURN = (
    "return [hosts.map(h => ask(`http://${h}/`)?.hostname ?? null), links.map(([b, l]) => ask(l, b)?.href ?? null)]"
)


def cases() -> tuple[list[str], list[list[str]]]:
    """Return hosts, and links as [base, link]: those above, and drawn ones."""
    rng = random.Random(16)
    hosts = list(HOSTS)
    for letters, most in ((_LETTERS, 4), (_PRIVATE, 1)):
        for _ in range(200):
            labels = ["".join(rng.choices(letters, k=rng.randint(1, most))) for _ in range(rng.randint(1, 4))]
            hosts.append("".join(label + rng.choice(_DOTS) for label in labels)[: -rng.randint(0, 1) or None])
    links = [[base, link] for base in BASES for link in LINKS]
    for _ in range(300):
        steps = rng.choices(_STEPS, k=rng.randint(1, 7))
        links.append([rng.choice(BASES), "".join(steps)])
    return hosts, links


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as profile:
        driver = open_chromium(Path(profile))
        try:
            hosts, links = cases()
            named, joined = driver.execute_script(_ASK + _RETURN, hosts, links)
            version = driver.capabilities["browserVersion"]
        finally:
            driver.quit()
    answers = {
        "browser": f"Chromium {version}",
        "hosts": [list(each) for each in zip(hosts, named, strict=True)],
        "links": [[*link, answer] for link, answer in zip(links, joined, strict=True)],
    }
    lines = ",\n".join(json.dumps(each) for each in answers["hosts"]), ",\n".join(map(json.dumps, answers["links"]))
    head = json.dumps(answers["browser"])
    ANSWERS.write_text(f'{{"browser": {head},\n"hosts": [\n{lines[0]}\n],\n"links": [\n{lines[1]}\n]}}\n')


if __name__ == "__main__":
    main()
