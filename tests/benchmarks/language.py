"""How often the language detector is right, by language: `make bench NAME=language` writes the table of docs.

Input: NTREX-128, of which the first 300 sentences in each of 69 languages are in the real data beside the project. A
sentence counts as right if its list code is the language's own. The last line is one JSON object.
"""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa

from curation.core.languages import LANGUAGES
from curation.extraction.language import detect_languages
from tests.conftest import SHARED

TABLE = Path(__file__).parents[2] / "docs" / "languages.md"
# NTREX's codes (ISO 639-3, a script or region behind a dash) and Wikipedia's.
CODES = dict(
    pair.split("=")
    for pair in [
        "arb=ar",
        "bel=be",
        "ben=bn",
        "bod=bo",
        "bul=bg",
        "cat=ca",
        "ces=cs",
        "cym=cy",
        "dan=da",
        "deu=de",
        "dzo=dz",
        "ell=el",
        "eng-US=en",
        "est=et",
        "eus=eu",
        "fas=fa",
        "fin=fi",
        "fra=fr",
        "glg=gl",
        "guj=gu",
        "heb=he",
        "hin=hi",
        "hrv=hr",
        "hun=hu",
        "hye=hy",
        "ind=id",
        "isl=is",
        "ita=it",
        "jpn=ja",
        "kan=kn",
        "kat=ka",
        "kaz=kk",
        "khm=km",
        "kor=ko",
        "lao=lo",
        "lav=lv",
        "lit=lt",
        "mal=ml",
        "mar=mr",
        "mkd=mk",
        "mon=mn",
        "msa=ms",
        "mya=my",
        "nep=ne",
        "nld=nl",
        "nob=no",
        "pan=pa",
        "pol=pl",
        "por=pt",
        "ron=ro",
        "rus=ru",
        "sin=si",
        "slk=sk",
        "slv=sl",
        "spa=es",
        "sqi=sq",
        "srp-Cyrl=sr",
        "swa=sw",
        "swe=sv",
        "tam=ta",
        "tel=te",
        "tha=th",
        "tur=tr",
        "ukr=uk",
        "urd=ur",
        "uzb=uz",
        "vie=vi",
        "zho-CN=zh",
        "zho-TW=zh",
    ]
)
FIRST_WORDS = 5
BEGIN, END = "<!-- accuracy: python -m tests.benchmarks.language -->", "<!-- end of accuracy -->"


def read_sentences() -> dict[str, list[str]]:
    """Sentences by NTREX's code."""
    sentences: dict[str, list[str]] = defaultdict(list)
    with gzip.open(SHARED / "languages" / "ntrex-69x300.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            code, sentence = line.rstrip("\n").split("\t", 1)
            sentences[code].append(sentence)
    return dict(sentences)


def found_codes(texts: list[str]) -> Counter[str]:
    """How many of the texts the detector gives to each list."""
    return Counter(detect_languages(pa.array(texts))[0].to_pylist())


def main() -> None:
    """Measure, write the table between its marks in docs/languages.md, print the means."""
    rows, shares = [], defaultdict(list)
    for code, sentences in sorted(read_sentences().items()):
        language = LANGUAGES[CODES[code]]
        cells = [language.name, code, f"`{language.code}`", f"`{language.list_code}`"]
        for kind, texts in (
            ("sentences", sentences),
            ("first_words", [" ".join(text.split()[:FIRST_WORDS]) for text in sentences]),
        ):
            found = found_codes(texts)
            share = found[language.list_code] / len(texts)
            shares[kind].append(share)
            cells.append(f"{share:.3f}")
        wrong = [(name, count) for name, count in found.most_common() if name != language.list_code][:2]
        cells.append(", ".join(f"`{name}` {count / len(sentences):.2f}" for name, count in wrong))
        rows.append(f"| {' | '.join(cells)} |")
    means = {kind: round(sum(values) / len(values), 4) for kind, values in shares.items()}
    rows.append(f"| mean of {len(rows)} | | | | {means['sentences']:.3f} | {means['first_words']:.3f} | |")
    head = "| language | NTREX | code | list | sentences | first five words | taken for (five words) |"
    table = "\n".join([head, "|---|---|---|---|---|---|---|", *rows])
    before, _, rest = TABLE.read_text(encoding="utf-8").partition(BEGIN)
    TABLE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(json.dumps({"languages": len(rows) - 1, **means}))


if __name__ == "__main__":
    main()
