"""Estimate the cost of a run: core-hours, memory, bytes and dollars of each stage."""

import json

from headtail.start import launch
from conf.schema.jobs import EstimateConfig
from curation.core.choices import EstimateFormat
from curation.core.errors import HeadtailError
from curation.report.estimate import Assumptions, Prices
from curation.report.estimate_text import estimate_text
from curation.report.estimate_values import estimate_values


def run(config: EstimateConfig) -> None:
    """Print the estimate."""
    assumed = assumptions_of(config)
    as_json = config.format is EstimateFormat.json
    try:
        told = json.dumps(estimate_values(assumed)) if as_json else estimate_text(assumed)
    except OverflowError as error:
        raise HeadtailError("the numbers that are assumed are too large to be multiplied: give smaller ones") from error
    print(told)  # noqa: T201 the output of the command


def assumptions_of(config: EstimateConfig) -> Assumptions:
    """Return the settings as the assumptions of the estimate."""
    given = {name: value for name, value in vars(config).items() if name != "format"}
    return Assumptions(**given | {"prices": Prices(**vars(config.prices))})


if __name__ == "__main__":
    launch(run)
