"""The templates of the page (`templates/`): every value is escaped unless it is HTML made here.

Characters that HTML does not allow, such as NUL and lone surrogates, become U+FFFD.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curation.report import charts, numbers
from curation.report.class_coverage import divergence_text
from curation.report.page_scripts import script

FIRST_ROWS = 15
"""Rows of a long table that are always visible; a <details> element holds the others."""
Values = dict[str, Any]


@lru_cache(1)
def environment() -> Environment:
    """Return the environment of the templates."""
    found = Environment(
        loader=PackageLoader("curation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    found.filters |= {
        "number": numbers.number,
        "exact": lambda value: Markup(numbers.exact_number(value)),
        "web": lambda text, limit=400: Markup(numbers.web_text(text, limit)),
        "bytes": numbers.byte_size,
        "duration": numbers.duration,
        "words": numbers.number_in_words,
        "or_dash": lambda value: "–" if value is None else numbers.number(round(value, 2)),
        "divergence": divergence_text,
        "picture": picture,
        "safe_link": safe_link,
        "halves": halves,
    }
    found.globals |= {
        "percent": numbers.percent,
        "plural": numbers.plural,
        "cumulative": charts.cumulative,
        "rank_frequency": charts.rank_frequency,
        "histogram": charts.histogram,
        "images_by_t": charts.images_by_t,
        "at_of_t": charts.at_of_t,
        "byte_size": numbers.byte_size,
        "number": numbers.number,
        "script": script,
    }
    return found


def _printable(value: Any) -> Any:
    return numbers.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def render_template(name: str, **values: Any) -> Markup:
    """Return the HTML of a template, without the blanks at its ends."""
    return Markup(environment().get_template(f"{name}.html").render(**values).strip())


def picture(thumbnail: str) -> str:
    """Return the src of a thumbnail: a data: image, or an empty one for any other address."""
    return thumbnail if thumbnail.startswith("data:image/") else "data:,"


def safe_link(url: str) -> bool:
    """Return whether a URL may become a link: its scheme is http or https."""
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def halves(rows: Sequence[Values]) -> tuple[Sequence[Values], Sequence[Values]]:
    """Return the rows of a table that are always visible, and the others if it is long."""
    return (rows, []) if len(rows) <= FIRST_ROWS + 3 else (rows[:FIRST_ROWS], rows[FIRST_ROWS:])
