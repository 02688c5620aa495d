"""Both engines against each other, on real texts and entries."""

import functools
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.core.choices import Edges, Engine
from curation.matching.entry_lists import clean_entries
from tests.conftest import needs_shared
from tests.real_texts import all_lines, captions, english_entries, lemmas, sentences, wat_texts
from tests.unit.matching.test_match import make_matcher, scan

pytestmark = needs_shared


def both(texts: list[str], entries: pa.StringArray, edges: Edges, folder: Path) -> pa.ListArray:
    """The ids of both engines, which must not differ."""
    tokens, reference = (
        make_matcher(engine, entries, edges, folder).match(pa.array(texts))
        for engine in (Engine.tokens, Engine.ahocorasick)
    )
    same = tokens.equals(reference.cast(tokens.type))
    if not same:  # name the first text that shows it
        for text, ours, theirs in zip(texts, tokens.to_pylist(), reference.to_pylist(), strict=True):
            assert ours == theirs, text
    assert same
    return tokens


def test_english_entries_on_real_captions_and_alts(tmp_path: Path) -> None:
    edges = Edges.script
    texts = captions() + wat_texts()
    assert len(texts) > 50_000
    entries, _ = clean_entries(english_entries())
    ids = both(texts, entries, edges, tmp_path)
    assert len(ids.flatten()) > 400_000
    # A few against the definition itself, which takes its time.
    chosen = random.Random(1).sample(range(len(texts)), 30)
    expected = scan([texts[index] for index in chosen], entries.to_pylist(), edges)
    assert ids.take(pa.array(chosen)).to_pylist() == expected


@functools.cache
def entries_of_seven_languages() -> pa.StringArray:
    """A quarter of the English entries, and the lemmas of six wordnets."""
    raw = english_entries()[::4] + lemmas("cow/wn-data-cmn") + lemmas("wikt/wn-wikt-jpn") + lemmas("wikt/wn-wikt-tha")
    raw += lemmas("arb/wn-data-arb") + lemmas("fra/wn-data-fra") + lemmas("ita/wn-data-ita")
    return clean_entries(raw)[0]


@pytest.mark.parametrize("edges", Edges)
def test_every_line_of_the_real_data(edges: Edges, tmp_path: Path) -> None:
    lines = all_lines()
    assert len(lines) > 400_000
    texts = lines[list(Edges).index(edges) :: len(Edges)]  # each line with one of the rules
    ids = both(texts, entries_of_seven_languages(), edges, tmp_path)
    assert np.diff(ids.offsets.to_numpy()).max() > 100


@functools.cache
def entries_of_sentences() -> dict[str, tuple[list[str], pa.StringArray]]:
    """The sentences of each language, with entries that are cut from them."""
    draw = random.Random(5)
    found = {}
    for code, texts in sentences().items():
        raw: list[str] = []
        for text in draw.sample(texts, 40):
            start = draw.randrange(len(text))
            raw += [
                text[start : start + draw.randint(1, 12)],
                text[start:].split(" ")[0],
                *draw.sample(text.split(" "), 1),
            ]
            raw += [" ".join(text.split(" ")[1:3])]
        found[code] = texts, clean_entries(raw)[0]
    return found


@functools.cache
def scanned_sentences(edges: Edges) -> dict[str, list[list[int]]]:
    """What the definition gives for them."""
    cut = entries_of_sentences()
    return {code: scan(texts, entries.to_pylist(), edges) for code, (texts, entries) in cut.items()}


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("edges", Edges)
def test_69_languages_with_entries_cut_from_their_sentences(edges: Edges, engine: Engine, tmp_path: Path) -> None:
    assert len(entries_of_sentences()) == 69
    total = 0
    for code, (texts, entries) in entries_of_sentences().items():
        expected = scanned_sentences(edges)[code]
        assert make_matcher(engine, entries, edges, tmp_path).match(pa.array(texts)).to_pylist() == expected, code
        total += sum(map(len, expected))
        assert edges == Edges.blank or any(expected), code  # whole sentences are one word there in some scripts
    assert total > 69 * 100
