"""How often the language detector is right, by language, and how fast it is: `make bench NAME=language`.

Input: NTREX-128, of which the first 300 sentences in each of 69 languages are in the real data beside the project. A
sentence counts as right if its list code is the language's own; the table goes to docs. The speed is that of one core
on all sentences, of the library fasttext with one call a sentence and of our kernels in turn; the fastest round of each
counts. `texts_that_differ` are texts with another label or score than the library's, of all texts of the real data and
of 100,000 generated ones. The last line is one JSON object.
"""

import gzip
import json
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.core.languages import LANGUAGES
from curation.extraction.language import DEFAULT_MODEL, detect_languages, load_model, path_of_model
from curation.extraction.language_model import KernelModel
from curation.extraction.library_model import LibraryModel
from tests import real_texts
from tests.conftest import SHARED
from tests.language_texts import generated_texts

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
ROUNDS = 5
PIECE = 20_000
"""Texts that are compared at a time."""
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


def speed(texts: list[str]) -> dict[str, float]:
    """Return how many times faster than the library the kernels are on one core, and the numbers behind it."""
    library, model, array = library_model(), load_model(DEFAULT_MODEL), pa.array(texts)
    lines = [f"{text}\n" for text in texts]
    model.first(array)  # kernels are compiled
    seconds = {"fasttext": [], "kernels": []}
    for _ in range(ROUNDS):
        started = time.process_time()
        for line in lines:
            library.predict(line, 1, 0.0, "strict")
        seconds["fasttext"].append(time.process_time() - started)
        started = time.process_time()
        model.first(array)
        seconds["kernels"].append(time.process_time() - started)
    assert isinstance(model, KernelModel)
    fasttext, kernels = (min(values) for values in seconds.values())
    return {
        "ratio_fasttext": round(fasttext / kernels, 2),
        "texts_per_second": round(len(texts) / kernels),
        "texts_per_second_fasttext": round(len(texts) / fasttext),
        "mean_characters": round(sum(map(len, texts)) / len(texts), 1),
        "mean_bytes": round(sum(len(text.encode()) for text in texts) / len(texts), 1),
        "model_megabytes": round(model.nbytes / 1e6, 2),
    }


def compare(texts: list[str]) -> dict[str, int]:
    """Return how many texts have another label or score than the library's among their first five."""
    library, model, differ = library_model(), load_model(DEFAULT_MODEL), 0
    for start in range(0, len(texts), PIECE):
        piece = pa.array(texts[start : start + PIECE])
        for k in (1, 5):
            (labels, scores), (their_labels, their_scores) = model.top(piece, k), library.top(piece, k)
            other = (labels != their_labels) | (scores.view(np.int32) != their_scores.view(np.int32))
            differ += int(other.any(axis=1).sum())
    return {"texts_compared": len(texts), "texts_that_differ": differ}


def library_model() -> LibraryModel:
    """The library with the default model."""
    return LibraryModel(path_of_model(DEFAULT_MODEL), load_model(DEFAULT_MODEL).labels)


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
    speeds = speed([text for texts in read_sentences().values() for text in texts])
    texts = list(dict.fromkeys(real_texts.captions() + real_texts.wat_texts() + real_texts.all_lines()))
    compared = compare(texts + generated_texts(100_000, seed=9))
    print(json.dumps({"languages": len(rows) - 1, **means, **speeds, **compared}))


if __name__ == "__main__":
    main()
