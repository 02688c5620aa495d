"""The data card: README.md of a set of shards as the Hugging Face Hub reads it, with a head and a text for people."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from curation.report.card_facts import CardFacts, protocol
from curation.report.card_texts import BIASES, LIMITS, REMOVAL, RIGHTS, USES, people
from curation.report.class_coverage import divergence_text
from curation.report.numbers import byte_size, number, percent
from curation.report.target_values import target_texts
from curation.shards.readme import shard_readme

TASKS = ("image-to-text", "text-to-image", "zero-shot-image-classification")
TAGS = ("clip", "image-text", "metaclip", "webdataset", "croissant", "headtail")
SHOWN_LANGUAGES, SHOWN_TASKS = 30, 40
SHOWN_CONCEPTS, SHOWN_CHARS = 5, 80
"""Concepts of a namespace that are named, and characters of a name."""
_HUB_LANGUAGE = re.compile(r"[a-z]{2,3}")
_FILES = "| file | content |"
"""Where the README of the shards begins to explain their files."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")

Values = dict[str, Any]


def data_card(facts: CardFacts) -> str:
    """Return the card: the shards' README with all that the Hub asks for in its head, and more text before its own."""
    plain = shard_readme(facts.part)
    _, head, body = plain.split("---\n", 2)
    front = yaml.safe_dump(
        card_head(facts) | yaml.safe_load(head), sort_keys=False, allow_unicode=True, width=float("inf")
    )
    files = body[body.index(_FILES) :]
    return f"---\n{front}---\n\n# {markdown(facts.name)}\n\n{_text(facts)}\n## Files\n\n{_below(files)}"


def card_head(facts: CardFacts) -> Values:
    """Return the head of the card without its configs; languages that the Hub has no code for are left out."""
    languages = [lang for lang in facts.langs if _HUB_LANGUAGE.fullmatch(lang)]
    licence = facts.licence
    other = {"license": "other", "license_name": licence.name, "license_link": licence.link}
    return {
        "pretty_name": _BLANKS.sub(" ", facts.name),
        **({"license": licence.name} if licence.is_known else other),
        **({"language": languages} if languages else {}),
        "size_categories": [size_category(facts.samples)],
        "task_categories": list(TASKS),
        "tags": [*TAGS, *(["common-crawl"] if facts.crawls else [])],
    }


def size_category(samples: int) -> str:
    """Return the Hub's name for a number of samples.

    >>> [size_category(n) for n in (0, 999, 1000, 999_999, 1_000_000, 2_500_000_000, 10**12)]
    ['n<1K', 'n<1K', '1K<n<10K', '100K<n<1M', '1M<n<10M', '1B<n<10B', 'n>1T']
    """
    bounds = [f"{n}{unit}" for unit in "KMB" for n in (1, 10, 100)] + ["1T"]
    if samples < 1000:
        return "n<1K"
    place = len(str(samples)) - 4
    return f"{bounds[place]}<n<{bounds[place + 1]}" if place < len(bounds) - 1 else "n>1T"


def markdown(text: object) -> str:
    r"""Return a text for one line of Markdown: nothing in it is markup, and no control character reorders the line.

    >>> print(markdown("a | <b>\n`c`\u202e"))
    a \| \<b\> \`c\`
    """
    return _MARKDOWN.sub(r"\\\1", _BLANKS.sub(" ", str(text))).strip()


def _text(facts: CardFacts) -> str:
    tars = sum(file["tar_bytes"] for file in facts.part.manifest["files"])
    publisher = f" Published by {markdown(facts.creator)}." if facts.creator else ""
    page = f" Page: <{facts.url}>." if facts.url else ""
    version = facts.report["run"]["versions"].get("headtail", "")
    sections = [
        (
            "",
            f"{facts.summary} Made by headtail {markdown(version)}, {facts.date}; {byte_size(tars)}.{publisher}{page}",
        ),
        ("How it was made", _list(protocol(facts))),
        ("From records to samples", _funnel(facts)),
        ("Languages", _languages(facts)),
        ("Concepts and targets", "\n\n".join(filter(None, (_concepts(facts), _targets(facts))))),
        ("Benchmarks", _benchmarks(facts)),
        ("Licence and rights", f"{_licence(facts)}\n\n{RIGHTS}\n\n{REMOVAL}"),
        ("People", _list(people(facts.faces))),
        ("Use", _list(USES)),
        ("Limits and biases", _list([*LIMITS, *BIASES])),
    ]
    return "\n".join(f"## {title}\n\n{text}\n" if title else f"{text}\n" for title, text in sections if text)


