"""The command line: `headtail` lists the jobs, `headtail <job> --help` the settings; with key=value a job runs."""

import ast
import importlib
import importlib.util
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, get_type_hints

from curation.core.errors import DEBUG, HeadtailError, faults_as_lines, shows_stacks
from curation.core.terminal import guard_streams, printable
from jobs.failures import hide_stacks_of_threads, unexpected_line
from jobs.flags import read_flags, with_keys

JOBS = (
    # In the order of the list that `headtail` prints. Each name is a module of jobs/ with a function `run`.
    "curate",
    "extract_pairs",
    "match_pairs",
    "count_entries",
    "balance_pairs",
    "download_images",
    "score_images",
    "cluster_images",
    "hash_images",
    "write_shards",
    "expert_weights",
    "report_stats",
    "check_shards",
    "remove_samples",
    "attach",
    "caption_stats",
    "card",
    "clean",
    "export",
    "show",
    "compare",
    "explore",
    "explain",
    "estimate",
    "starter_lists",
    "build_metadata",
    "fetch_sources",
)
NO_LOG = frozenset(("caption_stats", "compare", "expert_weights", "explain", "estimate", "show", "explore"))
"""Jobs that print an answer, and write nothing into the folder of a run."""
USAGE = "headtail <job> --help shows the settings of a job, --debug shows stack traces of errors. The jobs:"


