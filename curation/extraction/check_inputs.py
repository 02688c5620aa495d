"""Checks of extraction before it starts: the files are of the kind and have the columns, and lists can be read."""

import os
from collections.abc import Sequence

import numpy as np

from curation.core.amounts import counted
from curation.core.choices import SourceKind
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.receipts import Receipt
from curation.core.remote import ONCE, open_patiently
from curation.core.text_lists import check_list, read_lines
from curation.extraction.drop_reasons import BAD
from curation.extraction.hosts import judge_host
from curation.extraction.language import DEFAULT_MODEL, NO_MODEL, load_model
from curation.extraction.settings import WITH_COLUMNS, ExtractionSettings
from curation.extraction.text_rules import all_word_lists
from curation.extraction.user_lists import is_file, read_hosts, removals_of
from curation.sources.source_kinds import foreign_kind
from curation.sources.table_columns import column_faults

LOOKED_AT = 16
"""Local files that are opened before a run, evenly spread over all."""
LOOKED_AT_REMOTE = 1
"""Remote files: each costs a request, or a minute where nobody answers."""


ADVICE = {
    "language": "see languages and language.min_score",
    "lang_score": "see languages and language.min_score",
    "language_unknown": "see language.unknown",
    "private_host": "the URLs name private addresses: see urls.allow_private_hosts",
    "blocked_host": "see urls.block_hosts",
    "removed": "see urls.removals",
}
"""Where to look, by the drop reason of most rows."""


def check_rules(settings: ExtractionSettings) -> None:
    """Read the lists and the model of the rules; raise HeadtailError where one cannot be read or means nothing."""
    removals_of(settings.urls.removals)
    for source in settings.urls.block_hosts:
        if is_file(source):
            check_list(source)
        elif os.path.isfile(source):
            raise HeadtailError(f"urls.block_hosts: {source} is a file: write ./{source}")
        hosts = read_hosts((source,))
        if hosts and all(judge_host(host) == BAD for host in hosts):
            raise HeadtailError(f"urls.block_hosts: {source} names no host; a host is written like example.org")
    if settings.texts.word_lists:
        for file in list_files([all_word_lists(settings.texts.word_lists)]):
            check_list(file.path)
            check_words(file.path)
    if settings.language.model not in (DEFAULT_MODEL, NO_MODEL):
        load_model(settings.language.model)


def check_words(path: str) -> None:
    """Raise HeadtailError for a word list that is JSON: its lines would match no text."""
    first = next((line.strip() for line in read_lines(path, "replace") if line.strip()), "")
    if first.startswith(("[", "{")):
        raise HeadtailError(f"text.word_lists: {path} is JSON: expected a text file with one word per line")


def check_files(paths: Sequence[str], settings: ExtractionSettings, max_failed_share: float) -> None:
    """Open a few of the input files; raise HeadtailError if they are of another kind, or lack columns.

    A few bad files among many are left to `max_failed_share`. Files that are damaged or do not answer at once are left
    to the run, which tries again and reports them.
    """
    # A crawl has 100,000 paths: is_local would take seconds.
    chosen = _spread([path for path in paths if "://" not in path], LOOKED_AT)
    chosen += _spread([path for path in paths if "://" in path], LOOKED_AT_REMOTE)
    faults = [(path, fault) for path in chosen if (fault := _fault(path, settings))]
    if faults and (len(faults) > max_failed_share * len(paths) or 2 * len(faults) > len(chosen)):
        path, fault = faults[0]
        opened = counted(len(chosen), "files")
        more = f" ({len(faults)} of {opened} that were opened are like this)" if len(faults) > 1 else ""
        raise HeadtailError(f"{path}: {fault}{more}")


def _fault(path: str, settings: ExtractionSettings) -> str:
    try:
        with open_patiently(path, ONCE) as file:
            if found := foreign_kind(file, settings.source):
                return found
            if settings.source is not SourceKind.table:
                return ""
            file.seek(0)
            return "; ".join(column_faults(file, path, settings.columns, settings.rules))
    except OSError:
        return ""


def _spread(paths: Sequence[str], count: int) -> list[str]:
    places = np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int))
    return [paths[place] for place in places.tolist()]


def pairless_advice(settings: ExtractionSettings, receipt: Receipt) -> str:
    """Return where to look when no input gave a pair: at the setting that the most frequent drop reason leads to."""
    kind = settings.source.value
    if not receipt.rows_in:
        return f"the files hold no image link: is source.kind={kind} right?"
    # The same text came before, and was dropped for another reason.
    reasons = [name for name in receipt.drops if name != "same_text"]
    reason = max(reasons, key=lambda name: receipt.drops[name], default="")
    if advice := ADVICE.get(reason):
        return advice
    if settings.source in WITH_COLUMNS and reason == "bad_row":
        return "most rows have another number of fields than there are columns: see source.names"
    if settings.source in WITH_COLUMNS and reason in ("no_text", "blank_text"):
        columns = ", ".join(name for _, name in settings.columns.texts)
        return f"are the texts in {columns}? source.text_columns names their columns"
    if settings.source in WITH_COLUMNS and reason in ("empty_url", "bad_url", "scheme"):
        return f"are the URLs in {settings.columns.url}? source.url_column names their column"
    return f"is source.kind={kind} right? docs/extraction.md explains the drop reasons"
