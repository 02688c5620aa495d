"""Estimate the cost of a run: core-hours, memory, bytes and dollars of each stage."""

from headtail.start import launch
from conf.schema.jobs import EstimateConfig
from curation.report.estimate import Assumptions, estimate_text


def run(config: EstimateConfig) -> None:
    """Print the estimate."""
    print(estimate_text(Assumptions(**vars(config))))  # noqa: T201 the output of the command


if __name__ == "__main__":
    launch(run)
