"""How often the rules of language are right on short texts, by language and length.

Run by `make bench NAME=language_accuracy`.

Texts of known language, each under the rule `published` and under `careful`: without a page, on a page that declares
the right language, on one that declares English, and among nine further texts of its language (`page of ten`, which
declares nothing). An undecided text counts as wrong.

- captions: image captions of Wikipedia in eleven languages. The constants of the rule are fitted on the texts whose MD5
  begins with an even byte; the figures are of the others. `capitals` are the same texts in capital letters.
- NTREX-128: the first 1, 2, 3 and 5 words of 300 sentences in 69 languages, and the whole ones.
- lemmas of Open Multilingual Wordnet in six languages, 1,000 each.
- cldr: the names of pictographs, in the languages that have a list (`npm pack cldr-annotations-full`; Unicode licence).
  Skipped without the argument.
- groups: the first five words of closely related languages, and the share that stays within the group.
- lists: what the rules do to matching. The lists are CLDR's names and keywords, the texts the judged captions: the
  share that matches an entry, and of the matched texts the share that matches the right list.
- disputed: 500 texts of LAION-400M, whose texts an English filter has passed, that `published` calls something else.
  They are labelled by hand: data/disputed_english.tsv has their SHA-256 and the language (`zxx`: no words of one).

Arguments: cldr=(the unpacked folder `package`). Writes the tables between the marks of docs/languages.md. The last line
is one JSON object.
"""

import gzip
import hashlib
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.choices import Engine
from curation.core.languages import LANGUAGES, language_of
from curation.extraction.language import DEFAULT_MODEL, detect_languages, load_model
from curation.extraction.language_rule import CODES as LISTS
from curation.extraction.language_rule import NO_CODE, classify, decide, number_of
from curation.extraction.page_evidence import PageLanguages
from curation.matching.entry_store import EntryStore
from curation.matching.match import match_batch
from tests.benchmarks.language import CODES, TABLE, read_sentences
from tests.conftest import SHARED

PUBLISHED, ALONE, RIGHT, ENGLISH, PAGE = RULES = ("published", "alone", "right", "english", "page")
BEGIN, END = "<!-- rules: python -m tests.benchmarks.language_accuracy -->", "<!-- end of rules -->"
PAGE_TEXTS = 10
LABELLED = Path(__file__).with_name("data") / "disputed_english.tsv"
WORDNETS = {"ar": "arb/wn-data-arb", "zh": "cow/wn-data-cmn", "fr": "fra/wn-data-fra", "it": "ita/wn-data-ita",
            "ja": "wikt/wn-wikt-jpn", "th": "wikt/wn-wikt-tha"}  # fmt: skip
WORDS = (1, 2, 3, 5)
GROUPS = (
    ("nob", "dan"),
    ("ind", "msa"),
    ("hrv", "srp-Cyrl"),
    ("ces", "slk"),
    ("zho-CN", "zho-TW"),
    ("glg", "por", "spa"),
)
TITLES = {PUBLISHED: "`published`", ALONE: "`careful`, no page", RIGHT: "page says so", ENGLISH: "page says `en`",
          PAGE: "page of ten"}  # fmt: skip


def decided(texts: list[str], code: str, rule: str) -> np.ndarray:
    """Whether each text, all of one language, is given to the list of its language."""
    if rule == PUBLISHED:
        return np.array([found == code for found in detect_languages(pa.array(texts))[0].to_pylist()], bool)
    model = load_model(DEFAULT_MODEL)
    found = classify(pa.array(texts), model)
    none = np.full(len(texts), NO_CODE, np.int16)
    declared = {
        RIGHT: np.full(len(texts), number_of(code), np.int16),
        ENGLISH: np.full(len(texts), number_of("en"), np.int16),
    }
    longer = none
    if rule == PAGE:
        pages = np.arange(len(texts)) // PAGE_TEXTS
        languages = PageLanguages()
        languages.add(found, pages)
        longer = languages.of(pages)
    return decide(found, model, declared.get(rule, none), longer).codes == number_of(code)


