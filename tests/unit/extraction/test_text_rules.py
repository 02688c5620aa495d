"""Text rules against the same in plain Python."""

import functools
import random
import re
import sys

import pyarrow as pa
import pytest

from curation.extraction.drop_reasons import TEXT_REASONS
from curation.extraction.text_rules import TextRules, clean_texts
from tests.unit.extraction.settings import text_rules


@functools.cache
def blanks() -> list[str]:
    return [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]


@functools.cache
def drawn_texts() -> list[str]:
    rng = random.Random(5)
    letters = [*blanks(), *"ab!é中😀\ufffd\u200b\u00ad\u3001\u2030", "\x00", "\x1b", "\x7f", " ", " "]
    return ["".join(rng.choices(letters, k=rng.randrange(9))) for _ in range(10_000)] + blanks()


def clean(text: str, rules: TextRules) -> tuple[str, str]:
    text = text.translate(str.maketrans("\t\n\r", "   ")).strip()
    if rules.collapse_blanks:
        text = re.sub(r"\s+", " ", text)
    if not text:
        return "", "blank_text"
    if rules.min_chars and len(text) < rules.min_chars:
        return "", "short_text"
    if rules.max_chars and len(text) > rules.max_chars:
        return "", "long_text"
    if text.count("\ufffd") > rules.max_replacement_share * len(text):
        return "", "broken_text"
    return text, ""


@pytest.mark.parametrize(
    "rules",
    [
        text_rules(),
        text_rules(collapse_blanks=True),
        text_rules(min_chars=3, max_chars=5),
        text_rules(max_replacement_share=0),
    ],
    ids=["default", "blanks collapsed", "lengths", "no replaced character"],
)
def test_equals_plain_python(rules: TextRules) -> None:
    texts = drawn_texts()
    cleaned, reasons = clean_texts(pa.array(texts), rules)
    found = [(text, TEXT_REASONS[reason]) for text, reason in zip(cleaned.to_pylist(), reasons, strict=True)]
    expected = [clean(text, rules) for text in texts]
    assert found == expected
    assert len({reason for _, reason in expected}) > 2


def test_empty_and_sliced() -> None:
    assert clean_texts(pa.array([], pa.string()), text_rules())[0].to_pylist() == []
    assert clean_texts(pa.array(["x", " a ", "b"])[1:], text_rules())[0].to_pylist() == ["a", "b"]
