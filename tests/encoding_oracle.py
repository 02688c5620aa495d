"""Chromium's answers about encodings: `python -m tests.encoding_oracle` asks it and writes encoding_oracle.json.

Of each encoding the file has the SHA-256 of the texts that Chromium's TextDecoder gives for all sequences of one and
of two bytes, and for drawn longer ones; of each label it has the encoding. tests/unit/sources/test_encodings.py holds
our decoders against the file, tests/browser/test_encodings.py holds the file against the Chromium at hand.
"""

import base64
import hashlib
import json
import random
import re
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from curation.sources.encodings import ENCODING_OF_LABEL, ENCODINGS, REPLACEMENT
from tests.browser.chromium import open_chromium

FILE = Path(__file__).with_suffix(".json")
DECODED = [encoding for encoding in ENCODINGS if encoding != REPLACEMENT]
"""The encodings for which there is a TextDecoder."""
SINGLE_BYTE = (*DECODED[1 : DECODED.index("gbk")], "x-user-defined")
"""The encodings of one byte a character: their sequences are decoded at once, with line ends between them."""
DEVIATIONS = {
    "big5": re.compile(rb"\x88[\x62\x64\xa3\xa5]"),
    "euc-jp": re.compile(rb"\x8f[\xa1-\xfe][^\xa1-\xfe]"),
    "iso-2022-jp": re.compile(rb"\x1b[$(][\x80-\xff]"),
}
"""Bytes at which Chromium 156 differs from the standard, which we follow; docs/extraction.md explains them."""
DRAWN, SEED = 2000, 1
_BYTES = bytes(range(256))
_NASTY = (
    b"\x00\x0e\x1b$B(JI@09!5<\\~\x7f\x80\x81\x84\x8e\x8f\xa0\xa1\xa4\xbb\xbf"
    b"\xc0\xd8\xdc\xe0\xed\xef\xf0\xf4\xfc\xfd\xfe\xff"
)
_ANSWER = """
const [label, drawn, skipped, isFresh, isJoined] = arguments;
const skip = new Set(skipped), one = new Uint8Array(1), two = new Uint8Array(2), options = {ignoreBOM: true};
let texts = [], decoder = new TextDecoder(label, options);
const add = bytes => {
  if (isFresh) decoder = new TextDecoder(label, options);
  texts.push(decoder.decode(bytes));
};
const digest = async () => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\\n")));
  return [...new Uint8Array(hash)].map(byte => byte.toString(16).padStart(2, "0")).join("");
};
if (isJoined) {
  const joined = [];
  for (let first = 0; first < 256; first++) joined.push(first, 10);
  for (let pair = 0; pair < 65536; pair++) joined.push(pair >> 8, pair & 255, 10);
  add(Uint8Array.from(joined.slice(0, -1)));
} else {
  for (let first = 0; first < 256; first++) { one[0] = first; add(one); }
  for (let pair = 0; pair < 65536; pair++) if (!skip.has(pair)) { two[0] = pair >> 8; two[1] = pair & 255; add(two); }
}
const short = digest();
texts = [];
for (const sequence of drawn) add(Uint8Array.from(atob(sequence), character => character.charCodeAt(0)));
return Promise.all([short, digest()]);
"""
_LABELS = """
return arguments[0].map(label => { try { return new TextDecoder(label).encoding } catch { return "replacement" } });
"""


def deviates(encoding: str, sequence: bytes) -> bool:
    """Whether Chromium's answer for these bytes differs from the standard."""
    return encoding in DEVIATIONS and DEVIATIONS[encoding].search(sequence) is not None


def pairs(encoding: str) -> list[bytes]:
    """All sequences of one and of two bytes, without those at which Chromium differs."""
    both = _all_pairs()
    return [pair for pair in both if not deviates(encoding, pair)] if encoding in DEVIATIONS else both


@cache
def _all_pairs() -> list[bytes]:
    ends = [bytes([end]) for end in range(256)]
    return ends + [first + second for first in ends for second in ends]


def drawn(encoding: str) -> list[bytes]:
    """Longer sequences, drawn from all bytes and from those at which decoders change their state."""
    rng, sequences = random.Random(f"{SEED} {encoding}"), []
    for _ in range(DRAWN):
        share, length = rng.random(), rng.randrange(3, 16)
        sequences.append(bytes(rng.choice(_NASTY if rng.random() < share else _BYTES) for _ in range(length)))
    return [sequence for sequence in sequences if not deviates(encoding, sequence)]


def digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def ask(browser: Any, folder: Path) -> dict:
    """Return the answers of a browser, as FILE has them. `folder` gets an empty page: about:blank computes no hash."""
    (folder / "empty.html").touch()
    browser.get(f"file://{folder}/empty.html")
    names = list(ENCODING_OF_LABEL)
    answers = {}
    for encoding in DECODED:
        longer = [base64.b64encode(sequence).decode() for sequence in drawn(encoding)]
        pairs_of_bytes = range(1 << 16) if encoding in DEVIATIONS else ()
        skipped = [pair for pair in pairs_of_bytes if deviates(encoding, pair.to_bytes(2, "big"))]
        answers[encoding] = browser.execute_script(
            _ANSWER, encoding, longer, skipped, encoding in DEVIATIONS, encoding in SINGLE_BYTE
        )
    return {"labels": dict(zip(names, browser.execute_script(_LABELS, names), strict=True)), "sha256": answers}


def main() -> None:
    """Write FILE anew."""
    with tempfile.TemporaryDirectory() as folder:
        browser = open_chromium(Path(folder))
        try:
            answers = ask(browser, Path(folder))
        finally:
            browser.quit()
    FILE.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