def _licence(facts: CardFacts) -> str:
    return f"[{markdown(facts.licence.name)}](<{facts.licence.link}>)"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(line)}" for line in lines)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], more: str = "") -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, *(["", more] if more else [])])


def _funnel(facts: CardFacts) -> str:
    rows = [
        [
            markdown(stage["label"]),
            markdown(stage["unit"]),
            number(stage["rows_in"]),
            number(stage["rows_out"]),
            _drops(stage),
        ]
        for stage in facts.report["stages"]
    ]
    return _table(["Stage", "Unit", "In", "Out", "Dropped, by reason"], rows)


def _drops(stage: Values) -> str:
    return ", ".join(f"{markdown(drop['reason'])} {number(drop['count'])}" for drop in stage["drops"]) or "none"


def _languages(facts: CardFacts) -> str:
    rows = sorted((row for row in facts.report["languages"] if row["samples"]), key=lambda row: -row["samples"])
    cells = [
        [markdown(row["name"]), row["lang"], number(row["samples"]), percent(row["samples"], facts.samples),
         "–" if row["t"] is None else number(round(row["t"], 2)), number(row["matches"]),
         number(row["entries_matched"])]
        for row in rows[:SHOWN_LANGUAGES]
    ]  # fmt: skip
    more = f"And {len(rows) - SHOWN_LANGUAGES:,} more languages." if len(rows) > SHOWN_LANGUAGES else ""
    return _table(["Language", "Code", "Samples", "Share", "t", "Matches", "Entries met"], cells, more) if rows else ""


def _concepts(facts: CardFacts) -> str:
    concepts = facts.report.get("concepts")
    if not concepts:
        return ""
    cells = [
        [markdown(row["namespace"]), number(round(row["t"], 2)), number(row["concepts"]),
         number(row["concepts_from_t"]), number(row["images_with"]), number(row["images_without"]),
         number(row["count"]), number(row["kept"]), _most(row["most"])]
        for row in concepts["namespaces"]
    ]  # fmt: skip
    told = (
        "Concepts are ids that images have in tables of the publisher; each namespace thins its own from t images on. "
        "Before and after the draw an image counts once for each of its concepts."
    )
    images = ["Images with one", "Without", "Before", "After"]
    return f"{told}\n\n{_table(['Namespace', 't', 'Concepts', 'From t on', *images, 'Most frequent'], cells)}"


def _most(rows: Sequence[Values]) -> str:
    """Return the first concepts of a namespace with the images that were kept of each."""
    names = [str(row["concept_id"] if row["concept"] is None else row["concept"])[:SHOWN_CHARS] for row in rows]
    shown = zip(names[:SHOWN_CONCEPTS], rows, strict=False)
    return ", ".join(f"{markdown(name)} ({number(row['kept'])})" for name, row in shown) or "–"


def _targets(facts: CardFacts) -> str:
    rows = facts.report.get("targets", [])
    of_concepts = any("namespace" in row for row in rows)
    things, owner = ("Entries and concepts", "language or namespace") if of_concepts else ("Entries", "language")
    told = f"{things} with a target of their own, a weight that multiplies the t of their {owner} or a t instead of it:"
    return f"{told}\n\n{_list(target_texts(rows, SHOWN_LANGUAGES))}" if rows else ""


def _benchmarks(facts: CardFacts) -> str:
    rows = facts.report.get("benchmarks", [])
    cells = [
        [markdown(f"{row['task']} ({row['lang']})"), number(row["classes"]),
         number(row["entry_classes"] + row["case_classes"]), number(row["absent_classes"]), number(row["zero"]),
         divergence_text(row["stages"][row["zero_in"]])]
        for row in rows[:SHOWN_TASKS]
    ]  # fmt: skip
    told = (
        "Whether the classes of benchmarks are among the entries, and how many have no caption here. KL is the "
        "divergence of the task's classes from their shares in the data, in nats."
    )
    return f"{told}\n\n{_table(['Task', 'Classes', 'Entries', 'Absent', 'At 0', 'KL'], cells)}" if rows else ""


def _below(text: str) -> str:
    """Return Markdown with its headings one level lower; comments in blocks of code are none."""
    parts = text.split("```")
    parts[::2] = [re.sub(r"^(#+ )", r"#\1", part, flags=re.MULTILINE) for part in parts[::2]]
    return "```".join(parts)
