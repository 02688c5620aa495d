"""The tables of docs/scale.md: `python -m tests.golden.scale` writes them again, of figures.json and the defaults.

A table stands between `<!-- estimate archives=100000 -->`, which names the settings, `<!-- figures -->`,
`<!-- assumptions -->`, `<!-- prices -->` or `<!-- peers -->`, and `<!-- end -->`.
"""

import re

from conf.compose import compose_config
from conf.help_text import default_text
from conf.presets import option_names
from conf.schema.jobs import EstimateConfig
from conf.settings import settings_of
from curation.report.estimate_text import estimate_text, figures_text, markdown_table, peers_text
from jobs.estimate import assumptions_of
from tests.conftest import ROOT

PAGE = ROOT / "docs/scale.md"
_BLOCK = re.compile(r"(<!-- (\w+)((?: \S+=\S+)*) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return the page with each table as it should be."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_table(found[2], found[3].split())}\n{found[5]}", page)


def _table(name: str, settings: list[str]) -> str:
    if name in ("figures", "peers", "prices"):
        return {"figures": figures_text, "peers": peers_text, "prices": _prices}[name]()
    if name == "assumptions":
        return markdown_table(
            ("setting", "default", "is"),
            [
                (f"`{name}`", default_text(declared).removeprefix("default "), declared.metadata["help"])
                for name, (_, declared) in settings_of(EstimateConfig).items()
            ],
        )
    return estimate_text(assumptions_of(compose_config("estimate", EstimateConfig, settings)))


def _prices() -> str:
    """The presets of prices; the comment of each says where its prices come from."""
    rows = []
    for name in option_names("prices"):
        prices = compose_config("estimate", EstimateConfig, [f"prices={name}"]).prices
        lines = (ROOT / f"conf/prices/{name}.yaml").read_text().splitlines()
        told = " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))
        rows.append((f"`prices={name}`", *(f"{price:g}" for price in vars(prices).values()), told))
    return markdown_table(("preset", "core-hour", "terabyte-month", "read", "out", "prices of"), rows)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
