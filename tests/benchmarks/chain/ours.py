"""The jobs of `curate` until `curated`, in one session as there; each stage is named when it begins.

Arguments: settings of curate.
"""

import sys

from headtail.start import launch  # noqa: F401 - finds our packages
from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from curation.spark.session import close_session, on_start
from jobs import balance_pairs, count_entries, extract_pairs, match_pairs


def tell(stage: str) -> None:
    """Name the stage that begins."""
    print(f"stage {stage}", flush=True)


def main() -> None:
    """Run the jobs; what comes before Spark's session is up is the stage `start`."""
    tell("start")
    config = compose_config("curate", CurateConfig, sys.argv[1:])
    with on_start(lambda _: tell("extract_pairs")):
        extract_pairs.run(config)
    for job in (match_pairs, count_entries, balance_pairs):
        tell(job.NAME)
        job.run(config)
    tell("end")
    close_session()


if __name__ == "__main__":
    main()
