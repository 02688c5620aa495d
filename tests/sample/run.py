"""`make run`: make the sample crawl, serve its images from this machine, and curate it.

`python -m tests.sample.run key=value ...` takes the settings of `headtail curate` on top of the sample's own.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from conf.schema.jobs import CurateConfig
from curation.core.errors import HeadtailError
from curation.core.progress import say
from jobs import curate
from jobs.cli import launch
from tests.sample.host import ImageHost
from tests.sample.make import README, made_port, make_sample
from tests.sample.ports import sample_port

SAMPLE = Path("build/sample")
OUTPUT = Path("build/sample-run")
DAMAGE = "two of its eight archives are failures in the report, and some of its image addresses fail"
LOCAL = "spark.master=local[2]"


def settings(sample: Path, output: Path) -> list[str]:
    """Return the settings with which `headtail curate` curates the sample crawl into a folder."""
    return [
        f"output={output}",
        f"source.paths={sample / 'wat'}",
        "source.crawl=sample",
        f"entry_lists={sample / 'entries'}",
        "urls.allow_private_hosts=127.0.0.1/32",  # the sample's host is this machine
        "max_failed_share=0.3",  # two of its eight files are damaged on purpose
        "buckets=8",
        "samples_per_shard=100",
        "seed=0",
    ]


def changed(given: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return settings with others in their place, or behind them: a setting is given once."""
    keys = {each.partition("=")[0] for each in more}
    return [*(each for each in given if each.partition("=")[0] not in keys), *more]


def run(config: CurateConfig) -> None:
    """Curate while the sample's host is up; say which of the faults in the report are meant to be there."""
    with ImageHost(SAMPLE, made_port(SAMPLE)):
        curate.run(config)
    say("sample", f"is damaged on purpose: {DAMAGE}; {SAMPLE / README} tells which")


def main(arguments: Sequence[str]) -> None:
    """Make the sample crawl, and curate it."""
    given = changed([*settings(SAMPLE, OUTPUT), LOCAL], arguments)
    output = next(each.partition("=")[2] for each in reversed(given) if each.startswith("output="))
    say("sample", f"is made in {SAMPLE}, unless it is there")
    try:
        make_sample(SAMPLE, sample_port(made_port(SAMPLE), Path(output)))
    except HeadtailError as error:
        sys.exit(f"make run: {error}")
    launch(run, given, job="curate")


if __name__ == "__main__":
    main(sys.argv[1:])
