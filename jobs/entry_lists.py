"""The entry lists that a job's settings name; `entry_lists=starter` are made on the fly, in the folder of the run.

They stay there: a run that goes on, its report and `explain` find the lists that it began with, whatever packages are
installed by then.
"""

import difflib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from curation.core.errors import HeadtailError
from curation.core.languages import LANGUAGES
from curation.core.output_folders import check_outputs
from curation.core.progress import say
from curation.core.storage import exists, join, read_json
from curation.core.tables import MANIFEST
from curation.matching.cache_folders import user_cache
from metadata.lists.starter import STAGE, starter_inputs, write_starter_lists

STARTER = "starter"
Config = TypeVar("Config", bound=Any)


def starter_folder(config: Any) -> str:
    """Return the folder of a run's starter lists."""
    return join(config.output, "entry_lists")


def lists_to_write(config: Any) -> list[str]:
    """Return the folder of the starter lists in a list if the settings ask for such lists, else no folder."""
    return [starter_folder(config)] if config.entry_lists == STARTER else []


def _is_path(entry_lists: str) -> bool:
    """Return whether the setting is a path; raises HeadtailError where it is `starter` with a typo."""
    if entry_lists == STARTER:
        return False
    typo = "/" not in entry_lists and difflib.get_close_matches(entry_lists.lower(), [STARTER], 1, 0.8)
    if typo and not exists(entry_lists):
        raise HeadtailError(f"entry_lists={entry_lists} names no file: did you mean entry_lists={STARTER}?")
    return True


def with_lists(config: Config) -> Config:
    """Return the settings of a job with the path of entry lists that exist: starter lists are those of the run."""
    if _is_path(config.entry_lists):
        return config
    folder = starter_folder(config)
    if not (have := _languages(folder)):
        raise HeadtailError(
            f"{folder} has no starter lists: entry_lists=starter are those that match_pairs or curate made in this "
            "run; give the path of its entry lists"
        )
    say(STAGE, f"the lists of this run, of {', '.join(have)}: {folder}")
    return replace(config, entry_lists=folder)


def with_new_lists(config: Config, has_matches: Callable[[], bool], check: Callable[[], object]) -> Config:
    """Return the settings of a job with the path of its entry lists; starter lists that the run lacks are made.

    `check` raises HeadtailError for other mistakes of the user; it is called before lists are made. Lists of the run
    that hold all languages stay as they are. Raises HeadtailError if they lack one, and matches have been made with
    them.
    """
    if _is_path(config.entry_lists):
        return config
    folder = starter_folder(config)
    have = _languages(folder)
    if have and set(config.languages) <= set(have):
        return with_lists(config)
    if not config.languages:
        raise HeadtailError("entry_lists=starter needs languages, for example languages=[en] or languages=[en,de,fr]")
    if have and has_matches() and not config.overwrite:
        raise HeadtailError(
            f"the starter lists of this run are of {', '.join(have)}, and its matches were made with them: "
            f"languages={','.join(config.languages)} needs other lists; choose another output, or add overwrite=true"
        )
    check_outputs([folder], config.output)
    inputs = starter_inputs(config.languages, [])
    if unlisted := set(config.languages) - inputs.members().keys():
        made = ",".join(inputs.members())
        raise HeadtailError(f"languages: no list would be called {', '.join(sorted(unlisted))}: write languages={made}")
    check()
    write_starter_lists(folder, inputs)
    return replace(config, entry_lists=folder)


def _languages(folder: str) -> list[str]:
    """Return the languages of the starter lists in a folder, none if there are no finished ones.

    Raises HeadtailError if the lists there are others.
    """
    path = join(folder, MANIFEST)
    manifest: dict[str, Any] = read_json(path) if exists(path) else {"stage": STAGE, "lists": []}
    if manifest["stage"] != STAGE:
        raise HeadtailError(f"{folder} holds lists of {manifest['stage']}: give entry_lists={folder}, not starter")
    return [row["list"] for row in manifest["lists"]]


def cached_lists(lang: str) -> str:
    """Return the folder of a starter list in the user's cache, for a job without the folder of a run; made if missing.

    Several processes that make it at once write the same bytes.
    """
    if lang not in LANGUAGES:
        raise HeadtailError("the language of the text is not known: give lang=en, or another one")
    inputs = starter_inputs([lang], [])
    folder = str(user_cache() / f"{STAGE}-{inputs.recipe().id}")
    if not exists(join(folder, MANIFEST)):
        write_starter_lists(folder, inputs)
    return folder
