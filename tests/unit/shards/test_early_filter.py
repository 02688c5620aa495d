"""The part of a filter that can be decided before some columns are there: a table of cases, and a loop over truths."""

import itertools
import re

import pytest

from curation.shards.early_filter import EarlyFilter, early_filter

KNOWN, COMING = ["uid", "url", "width", "lang", "text", "clip"], ["nsfw", "face_count", "text_share"]


@pytest.mark.parametrize(
    ("expression", "early", "is_whole"),
    [
        ("", "", True),
        ("nsfw < 0.5", "", True),
        ("width > 8", "width > 8", True),
        ("width > 8 or lang = 'en'", "width > 8 or lang = 'en'", True),
        ("Width > 8 AND NSFW < 1", "Width > 8", True),
        ("text_share < 0.2 and text like '%cat%'", "text like '%cat%'", True),
        ("nsfw < 0.5 or width > 8", "", False),
        ("(nsfw < 0.5 or width > 8) and lang = 'en'", "lang = 'en'", False),
        (
            "(nsfw < 0.5 and (width > 8)) and ((lang = 'en' or clip > 1))",
            "(width > 8) and (lang = 'en' or clip > 1)",
            True,
        ),
        (
            "width between 8 and 90 and nsfw < 1 and clip between 0 and 1",
            "width between 8 and 90 and clip between 0 and 1",
            True,
        ),
        ("url like '%nsfw and x%' and nsfw < 1", "url like '%nsfw and x%'", True),
        (
            "case when lang = 'en' and clip > 1 then 1 end = 1 and nsfw < 1",
            "case when lang = 'en' and clip > 1 then 1 end = 1",
            True,
        ),
        ("case when lang = 'en' then nsfw end < 1 and width > 8", "width > 8", False),
        ("not width > 8 and not (nsfw < 1 and face_count = 0)", "not width > 8", True),
        ("filter(text, x -> x > 1 and x < 3)[0] = 1 and nsfw < 1", "filter(text, x -> x > 1 and x < 3)[0] = 1", True),
        ("rand() < 0.5 and width > 8", "width > 8", False),
        ("current_date() > '2026-01-01' and width > 8", "width > 8", False),
        ("hash(*) % 2 = 0 and width > 8", "", False),
        ("`width` > 8 and lang = 'en'", "", False),
        ("width > 8 -- and lang = 'en'", "", False),
        (r"url like r'\' and nsfw < 1", "", False),
        ("width > (select 1) and lang = 'en'", "", False),
        ('"nsfw" = lang and width > 8', "width > 8", False),
        ("width > 8 and (lang = 'en'", "width > 8 and (lang = 'en'", True),
        ("width.end = 1 and nsfw < 1", "", False),
        ("nsfw < score and width > 8", "width > 8", False),
        ("nsfw < abs(0.5 * face_count) and nsfw is not null", "", True),
        ("cast(nsfw as int) in (1, 2) and width > 8", "width > 8", True),
        ("identifier('nsfw') < 1 and width > 8", "", False),
        ("timestamp 'now' > text and nsfw < 1", "", False),
        ("date'2026-01-01' > text and nsfw < 1", "date'2026-01-01' > text", True),
        ("text.case = 1 or nsfw < 0.5 and text . END > 0 and width > 8", "", False),
    ],
    ids=itertools.count(),
)
def test_parts_that_know_no_coming_column_are_early(expression: str, early: str, is_whole: bool) -> None:
    assert early_filter(expression, KNOWN, COMING) == EarlyFilter(early, is_whole)


@pytest.mark.parametrize(
    "names", [(["case", "end", "width"], ["nsfw"]), (["width"], ["nsfw", "CASE", "end"])], ids=["known", "coming"]
)
def test_columns_with_the_names_of_other_words_divide_no_filter(names: tuple[list[str], list[str]]) -> None:
    """Spark takes `case` and `end` for columns where no `when` follows."""
    wanted = EarlyFilter("", False)
    assert early_filter("case = 1 or nsfw < 0.5 and end > 0 and width > 8", *names) == wanted
    assert early_filter("nsfw < 0.5 and width > 8", *names) == EarlyFilter("width > 8", True)
    assert early_filter("", *names) == EarlyFilter("", True)


def test_what_passes_the_whole_filter_passes_its_early_part() -> None:
    """SQL's truth of and, or and not, for all values of four columns, those that are not there being null."""
    names = ["a", "b", "x", "y"]
    grown = names
    for _ in range(2):
        joined = [
            f"({one} {word} {other})" for one, other in itertools.product(grown[:6], names) for word in ("and", "or")
        ]
        grown = [*names, *joined[::3], *(f"not {each}" for each in joined[::5])]
    early_ones = 0
    for expression in grown:
        early = early_filter(expression, ["a", "b"], ["x", "y"])
        early_ones += bool(early.expression)
        assert not set(re.findall(r"\b[xy]\b", early.expression))
        for values in itertools.product([False, True], repeat=4):
            row = dict(zip(names, values, strict=True))
            assert eval(early.expression or "True", {}, row) or not eval(expression, {}, row)
    assert 5 < early_ones < len(grown)