def main() -> None:
    """Run the job that the first argument names."""
    guard_streams()
    job, *arguments = _without_debug(sys.argv[1:]) or [""]
    if job in ("--version", "-V"):
        print(f"headtail {version('headtail')}")  # noqa: T201
    elif job in ("", "-h", "--help", "help"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `headtail | head`
        print(_list_of_jobs())  # noqa: T201
    elif job not in JOBS:
        _fail("headtail", _unknown_job(job, arguments))
    else:
        with _ending(job):
            # A job's module imports Spark or numba: help and mistakes come first.
            from conf.schema.jobs import config_class

            if config := _compose(config_class(job), arguments, job):
                with _watched(job, config, arguments):
                    _run(_load(job), config)


def _list_of_jobs() -> str:
    from conf.help_lines import named_lines, text_width, wrapped

    width = text_width()
    listed = named_lines({name: _first_line(name) for name in JOBS}, 19, width)
    return f"headtail <job> key=value ...\n{wrapped(USAGE, width)}\n\n{listed}"


def launch(run: Callable[[Any], None], arguments: list[str] | None = None, job: str = "") -> None:
    """Compose the job's configuration from the command line and run the job.

    An error is one line on standard error and exit code 1; `--debug` shows its stack trace, too. The default of `job`
    is the name of the file that defines `run`. The class of the configuration is the annotation of `run`'s only
    parameter; the class may name the settings that get arguments without a key (`bare_argument`).
    """
    guard_streams()
    arguments = _without_debug(sys.argv[1:] if arguments is None else arguments)
    job = job or Path(sys.modules[run.__module__].__file__ or "").stem
    with _ending(job):
        if config := _compose(get_type_hints(run)["config"], arguments, job):
            with _watched(job, config, arguments):
                _run(run, config)


def _unknown_job(job: str, arguments: list[str]) -> str:
    """Return the line for a first argument that is no job: the job that it stands for, if there is one."""
    import difflib  # only a mistake needs it

    from conf.other_words import jobs_with_word, other_job

    named = next((word for word in (job.lstrip("-").replace("-", "_"), *arguments) if word in JOBS), "")
    if named:
        return f"unknown job {job!r}: write headtail {named} key=value ..."
    if near := other_job(job) or jobs_with_word(job, JOBS) or difflib.get_close_matches(job, JOBS, 1):
        return f"unknown job {job!r}: did you mean {' or '.join(near)}? headtail lists the jobs"
    if "=" in job:
        return f"the job is missing before {job!r}: the jobs are {', '.join(JOBS)}"
    return f"unknown job {job!r}: the jobs are {', '.join(JOBS)}"


def _load(job: str) -> Callable[[Any], None]:
    """Return the function of a job: its module imports Spark, and compiles kernels at the first start."""
    from curation.core.progress import waiting

    with waiting("loading the job; the first time, compiling kernels"):
        return importlib.import_module(f"jobs.{job}").run


def _watched(job: str, config: Any, arguments: list[str]) -> AbstractContextManager[None]:
    """Return the block in which a job tells where it is, with a log in the folder of its run."""
    if job in ("estimate", "show", "explore"):  # have their answer before the line would be there
        return nullcontext()
    from curation.core.living import watched
    from jobs.saved_settings import settings_yaml

    def memory_of_java() -> int:
        jvm = sys.modules.get("curation.spark.jvm")
        return jvm.peak_memory() if jvm else 0

    output = "" if job in NO_LOG else getattr(config, "output", "")
    return watched(job, output, arguments, memory_of_java, settings_yaml(config) if output else "")


def _compose(kind: Any, arguments: list[str], job: str) -> Any:
    """Return the job's configuration, or a Sweep; print what a flag asks for and return None if one does."""
    flags = read_flags(arguments, kind)
    if flags.version:
        print(f"headtail {version('headtail')}")  # noqa: T201
        return None
    flags.overrides = with_keys(flags.overrides, kind)
    from jobs.answers import answer  # Hydra takes a while, and Ctrl-C may come meanwhile

    return answer(job, kind, flags, _first_line(job))


def _run(run: Callable[[Any], None], config: Any) -> None:
    """Run the job once, or for each variant of a sweep."""
    if hasattr(config, "variants"):
        importlib.import_module("jobs.sweep").run_sweep(config)
    else:
        run(config)


@contextmanager
def _ending(job: str) -> Iterator[None]:
    """End the process with one line after an error or a signal, and stop Spark."""
    stops: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_stop, stops))
    # py4j logs each error that it raises with its stack trace, also after Ctrl-C.
    logging.root.addFilter(lambda record: "py4j" not in record.pathname)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    hide_stacks_of_threads()
    try:
        with faults_as_lines():
            yield
    except (KeyboardInterrupt, Exception) as error:
        if shows_stacks():
            traceback.print_exception(error)
        # After a signal, py4j may raise any other error while it cleans up.
        if stops or isinstance(error, KeyboardInterrupt):
            _fail(f"headtail {job}", "stopped; run the same command again to continue", code=130)
        if isinstance(error, BrokenPipeError):
            os._exit(1)
        if isinstance(error, HeadtailError):
            _fail(f"headtail {job}", str(error))
        _fail(f"headtail {job}", _fault_of_spark(error) or unexpected_line(job, error))
    finally:
        if session := sys.modules.get("curation.spark.session"):
            session.close_session()


def _fault_of_spark(error: BaseException) -> str | None:
    """Return the line for an error of Spark that a user can fix, None for any other.

    A JVM that dies breaks connections, which may raise any error.
    """
    faults = sys.modules.get("curation.spark.faults")
    if faults and (isinstance(error, OSError | EOFError) or type(error).__module__.startswith(("py4j", "pyspark"))):
        return faults.fault_line(error)
    return None


def _without_debug(arguments: list[str]) -> list[str]:
    """Return the arguments without `--debug`, which is set in the environment instead."""
    if "--debug" in arguments:
        os.environ[DEBUG] = "1"
    return [argument for argument in arguments if argument != "--debug"]


def _stop(stops: list[int], number: int, _: FrameType | None) -> None:
    stops.append(number)
    raise KeyboardInterrupt


def _first_line(job: str) -> str:
    spec = importlib.util.find_spec(f"jobs.{job}")
    source = spec.loader.get_source(spec.name) if spec and spec.loader else ""  # type: ignore[attr-defined]  # the loader of a source file
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def _fail(command: str, message: str, code: int = 1) -> None:
    print(printable(f"{command}: {' '.join(message.split())}"), file=sys.stderr)  # noqa: T201
    sys.exit(code)
