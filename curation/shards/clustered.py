"""Shards by cluster: the samples that all steps have left are divided by their coarse cluster, a set for each.

The clusters come as a table of scores, so each candidate of a range has a row in the range's file of scores.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from curation.core import storage
from curation.core.amounts import join_or
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt, merge_receipts
from curation.core.recipes import Recipe
from curation.core.table_reader import read_rows
from curation.images.ranges import list_name
from curation.shards.selection import CHOSEN, write_survivors
from curation.shards.shard_set import STAGE, ShardSet
from curation.shards.steps import SCORED, SelectionSteps
from curation.shards.write import ShardTask

COARSE = pa.schema([pa.field("coarse", pa.int32())])
_SET = re.compile(r"coarse-(\d{1,2})")


@dataclass(frozen=True)
class DivideTask:
    """A range: its survivors, the scores of its candidates, the folder of the divided ones, the number of clusters."""

    range: int
    survivors: str
    scores: str
    folder: str
    clusters: int


def plan_dividing(steps: SelectionSteps, selection: Receipt, clusters: int) -> list[DivideTask]:
    """Return a task for each range that has survivors."""
    return [
        DivideTask(
            output["range"],
            output["path"],
            storage.join(steps.folder(SCORED), list_name(output["range"])),
            steps.folder("by"),
            clusters,
        )
        for output in selection.outputs
    ]


def divide_range(task: DivideTask) -> Receipt:
    """Write the survivors of a range that each coarse cluster has; the outputs name their `coarse`."""
    rows = read_rows(task.survivors, CHOSEN)
    coarse = read_rows(task.scores, COARSE, COARSE.names, None)["coarse"].take(rows["place"])
    receipt = Receipt(f"range {task.range}", rows.num_rows)
    for number in range(task.clusters):
        mine = rows.filter(pc.fill_null(pc.equal(coarse, number), False))
        receipt.rows_out += mine.num_rows
        if mine.num_rows:
            folder = storage.join(task.folder, set_name(number))
            receipt.outputs.append({"coarse": number, **write_survivors(folder, task.range, mine)})
    receipt.drops["no_cluster"] = receipt.rows_in - receipt.rows_out
    return receipt


def selections(selection: Receipt, divided: Sequence[Receipt], clusters: int) -> list[Receipt]:
    """Return the receipt of all steps for each cluster: the images of other clusters, and of none, are drops.

    >>> divided = Receipt("range 0", 3, 2, Counter(no_cluster=1), outputs=[{"coarse": 1, "rows": 2}])
    >>> for each in selections(Receipt("all", 9, 3, Counter(small_side=6)), [divided], 2):
    ...     print(each.rows_out, dict(each.drops))
    0 {'small_side': 6, 'other_cluster': 2, 'no_cluster': 1}
    2 {'small_side': 6, 'other_cluster': 0, 'no_cluster': 1}
    """
    total = merge_receipts("by cluster", divided)
    found = []
    for number in range(clusters):
        outputs = [output for output in total.outputs if output["coarse"] == number]
        rows = sum(output["rows"] for output in outputs)
        drops = selection.drops + Counter[str]()
        drops["other_cluster"] = total.rows_out - rows
        drops["no_cluster"] = total.drops["no_cluster"]
        found.append(Receipt(STAGE, selection.rows_in, rows, drops, outputs=outputs).check())
    return found


def with_receipts_in(tasks: Sequence[ShardTask], name: str) -> list[ShardTask]:
    """Return the tasks of one of several sets, with receipts in a folder of their own."""
    found = []
    for task in tasks:
        folder, _, file = task.receipt.rpartition("/")
        found.append(replace(task, receipt=storage.join(folder, name, file)))
    return found


def set_name(number: int) -> str:
    """Return the name of the folder of a coarse cluster's set.

    >>> set_name(3)
    'coarse-3'
    """
    return f"coarse-{number}"


class ClusteredSets:
    """The sets of shards by coarse cluster in one folder, each a set as any other."""

    def __init__(self, path: str, clusters: int) -> None:
        self.path = path.rstrip("/")
        self.sets = [ShardSet(storage.join(self.path, set_name(number))) for number in range(clusters)]

    def done(self, recipe: Recipe) -> bool:
        """Return whether all sets are there and made by this recipe."""
        found = [[part.id for part in each.parts()] for each in self.sets]
        return found == [[recipe_of_set(recipe, number).id] for number in range(len(self.sets))]

    def refuse_strangers(self) -> None:
        """Raise HeadtailError if the folder holds a set of all clusters, or sets of clusters that are not there now."""
        if ShardSet(self.path).parts():
            raise HeadtailError(
                f"{self.path} holds a set of shards, and by=coarse writes one for each cluster: give another path for "
                "shards"
            )
        names = {set_name(number) for number in range(len(self.sets))}
        if more := [name for name in storage.list_folder(self.path) if _SET.fullmatch(name) and name not in names]:
            raise HeadtailError(
                f"{self.path} holds {join_or(more)}, sets of other clusters: give another path for shards"
            )


def recipe_of_set(recipe: Recipe, number: int) -> Recipe:
    """Return the recipe of one of several sets, out of that of all."""
    return replace(recipe, settings={**recipe.settings, "coarse": number})


def clustered_sets(path: str) -> list[str]:
    """Return the names of the sets by cluster in a folder, by number."""
    names = [name for name in storage.list_folder(path) if _SET.fullmatch(name)]
    return sorted(names, key=lambda name: int(name.partition("-")[2]))


def refuse_clustered(path: str) -> None:
    """Raise HeadtailError if a folder for one set of shards holds sets by cluster."""
    if found := clustered_sets(path):
        raise HeadtailError(
            f"{path} holds {found[0]}, a set of one cluster (by=coarse): give this set another path for shards"
        )
