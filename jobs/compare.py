"""Compare two or more runs: numbers, settings, images and draws in common, entries that moved, benchmarks."""

import shutil

from headtail.start import launch
from conf.schema.jobs import CompareConfig
from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.progress import say
from curation.report.compare import compare
from curation.report.compare_page import MARK, comparison_page
from curation.report.compare_text import comparison_lines

NAME = "compare"
PIPE_COLUMNS = 160
"""Width of lines where the output is no terminal."""


def run(config: CompareConfig) -> None:
    """Print the comparison, and write it as a page if the settings name a file."""
    if config.page:
        check_page(config.page)
    found = compare([config.a, config.b, *config.more])
    width = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    print(*comparison_lines(found, width), sep="\n")  # noqa: T201 the output of the command
    if config.page:
        storage.write_bytes(config.page, comparison_page(found).encode())
        say(NAME, f"all {len(found.numbers):,} numbers: {config.page}")


def check_page(path: str) -> None:
    """Raise HeadtailError if the file is there and no comparison: it is not replaced."""
    try:
        with storage.open_input(path) as file:
            is_ours = file.read(len(MARK)) == MARK.encode()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HeadtailError(f"page={path} cannot be written: {error}") from error
    if not is_ours:
        raise HeadtailError(f"page={path} is there, and no comparison of headtail: name another file")


if __name__ == "__main__":
    launch(run)
