"""The table `entries` as jobs write it; docs/tables.md explains it."""

from collections.abc import Sequence
from posixpath import dirname

from curation.balancing.counts import CountFiles
from curation.balancing.entry_table import EntryNumbers, UnreadableWordsError, Words, is_free, write_entries
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.recipes import Recipe
from curation.core.storage import join
from curation.core.tables import Table
from curation.matching.entry_store import EntryStore
from curation.matching.parts import MatchesTables


def entries_to_write(path: str) -> list[str]:
    """Return the path of the table in a list if it may be written there, else no path: for checks and leases."""
    try:
        return [path] if is_free(path) else []
    except HeadtailError:  # a damaged manifest; the job tells when it comes to the table
        return [path]


def write_words(job: str, path: str, store: EntryStore, languages: Sequence[str]) -> None:
    """Write the words of the lists, unless the table has them."""
    if not _may_write(job, path):
        return
    words = Words.of_lists(store, languages)
    before = Words.of_tables([path], words.metadata)
    if before is None or before.languages != words.languages:
        write_entries(path, words, EntryNumbers())


def write_counts(
    job: str, path: str, matches: MatchesTables, counts: CountFiles, entry_counts: str, thresholds: str, balance: Recipe
) -> None:
    """Write the words with their counts; they come from the table itself, or from that of the run of the matches."""
    if not _may_write(job, path):
        return
    metadata = matches.parts[0].manifest["settings"].get("metadata", "")
    words = Words.of_tables(words_beside(path, matches.parts), metadata)
    if words is None:
        say(job, f"writes no {path}: no table there has the words of these lists; report_stats will add them")
        return
    inputs = [Table(entry_counts).parts()[0].input(), {"path": thresholds, "id": balance.id}]
    try:
        write_entries(path, words, EntryNumbers(counts), inputs)
    except UnreadableWordsError as error:  # no reason to lose the balance
        say(job, f"writes no {path}: {error}; report_stats will write it anew")


def find_words(job: str, path: str, matches: Sequence[Part], store: EntryStore | None) -> list[Words]:
    """Return the words of the entries of matches: of the table, of those beside the matches, or of the lists.

    A table that lacks languages of the matches is taken only if there are no lists. If no words are those of these
    matches, a line says so.
    """
    tables: list[Words] = []
    if len(hashes := {part.manifest["settings"].get("metadata", "") for part in matches}) == 1:
        (metadata,) = hashes
        tables = [words for each in words_beside(path, matches) if (words := Words.of_tables([each], metadata))]
        matched: list[list[str]] = [part.manifest["settings"].get("languages", []) for part in matches]
        languages = {lang for langs in matched for lang in langs} if all(matched) else set[str]()
        for words in tables:
            if languages <= set(words.languages) if languages else len(tables) == 1:
                return [words]
        if store and store.hash == metadata:
            return [Words.of_lists(store, languages)]
    if not tables:
        say(job, f"finds no words of the entries in {path}: the samples' `entries` stay empty (docs/shards.md)")
    return tables


def words_beside(path: str, matches: Sequence[Part]) -> list[str]:
    """Return the tables that may tell the words of matches: `path`, and those of the runs that made the matches."""
    return list(dict.fromkeys([path, *(join(dirname(dirname(part.path)), "entries") for part in matches)]))


def _may_write(job: str, path: str) -> bool:
    if is_free(path):
        return True
    say(job, f"writes no table of entries: {path} holds other things; entries=... gives it another path")
    return False
