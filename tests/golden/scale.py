"""The tables of docs/scale.md: `python -m tests.golden.scale` writes them again, of figures.json and the defaults.

A table stands between `<!-- estimate archives=100000 -->`, which names the settings, `<!-- figures -->` or
`<!-- assumptions -->`, and `<!-- end -->`.
"""

import re

from conf.compose import compose_config
from conf.help_text import default_text
from conf.schema.jobs import EstimateConfig
from conf.settings import settings_of
from curation.report.estimate import Assumptions, estimate_text, figures_text, markdown_table
from tests.conftest import ROOT

PAGE = ROOT / "docs/scale.md"
_BLOCK = re.compile(r"(<!-- (\w+)((?: \S+=\S+)*) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return the page with each table as it should be."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_table(found[2], found[3].split())}\n{found[5]}", page)


def _table(name: str, settings: list[str]) -> str:
    if name == "figures":
        return figures_text()
    if name == "assumptions":
        return markdown_table(
            ("setting", "default", "is"),
            [
                (f"`{name}`", default_text(declared).removeprefix("default "), declared.metadata["help"])
                for name, (_, declared) in settings_of(EstimateConfig).items()
            ],
        )
    return estimate_text(Assumptions(**vars(compose_config("estimate", EstimateConfig, settings))))


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
