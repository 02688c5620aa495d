"""Parts of `matches`: the table is one merged part, however many parts of pairs are matched.

Each part of pairs is matched, shuffled and written on its own, so a killed run loses one part at most. A single part
is the table. Several parts are written to `_waiting/` and then merged bucket by bucket, without a shuffle, into one
part that has the inputs of all; the merged parts are deleted. The pairs of a further crawl, in the same table or in
another, are matched alone and merged with the existing part. They take over its salt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Self

from curation.core import storage
from curation.core.choices import Edges
from curation.core.errors import HeadtailError
from curation.core.parts import Part, describe_growth
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.schemas import MATCHES
from curation.core.table_reader import check_file
from curation.core.tables import MANIFEST, Table, refuse_other_stage
from curation.matching.buckets import plan_buckets
from curation.matching.match import LOGIC_VERSION, MatchSettings

MATCHLESS = "see entry_lists, and languages where it is set: no text holds an entry of the list of its language"
"""Where to look if nothing matches."""
SALT = "salt"
"""The setting of a recipe that keys the choice of `max_texts`; a recipe without it has the salt 0."""


@dataclass(frozen=True)
class MatchesPlan:
    """The work that is left until `matches` holds all inputs of a recipe.

    `to_match` are (table to write to, number of the part, recipe of one part of pairs). If `merge` is true, the
    existing and the newly matched parts have to be merged.
    """

    table: Table
    waiting: Table
    to_match: list[tuple[Table, int, Recipe]]
    merge: bool
    growth: str = ""
    """A line about what is added to what; "": nothing is there yet, or nothing is added."""

    @classmethod
    def make(
        cls,
        table: Table,
        recipe: Recipe,
        overwrite: bool,
        add: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> Self:
        """Compare a recipe, whose inputs are the parts of pairs, with the existing parts of `matches`.

        Raises HeadtailError where an existing part was made with other settings, or from pairs that have changed since
        or that the recipe lacks, unless `overwrite` is true, and where a part to merge was cleaned. With `add` the
        pairs that it lacks stay in `matches`: they are of other crawls. `check` is called before parts are deleted.
        """
        waiting = Table(_waiting_path(table.path), MATCHES)
        refuse_other_stage(table.parts(), recipe)
        _delete(_superseded(table.parts()))
        merged, plans = table.plan_parts(recipe, 1, overwrite, add, check=check)
        wanted = {single.id for _, single in plans}
        _delete([part for part in waiting.parts() if part.id not in wanted])
        if len(merged) + len(plans) == 1:
            return cls(table, waiting, [(table, *plan) for plan in plans], merge=False)
        for part in merged:
            check_file(part.files[0], MATCHES)
        existing = {part.id for part in waiting.parts()}
        missing = [single for _, single in plans if single.id not in existing]
        to_match = [(waiting, number, single) for number, single in zip(_free(waiting), missing, strict=False)]
        growth = describe_growth(merged, plans, table.path, "parts of pairs")
        return cls(table, waiting, to_match, merge=True, growth=growth)

    def begin_merge(self) -> "Merge":
        """Return the merge of the existing and the newly matched parts."""
        parts = [*self.table.parts(), *self.waiting.parts()]
        inputs = {entry["id"]: entry for part in parts for entry in part.inputs()}
        first = parts[0].manifest
        recipe = Recipe(first["stage"], first["logic_version"], first["settings"], list(inputs.values()))
        number = next(_free(self.table))
        return Merge(self.table, number, self.table.begin(number), recipe, parts)


@dataclass(frozen=True)
class Merge:
    """Parts that are merged into `folder`, part `number` of `table`."""

    table: Table
    number: int
    folder: str
    recipe: Recipe
    parts: list[Part]

    def commit(self, receipts: Sequence[Receipt], seconds: float) -> Part:
        """Publish the merged part, with the receipt from the pairs to its texts, and delete the parts it replaces.

        A run that is killed in between leaves parts that hold the same texts. Merging drops repeated texts, and the
        next run deletes the parts whose inputs another part has.
        """
        before = merge_receipts(self.folder, [part.receipt for part in self.parts])
        del before.facts["images"]
        total = before.followed_by(merge_receipts(self.folder, receipts))
        part = self.table.commit(self.number, self.recipe, [total], seconds)
        _delete(self.parts)
        return part


def matches_recipe(edges: Edges, metadata: str, settings: MatchSettings, buckets: int, pairs: Sequence[Part]) -> Recipe:
    """Return the recipe of matches; `edges` and `metadata`, the hash, are those of the entry lists."""
    rules = {
        "edges": edges.value,
        "metadata": metadata,
        "languages": sorted(settings.languages),
        "max_texts": settings.max_texts,
        "buckets": buckets,
        **({SALT: settings.salt} if settings.salt else {}),  # manifests of before have none
    }
    return Recipe("match_pairs", LOGIC_VERSION, rules, [part.input() for part in pairs])


def kept_salt(path: str) -> int | None:
    """Return the salt of the table of matches at `path`, 0 if it has none; None where no part exists."""
    return next((part.manifest["settings"].get(SALT, 0) for part in _all_parts(path)), None)


def kept_buckets(path: str) -> int | None:
    """Return the number of buckets of the table of matches at `path`; None where no part exists, or of another job."""
    return next((part.manifest["settings"].get("buckets") for part in _all_parts(path)), None)


def _all_parts(path: str) -> list[Part]:
    """Return the parts of a table of matches, and those that wait beside it."""
    return [*Table(path).parts(), *Table(_waiting_path(path)).parts()]


def _waiting_path(path: str) -> str:
    return storage.join(path, "_waiting")


def _superseded(parts: Sequence[Part]) -> list[Part]:
    """Return the parts all of whose inputs another part has, too."""
    inputs = [{entry["id"] for entry in part.inputs()} for part in parts]
    return [part for part, own in zip(parts, inputs, strict=True) if any(own < others for others in inputs)]


def _free(table: Table) -> "count[int]":
    return count(1 + max((int(part.path[-5:]) for part in table.parts()), default=-1))


def _delete(parts: Sequence[Part]) -> None:
    """Delete parts, their manifests first."""
    for part in parts:
        storage.remove(storage.join(part.path, MANIFEST))
        storage.remove(part.path)


class MatchesTables:
    """One or more `matches` tables, read as one: a uid is in the same bucket of each."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.parts = [part for path in paths for part in Table(path, MATCHES).require("match_pairs")]
        self.buckets = plan_buckets([part.files for part in self.parts])
        settings = [part.manifest["settings"] for part in self.parts]
        for part, each in zip(self.parts, settings, strict=True):
            for name in ("metadata", "edges"):
                first, own = (str(one.get(name))[:12] for one in (settings[0], each))
                if own != first:
                    # Ids of other lists, or matched by another rule, cannot be counted together.
                    raise HeadtailError(
                        f"matches in {part.path} were made with {name} {own}, those in {self.parts[0].path} with "
                        f"{first}: run match_pairs again"
                    )
            if "max_texts" not in each:
                raise HeadtailError(f"the manifest of {part.path} has no setting max_texts: run match_pairs again")
        matched: list[list[str]] = [each.get("languages", []) for each in settings]
        self.languages = {lang for langs in matched for lang in langs} if all(matched) else set[str]()
        """The languages that were matched; an empty set means all that have a list."""
        self.max_texts: int = max(each["max_texts"] for each in settings)
        """The largest number of texts that an image may have, in any of the tables."""
        self.salt: int = settings[0].get(SALT, 0)
        """The salt of the first table, with which the texts of an image are chosen when the tables are merged."""

    def check_files(self) -> None:
        """Raise HeadtailError if the first file of a part has not the columns of `matches`."""
        for part in self.parts:
            check_file(part.files[0], MATCHES)

    def inputs(self) -> list[dict]:
        """Return the parts as inputs of a recipe."""
        return [part.input() for part in self.parts]

    def ids(self) -> list[str]:
        """Return the parts' ids, sorted, so the order of the tables does not count."""
        return sorted(part.id for part in self.parts)
