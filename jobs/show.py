"""Show the state of a run, or the first rows of a table, in the terminal."""

import shutil
from posixpath import dirname

from headtail.start import launch
from conf.schema.jobs import ShowConfig
from curation.core.errors import HeadtailError
from curation.core.storage import join, list_folder
from curation.report.aligned_text import one_line
from curation.report.run_state import RunState
from curation.report.state_text import state_lines
from curation.report.table_rows import ShownTable, names_of

PIPE_COLUMNS = 160
"""Width of lines where the output is no terminal."""


def run(config: ShowConfig) -> None:
    """Print the state of the run in `output`, or the rows of `table` in it, or of the table that `output` is."""
    width = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    path = join(config.output, config.table) if config.table else config.output
    state = RunState.read(config.output)
    if not config.table and state.is_run:
        lines = state_lines(state, width)
    elif table := ShownTable.find(path):
        run_folder = config.output if config.table else dirname(config.output.rstrip("/"))
        folders = (join(folder, "entries") for folder in (run_folder, dirname(run_folder)) if folder)
        lines = table.lines(config.rows, width, next((each for each in folders if list_folder(each)), ""))
    elif config.table and state.is_run:
        there = [name for name, each in state.tables.items() if each.parts]
        raise HeadtailError(f"{config.output} has no table {config.table}, it has {names_of(there)}")
    else:
        raise HeadtailError(f"{path} holds nothing of headtail: expected the folder of a run, a table, or shards")
    print(*map(one_line, lines), sep="\n")  # noqa: T201 the output of the command


if __name__ == "__main__":
    launch(run)
