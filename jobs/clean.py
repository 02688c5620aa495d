"""Delete the files of tables that are used up: downloads, pairs, ...; shards are never touched."""

import sys

from headtail.start import launch
from conf.schema.jobs import CleanConfig
from curation.core.amounts import byte_size
from curation.core.errors import HeadtailError
from curation.core.leases import writing
from curation.core.progress import say
from curation.shards.clean import STAGE, CleanPlan

TABLES = ("pairs", "matches", "curated", "lists", "downloads", "shards")


def paths_of(config: CleanConfig) -> dict[str, str]:
    """Return the paths of the tables by name."""
    return {name: getattr(config, name) for name in TABLES}


@writing(STAGE, lambda config: paths_of(config).values())
def run(config: CleanConfig) -> None:
    """Say what is deleted and what can then no longer be done, ask, and delete it."""
    plans = [CleanPlan.make(name, paths_of(config)) for name in dict.fromkeys(config.what)]
    plans = [plan for plan in plans if plan.count]
    if not plans:
        say(STAGE, f"is done: nothing is left to delete of {', '.join(config.what)}")
        return
    for plan in plans:
        say(STAGE, plan.describe())
    if not config.yes:
        confirm(f"Delete {byte_size(sum(plan.bytes for plan in plans))}?")
    for plan in plans:
        plan.clean()
    say(STAGE, f"done: {byte_size(sum(plan.bytes for plan in plans))} are free")


def confirm(question: str) -> None:
    """Ask on the terminal; raises HeadtailError if the answer is not yes, or if there is no terminal."""
    if not sys.stdin.isatty():
        raise HeadtailError("there is no terminal to ask on, so nothing is deleted: set yes=true to delete the files")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 a question
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise HeadtailError("nothing is deleted")


if __name__ == "__main__":
    launch(run)
