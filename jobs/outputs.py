"""The folders that a job writes, as its settings declare them."""

import functools
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from typing import Any, cast

from curation.core import leases
from curation.core.errors import HeadtailError
from curation.core.output_folders import check_outputs
from curation.core.seeds import forgotten_if_refused


def writing(job: str, folders: Callable[[Any], Iterable[str]]) -> Callable[[leases.Run], leases.Run]:
    """Decorate the `run` of a job that makes folders: it holds their leases while it runs.

    `folders` are those that this call writes. All folders that the settings declare must be free for it, or of ours:
    HeadtailError.
    """

    def decorate(run: leases.Run) -> leases.Run:
        held = leases.writing(job, folders)(run)

        @functools.wraps(run)
        def checked(config: Any, *more: Any) -> None:
            check_folders(config)
            with forgotten_if_refused(output) if (output := getattr(config, "output", "")) else nullcontext():
                held(config, *more)

        return cast(leases.Run, checked)

    return decorate


def written_folders(config: Any) -> list[str]:
    """Return the paths of the settings that the job, or a job that it runs, declares as written."""
    kinds = [kind for kind in type(config).__mro__ if is_dataclass(kind)]
    names = {each.name: None for kind in kinds for each in fields(kind) if each.metadata.get("writes")}
    return [path for name in names if (path := getattr(config, name))]


def check_folders(config: Any) -> None:
    """Raise HeadtailError if a folder that the job writes is not empty and holds nothing of ours."""
    written = [path.rstrip("/") for path in written_folders(config)]
    if twice := next((path for path in written if written.count(path) > 1), None):
        raise HeadtailError(f"{twice} is the path of several tables that this job writes: give each a path of its own")
    check_outputs(written, getattr(config, "output", None))
