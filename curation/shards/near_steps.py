"""The steps that drop near duplicates by embedding, after duplicate files are gone."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from curation.core import storage
from curation.core.receipts import Receipt, merge_receipts
from curation.shards.cells import CellPlans, gather_pivots
from curation.shards.duplicates import DropTask, drop_duplicates
from curation.shards.joined import Runner
from curation.shards.near_images import CellsTask, DealTask, count_receivers, deal_images, search_cells
from curation.shards.other_sets import OtherSets, deal_other_vectors, plan_other_vectors
from curation.shards.score_join import JoinedScores
from curation.shards.steps import PIVOTS, SURVIVORS, UNIQUE, VECTORS, SelectionSteps
from curation.shards.vector_files import plan_vectors, write_vectors

NO_OTHERS = OtherSets()
IN_CELLS, DROPPED = "cells", "near-dropped"
"""The folders of images by plan and cell, and of the uids that are dropped."""


def prepare_vectors(
    run: Runner, steps: SelectionSteps, joined: JoinedScores, column: str, plans: CellPlans
) -> dict[str, int]:
    """Write the vectors of the candidates and the pivots; return how many images have a vector, and how many not."""
    tasks = plan_vectors(joined, steps, column)
    written = merge_receipts("vectors", run(partial(write_vectors, plans=plans, seed=steps.ranges.seed), tasks))
    gather_pivots([task.pivots for task in tasks], steps.folder(PIVOTS))
    found = written.facts["vectors"]
    return {"images_with_embedding": found, "images_without_embedding": written.rows_in - found}


def drop_near_images(
    run: Runner, steps: SelectionSteps, plans: CellPlans, cosine: float, images: int, others: OtherSets = NO_OTHERS
) -> tuple[list[Receipt], dict[str, Any]]:
    """Drop near duplicates among the unique images; return the receipts of the last step, and facts of the search.

    `images` is the number of candidates and images of other sets. Reasons: near_duplicate, in_other_set.
    """
    ranges, receivers = steps.ranges, count_receivers(images)
    pivots = steps.folder(PIVOTS)
    folders = [storage.join(steps.folder(IN_CELLS), str(plan)) for plan in range(plans.plans)]
    for folder in [*folders, steps.folder(DROPPED)]:
        storage.remove(folder)
    deals = [
        DealTask(
            group, steps.folder("candidates"), steps.folder(UNIQUE), steps.folder(VECTORS), pivots,
            storage.join(folders[0], f"group-{group:06d}"), receivers,
        )
        for group in range(ranges.groups)
    ]  # fmt: skip
    dealt = merge_receipts("dealt", run(partial(deal_images, ranges=ranges), deals))
    if others.files:
        run(deal_other_vectors, plan_other_vectors(others, steps, folders[0], receivers))
    not_compared = 0
    for plan, folder in enumerate(folders):
        is_last = plan == plans.plans - 1
        following = steps.folder(DROPPED) if is_last else folders[plan + 1]
        tasks = [
            CellsTask(
                receiver, plan, is_last, folder, pivots, storage.join(following, f"cells-{receiver:06d}"), receivers
            )
            for receiver in range(receivers)
        ]
        searched = run(partial(search_cells, ranges=ranges, cosine=cosine), tasks)
        not_compared += merge_receipts("cells", searched).facts["not_compared"]
        storage.remove(folder)
    facts = {"method": "embedding", "cosine": cosine, "plans": plans.plans, "compared": dealt.facts["compared"]}
    if not_compared:
        facts["not_compared"] = not_compared
    return run(partial(drop_duplicates, ranges=ranges), drop_tasks(steps)), facts


def drop_tasks(steps: SelectionSteps) -> Sequence[DropTask]:
    """Return the tasks that drop the found images."""
    unique, dropped, survivors = map(steps.folder, (UNIQUE, DROPPED, SURVIVORS))
    return [DropTask(group, unique, dropped, survivors) for group in range(steps.ranges.groups)]
