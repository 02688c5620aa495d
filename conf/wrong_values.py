"""The line for a value that Hydra or OmegaConf does not take: the setting as the user typed it, and what it takes."""

import difflib
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

KINDS = {"Float": "a number", "Integer": "an integer"}
UNITS = {"": 1, "%": 0.01, "B": 1e9} | {sign + byte: 1000**n for n, sign in enumerate("KMGT", 1) for byte in ("", "B")}
_CONVERSION = re.compile(r"Value '(.*)' of type '\w+' could not be converted to (\w+)")
_NUMBER = re.compile(r"([+-]?[\d., _']*\d(?:e[+-]?\d+)?)\s*([a-z%]*)", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
"""Digits in groups of three, as 20.000: many languages write twenty thousand so, and it reads as twenty."""
_BETWEEN_NUMBERS = re.compile(r"[\s,\[\]{}():'\"]+")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:0,\d+|[\d.]*\d,(?!\d{3}$)\d+|\d{1,3}(?:\.\d{3})+,\d+)", re.ASCII)


def wrong_value(line: str, key: str | None, overrides: dict[str, str], help_text: str = "") -> str | None:
    """Return a better line for one of Hydra or OmegaConf, None if there is none.

    `key` is the setting that OmegaConf names, if it names one; `overrides` are the settings as the user typed them,
    `help_text` is the help text of the setting, which may hold an example.
    """
    if match := _CONVERSION.search(line):
        return _wrong_number(str(key), overrides.get(str(key), match[1]), KINDS.get(match[2], match[2]))
    if (match := re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", line)) and key:
        return wrong_choice(re.sub(r"\[\d+\]$", "", key), match[1], match[2].split(", "))
    if "is not a valid bool" in line and key:
        return f"{key} must be true or false, got {overrides.get(key)!r}"
    if key and "is not a ListConfig" in line:
        return f"{key} takes values with commas between them, and [] for none, got {overrides.get(key)!r}"
    if match := re.search(r"field '(.*)' is not Optional", line):
        return f"{match[1]} cannot be null: give it a value, or leave it out"
    if key and re.search(r"Cannot assign \w+ to Dict|Cannot merge DictConfig with ListConfig", line):
        example = re.search(rf"{re.escape(key)}\.\w+=\w+", help_text)
        like = f", as {example[0]}" if example else ""
        return f"{key} takes names with values: write {key}.name=value{like}, got {overrides.get(key)!r}"
    if key and re.search(r"Cannot convert '(list|dict)' to string", line):
        return f"{key} takes one text, got {overrides.get(key)!r}"
    if key and "is not a valid input for <enum" in line:
        return f"{key} takes one value, got {overrides.get(key)!r}"
    if match := re.search(r"(\w+) appears more than once in the final defaults list", line):
        return f"+{match[1]}: the topic has a preset, write {match[1]}= without the +"
    if match := re.search(r"Interpolation key '(.*)' not found", line):
        return f"{key}: no setting is called {match[1]}; an environment variable is written ${{oc.env:{match[1]}}}"
    if key and "Recursive interpolation" in line:
        return f"{key}: the value {overrides.get(key, '')} refers to itself".replace("  ", " ")
    if key and (match := re.search(r"Environment variable '(.*)' not found", line)):
        return f"{key}: the environment variable {match[1]} is not set"
    if match := re.search(r"Could not append to config. An item is already at '(.*)'", line):
        return f"+{match[1]}: the setting exists, write {match[1]}= without the +"
    return None


def wrong_choice(key: str, value: str, choices: Sequence[str]) -> str:
    """Return the line for a value that is none of a setting's choices, with the nearest one.

    >>> wrong_choice("what", "download", ["pairs", "downloads"])
    "what must be one of pairs, downloads, got 'download': write downloads"
    >>> wrong_choice("what", "all", ["pairs", "downloads"])
    "what must be one of pairs, downloads, got 'all'"
    """
    near = difflib.get_close_matches(value.lower(), choices, 1)
    return f"{key} must be one of {', '.join(choices)}, got {value!r}{f': write {near[0]}' if near else ''}"


def grouped_number(key: str, value: str, is_integer: bool, maximum: float | None = None) -> str | None:
    """Return the line for a number whose points or commas may stand between groups of three digits; None without one.

    `value` is one number or several, with commas between them. A fraction whose last digit counts, as 20.125, is a
    decimal, and so is a number that would be above `maximum` without its points.

    >>> grouped_number("balance.t", "20.000", False)
    "balance.t: '20.000' may be 20 or 20,000: write 20 or 20000"
    """
    kind = KINDS["Integer" if is_integer else "Float"]
    if re.search(r"\d,0\d\d(?!\d)", value):  # 20,000 as a list would be 20 and 0
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", value, re.ASCII):
            return _wrong_number(key, value, kind)
        return f"{key}: {value!r} has commas within numbers: write 20000 for twenty thousand"
    for text in _BETWEEN_NUMBERS.split(value):
        if not _GROUPED.fullmatch(text):
            continue
        whole = text.replace(".", "")
        if text.count(".") > 1 or (is_integer and not text.endswith("000")):
            return f"{key} must be {kind}, got {text!r}: write {whole}"
        is_above = maximum is not None and float(whole) > maximum
        if text.endswith("0") and not is_above:
            return f"{key}: {text!r} may be {float(text):.10g} or {int(whole):,}: write {float(text):.10g} or {whole}"
    return None


def unreadable(overrides: dict[str, str], numbers: dict[str, str]) -> str | None:
    """Return the line for the first override that Hydra cannot parse, None if it can parse all.

    `overrides` are the values as Hydra gets them, by key as typed; `numbers` the kinds of those settings that are
    numbers.
    """
    for key, value in overrides.items():
        try:
            swept = OverridesParser.create().parse_override(f"{key}={value}").is_sweep_override()
        except HydraException:
            swept = True
        if swept and key in numbers:
            return _wrong_number(key, value, numbers[key])
        if swept:
            return (
                f"{key.lstrip('+')}: {value!r} cannot be read: close each quote and bracket, and put a text that holds "
                "any of them in quotes"
            )
    return None


def _wrong_number(key: str, value: str, kind: str) -> str:
    value = value.strip("'\"")
    found = _plain_number(value)
    cure = "" if found is None or (kind == KINDS["Integer"] and "." in found) else f": write {found}"
    return f"{key} must be {kind}, got {value!r}{cure}"


def _plain_number(text: str) -> str | None:
    """Return a number as settings take it, None for a text that is no number.

    A single comma is a decimal point where 0, or other than three digits, make it one: 0,125 and 2,5, but not 1,000.

    >>> [_plain_number(text) for text in ("20k", "1e3", "1,000", "4 GB", "6%", "0,06", "1.234,5", "many")]
    ['20000', '1000', '1000', '4000000000', '0.06', '0.06', '1234.5', None]
    """
    match = _NUMBER.fullmatch(text.strip())
    if not match or match[2].upper() not in UNITS:
        return None
    digits = re.sub(r"[ _']", "", match[1])
    if _DECIMAL_COMMA.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "")
    try:
        return f"{float(digits) * UNITS[match[2].upper()]:.15g}"
    except ValueError:
        return None