def shares(texts: dict[str, list[str]], rules: tuple[str, ...] = RULES) -> dict[str, dict[str, float]]:
    """By rule and code, the share of right texts."""
    return {rule: {code: float(decided(some, code, rule).mean()) for code, some in texts.items()} for rule in rules}


def mean(values: dict[str, float]) -> float:
    """The mean over languages."""
    return round(sum(values.values()) / max(len(values), 1), 4)


def captions(judged: bool) -> dict[str, list[str]]:
    """The captions of the fitted or of the judged half by code, in a fixed random order."""
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(SHARED / "languages" / "wit-captions-11-half.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            code, text = line.rstrip("\n").split("\t", 1)
            if hashlib.md5(text.encode()).digest()[0] & 1 == judged:
                found[code].append(text)
    for texts in found.values():
        random.Random(0).shuffle(texts)
    return dict(sorted(found.items()))


def in_capitals(text: str, code: str) -> str:
    """The text as a writer of the language sets it in capitals."""
    return (text.replace("i", "İ") if code in ("tr", "az") else text).upper()


def ntrex(words: int | None) -> dict[str, list[str]]:
    """The beginnings of sentences by NTREX's code."""
    return {
        code: [" ".join(text.split()[:words]) for text in texts] for code, texts in sorted(read_sentences().items())
    }


def lemmas() -> dict[str, list[str]]:
    """Lemmas by code."""
    found = {}
    for code, path in WORDNETS.items():
        with gzip.open(SHARED / "wordnet" / f"{path}.tab.gz", "rt", encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
        words = sorted({row[2] for row in rows if row[1].endswith(":lemma") and row[2].strip()})
        found[code] = random.Random(0).sample(words, 1000)
    return found


def annotations(folder: Path) -> dict[str, dict[str, list[str]]]:
    """The names (tts) and keywords (default) by pictograph."""
    return json.loads((folder / "annotations.json").read_text(encoding="utf-8"))["annotations"].get("annotations", {})


def names(folder: Path) -> dict[str, list[str]]:
    """The names of pictographs by code, of languages whose list is their own."""
    found = {}
    for path in sorted((folder / "annotations").iterdir()):
        language = language_of(path.name)
        if language and language.list_code == language.code:
            entries = annotations(path)
            texts = sorted({name for entry in entries.values() for name in entry.get("tts", ()) if len(name) > 1})
            if len(texts) >= 300:
                found[language.code] = texts
    return found


def related() -> Iterator[str]:
    """The rows of the table of groups."""
    texts = ntrex(5)
    for group in GROUPS:
        lists = {LANGUAGES[CODES[code]].list_code for code in group}
        for code in group:
            own = LANGUAGES[CODES[code]].list_code
            within = float(sum(decided(texts[code], other, ALONE).mean() for other in lists))
            shown = [float(decided(texts[code], own, rule).mean()) for rule in (PUBLISHED, ALONE, RIGHT)]
            yield row(f"{LANGUAGES[CODES[code]].name} ({code})", " ".join(sorted(lists)), *shown, within)


def on_lists(folder: Path, judged: dict[str, list[str]]) -> Iterator[tuple[str, float, float]]:
    """By rule, the share of captions that match an entry, and of these the share that match the right list."""
    pairs = [(code, text) for code, some in judged.items() for text in some]
    texts, gold = pa.array([text for _, text in pairs]), np.array([number_of(code) for code, _ in pairs], np.int16)
    model = load_model(DEFAULT_MODEL)
    found, none = classify(texts, model), np.full(len(gold), NO_CODE, np.int16)
    langs = {PUBLISHED: detect_languages(texts)[0]}
    for rule, declared in ((ALONE, none), (RIGHT, gold), (ENGLISH, np.full(len(gold), number_of("en"), np.int16))):
        codes = decide(found, model, declared, none).codes
        langs[rule] = pa.array([LISTS[code] if code != NO_CODE else "en" for code in codes.tolist()])
    rows = len(texts)
    with tempfile.TemporaryDirectory() as lists:
        for code in judged:
            entries = annotations(folder / "annotations" / code)
            names = {name for entry in entries.values() for kind in entry.values() for name in kind if len(name) > 1}
            Path(lists, f"{code}.json").write_text(json.dumps(sorted(names)))
        store = EntryStore.open(lists)
        for rule, lang in langs.items():
            columns = {"uid": pa.array([f"{at:024x}" for at in range(rows)]), "url": texts, "text": texts, "lang": lang}
            columns |= {"text_key": pa.repeat("alt", rows), "lang_score": pa.nulls(rows, pa.float32())}
            matched, _, _ = match_batch(pa.record_batch(columns), store, Engine.tokens)
            at = np.array([int(uid, 16) for uid in matched["uid"].to_pylist()], np.int64)
            right = np.array(matched["lang"].to_pylist()) == np.array([code for code, _ in pairs])[at]
            yield rule, len(at) / rows, float(right.mean())


def disputed() -> dict[str, float]:
    """What happens to the disputed texts of English pages; shares of English texts and of labelled ones."""
    labels = dict(line.split("\t") for line in LABELLED.read_text().splitlines())
    column = pq.read_table(SHARED / "captions" / "laion-10000.parquet")["TEXT"].to_pylist()
    texts = list(dict.fromkeys(text for text in (" ".join((text or "").split()) for text in column) if text))
    published = np.array(detect_languages(pa.array(texts))[0].to_pylist()) == "en"
    model = load_model(DEFAULT_MODEL)
    found = classify(pa.array(texts), model)
    none = np.full(len(texts), NO_CODE, np.int16)
    given = [labels.get(hashlib.sha256(text.encode()).hexdigest()[:16], "") for text in texts]
    english, labelled = np.array([label == "en" for label in given]), np.array([label != "" for label in given])
    foreign = np.array([label not in ("", "en", "zxx") for label in given])
    numbers = np.array(
        [number_of(language.list_code) if (language := language_of(label)) else NO_CODE for label in given]
    )
    part = (~published).sum() / labelled.sum()
    all_english = published.sum() + part * english.sum()
    result = {"texts": len(texts), "disputed": int((~published).sum()), "labelled": int(labelled.sum())}
    result |= {"labelled_english": int(english.sum()), "lost_published": part * english.sum() / all_english}
    for name, declared in (("alone", none), ("english", np.full(len(texts), number_of("en"), np.int16))):
        codes = decide(found, model, declared, none).codes
        is_english = codes == number_of("en")
        lost = part * (english & ~is_english).sum() + (published & ~is_english).sum()
        result |= {f"lost_{name}": lost / all_english, f"foreign_called_english_{name}": is_english[foreign].mean()}
        result |= {f"foreign_right_{name}": (codes == numbers)[foreign].mean()}
    return {name: round(float(value), 4) for name, value in result.items()}


def row(*cells: object) -> str:
    """A row of a table."""
    return "| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def by_language(found: dict[str, dict[str, float]], rules: tuple[str, ...]) -> Iterator[str]:
    """The rows of a table, the worst language first, and the means."""
    for code in sorted(found[ALONE], key=lambda code: (found[ALONE][code], code)):
        yield row(f"`{code}`", *(found[rule][code] for rule in rules))
    yield row(f"mean of {len(found[ALONE])}", *(mean(found[rule]) for rule in rules))


def head(first: str, rules: tuple[str, ...]) -> list[str]:
    """The head of a table by rule."""
    return [row(first, *(TITLES[rule] for rule in rules)), row(*["---"] * (len(rules) + 1))]


def main() -> None:
    """Measure, write the tables into docs/languages.md, print the means."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    figures: dict[str, object] = {}
    lines: list[str] = []

    judged = captions(judged=True)
    found = shares(judged)
    lines += ["Captions, the judged half (`right` needs the list of the language; undecided is wrong):", ""]
    lines += [*head("language", RULES), *by_language(found, RULES), ""]
    figures |= {f"captions_{rule}": mean(found[rule]) for rule in RULES}
    worst = {rule: min(found[rule][code] - found[PUBLISHED][code] for code in judged) for rule in RULES[1:]}
    figures |= {f"captions_{rule}_worst_change": round(change, 4) for rule, change in worst.items()}
    fitted = shares(captions(judged=False))
    figures |= {f"fitted_{rule}": mean(fitted[rule]) for rule in RULES}

    lines += [
        "The same captions by their length, and in capitals (means over the languages):",
        "",
        *head("captions", RULES),
    ]
    lengths = {"1 or 2 words": (1, 2), "3 to 5 words": (3, 5), "6 words or more": (6, 10_000)}
    for name, (least, most) in lengths.items():
        some = {code: [text for text in texts if least <= len(text.split()) <= most] for code, texts in judged.items()}
        found = shares({code: texts for code, texts in some.items() if len(texts) >= 5})
        lines.append(row(f"{name} ({len(found[ALONE])} languages)", *(mean(found[rule]) for rule in RULES)))
    capitals = shares({code: [in_capitals(text, code) for text in texts] for code, texts in judged.items()})
    small = shares({code: [text.lower() for text in texts] for code, texts in judged.items()})
    lines += [row("all in capitals", *(mean(capitals[rule]) for rule in RULES))]
    lines += [row("all in small letters", *(mean(small[rule]) for rule in RULES)), ""]
    figures |= {f"capitals_{rule}": mean(capitals[rule]) for rule in RULES}
    figures |= {f"small_letters_{rule}": mean(small[rule]) for rule in RULES}

    rules = (PUBLISHED, ALONE, RIGHT)
    beginnings = {}
    for words in (*WORDS, None):
        texts, kind = ntrex(words), "whole" if words is None else f"{words}"
        beginnings[kind] = {
            rule: {
                code: float(decided(some, LANGUAGES[CODES[code]].list_code, rule).mean())
                for code, some in texts.items()
            }
            for rule in rules
        }
        figures |= {f"ntrex_{kind}_{rule}": mean(beginnings[kind][rule]) for rule in rules}
    lines += ["NTREX, the first words of a sentence: `published` / `careful` without a page / with the right page.", ""]
    lines += [
        row("language", *(f"{kind} words" if kind != "1" else "1 word" for kind in beginnings)),
        row(*["---"] * 6),
    ]
    order = sorted(beginnings["2"][ALONE], key=lambda code: (beginnings["2"][ALONE][code], code))
    for code in order:
        cells = [" / ".join(f"{found[rule][code]:.2f}" for rule in rules) for found in beginnings.values()]
        lines.append(row(f"{LANGUAGES[CODES[code]].name} ({code})", *cells))
    cells = [" / ".join(f"{mean(found[rule]):.3f}" for rule in rules) for found in beginnings.values()]
    lines += [row(f"mean of {len(order)}", *cells), ""]

    lines += ["Closely related languages, the first five words of NTREX; `within` is the share in the group:", ""]
    lines += [row("language", "group", "`published`", "`careful`, no page", "page says so", "within, no page")]
    lines += [row(*["---"] * 6), *related(), ""]

    found = shares(lemmas(), rules)
    lines += ["Lemmas of wordnets:", "", *head("language", rules), *by_language(found, rules), ""]
    figures |= {f"lemmas_{rule}": mean(found[rule]) for rule in rules}

    if "cldr" in arguments:
        found = shares(names(Path(arguments["cldr"])), rules)
        lines += ["Names of pictographs (CLDR):", "", *head("language", rules), *by_language(found, rules), ""]
        figures |= {f"cldr_{rule}": mean(found[rule]) for rule in rules}
        lines += ["Lists of CLDR's names and keywords, matched with the judged captions:", ""]
        lines += [row("rule", "texts that match", "of these, on the right list"), row(*["---"] * 3)]
        for rule, share, right in on_lists(Path(arguments["cldr"]), judged):
            lines.append(row(TITLES[rule], share, right))
            figures |= {f"matched_{rule}": round(share, 4), f"matched_right_{rule}": round(right, 4)}
        lines.append("")
    else:
        print("cldr: skipped, give the unpacked folder of the package cldr-annotations-full: cldr=package")

    figures["disputed"] = disputed()
    before, mark, rest = TABLE.read_text(encoding="utf-8").partition(BEGIN)
    if not mark:
        sys.exit(f"{TABLE} has no line {BEGIN}")
    text = "\n".join(lines).rstrip()
    TABLE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
