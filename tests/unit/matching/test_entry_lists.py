"""Reading entry lists: unusable entries leave a hole; the formats of files are tested with the entry store."""

from collections import Counter

from curation.matching.entry_lists import clean_entries


def test_what_cannot_be_used_leaves_a_hole() -> None:
    raw = [
        "dog",
        "",
        " \u3000",
        "x" * 256,
        "x" * 257,
        "a\tb",
        "a\x00",
        "\x85",
        "dog",
        7,
        None,
        "\ud800",
        "é" * 256,
        ["a"],
    ]
    texts, drops = clean_entries(raw)
    kept = [index for index, text in enumerate(texts.to_pylist()) if text is not None]
    assert kept == [0, 3, 12]
    assert drops == Counter(blank=3, over_long=1, control_characters=2, duplicate=1, not_text=4)
    assert len(texts) == len(raw) == len(kept) + sum(drops.values())
