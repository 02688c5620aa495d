"""The part of an SQL filter that can be decided before some of its columns are there: before images are scored.

An expression that is a chain of `and` is true only if each of its parts is. So an image that fails one part, by columns
that are there, can be left out early. Whether a part can be decided is told by the words in it: where they could mean
more than they say (quoted names, stars, subqueries), the part is taken for one that needs all columns.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w+|[()\[\]]|\S""", re.S)
_STRANGE = re.compile(
    r"""--|/\*|\$\{|`|\b[rR]['"]|[(,]\s*\*|\*\s*[,)]|\.\s*\*|\bselect\b|\.\s*(?:case|end)\b|\bidentifier\s*\(|"""
    r"""\b(?:date|timestamp\w*)\s*['"]\s*[a-z]""",
    re.I,
)
"""Such a filter is not divided.

Comments, variables, quoted names, raw texts, stars for all columns, subqueries, fields with the names of other words,
names in texts, and dates such as `timestamp'now'`.
"""
_CASE = frozenset({"case", "end"})
_NO_COLUMN = re.compile(
    r"\d.*|all|and|any|as|between|boolean|case|cast|date|decimal|distinct|div|double|else|end|escape|false|float|from|"
    r"ilike|in|int|interval|is|like|long|not|null|or|regexp|rlike|some|string|then|timestamp|true|when"
)
"""Numbers, and the words of SQL itself."""
_CHANGING = re.compile(
    r"rand\w*|uniform|uuid|shuffle|\w*reflect|java_method|monotonically\w*|\w*partition_id|input_file\w*|now|current\w*|"
    r"curdate|localtimestamp|unix_timestamp",
    re.I,
)
"""Functions whose value is another one at another time, or in another order of rows."""
_OPENING, _CLOSING = ("(", "["), (")", "]")


@dataclass(frozen=True)
class EarlyFilter:
    """What must hold of an image before other columns are there: an SQL expression, "" if nothing.

    `is_whole`: the rest of the filter knows only the other columns, so equal files pass it or fail it together.
    """

    expression: str
    is_whole: bool


def early_filter(expression: str, known: Iterable[str], coming: Iterable[str]) -> EarlyFilter:
    """Divide a filter: columns that are `known` already, and columns that are `coming`.

    >>> early_filter("face_count = 0 and (width > 8 or lang = 'en')", ["width", "lang"], ["face_count"])
    EarlyFilter(expression="(width > 8 or lang = 'en')", is_whole=True)
    >>> early_filter("width > 8 or face_count = 0", ["width", "lang"], ["face_count"])
    EarlyFilter(expression='', is_whole=False)
    """
    mine, others = ({name.lower() for name in names} for names in (known, coming))
    early, is_whole = [], True
    is_ambiguous = _words(expression) & _CASE & (mine | others)
    for part in [expression] if is_ambiguous else _conjuncts(expression):
        words = _words(part)
        changes = bool(_STRANGE.search(part)) or any(_CHANGING.fullmatch(word) for word in words)
        if changes or (words & others and (words & mine or _further(part, words - others))):
            is_whole = False
        elif not words & others:
            early.append(part)
    return EarlyFilter(" and ".join(early), is_whole)


def _conjuncts(expression: str) -> Iterator[str]:
    """Yield the parts of a chain of `and`, those of chains in parentheses, too; else the expression as it is."""
    text = expression.strip()
    if not text:
        return
    tokens = [] if _STRANGE.search(text) else [*_TOKEN.finditer(text)]
    while _is_enclosed([token[0] for token in tokens]):
        text = text[tokens[0].end() : tokens[-1].start()].strip()
        tokens = [*_TOKEN.finditer(text)]
    ends = _ends_of_parts([token[0].lower() for token in tokens])
    if not ends:
        yield f"({text})" if text != expression.strip() else text
        return
    start = 0
    for end in ends:
        yield from _conjuncts(text[start : tokens[end].start()])
        start = tokens[end].end()
    yield from _conjuncts(text[start:])


def _is_enclosed(tokens: Sequence[str]) -> bool:
    """Return whether the first token opens what the last one closes."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token in _OPENING) - (token in _CLOSING)
        if not depth:
            return tokens[0] == "(" and place == len(tokens) - 1 and place > 0
    return False


def _ends_of_parts(tokens: Sequence[str]) -> list[int]:
    """Return the places of each `and` that joins parts; none where an `or` is beside them, or an end is missing."""
    depth = cases = betweens = 0
    places = []
    for place, token in enumerate(tokens):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth:
            continue
        cases += (token == "case") - (token == "end")
        if cases:
            continue
        if token == "or":
            return []
        betweens += token == "between"
        if token == "and" and betweens:
            betweens -= 1
        elif token == "and":
            places.append(place)
    return [] if depth or cases or betweens else places


def _words(part: str) -> set[str]:
    """Return the words of a part, in lower case, without those of texts in single quotes."""
    tokens = (token[0].lower() for token in _TOKEN.finditer(part))
    return {word for token in tokens if not token.startswith("'") for word in re.findall(r"\w+", token)}


def _further(part: str, words: set[str]) -> set[str]:
    """Return those of some words of a part that may be columns of tables that nobody has named."""
    functions = re.findall(r"(\w+)\s*\(", part.lower())
    return {word for word in words.difference(functions) if not _NO_COLUMN.fullmatch(word)}
