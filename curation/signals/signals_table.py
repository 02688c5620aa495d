"""The table of signals: a part for each generation of downloads, a file for each list of the generation."""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.core import storage
from curation.core.errors import HeadtailError
from curation.core.parts import Part, missing_inputs
from curation.core.recipes import Recipe, recipe_settings
from curation.core.tables import Table
from curation.images.downloads import Downloads
from curation.signals.model import Identity
from curation.signals.score import LOGIC_VERSION, ScoreTask, SignalSettings

STAGE = "score_images"


class SignalsTable(Table):
    """A table of signals.

    A list is finished if its receipt exists. A stopped run leaves a part without a manifest; the next run of the same
    recipe goes on with it.
    """

    def plan(self, recipe: Recipe, overwrite: bool) -> list[tuple[int, Recipe]]:
        """Return (number, recipe) of each part to make: one for each generation of downloads that has none.

        Raises HeadtailError if parts have other settings, or are of downloads that are gone, unless `overwrite`.
        """
        if not (overwrite or self.differs(recipe)):
            downloads = recipe.inputs[0]["path"].rpartition("/")[0]
            known = [entry for part in self.parts() for entry in part.inputs()]
            if missing_inputs(known, recipe.inputs):
                raise HeadtailError(
                    f"{self.path} holds signals of other images than those in {downloads}: "
                    "set overwrite=true to make it again, or another path for image_signals"
                )
        return self.plan_parts(recipe, 1, overwrite)[1]


def signals_recipe(
    settings: SignalSettings,
    identities: Sequence[Identity],
    downloads: Downloads,
    only_written: Mapping[str, Any] | None = None,
) -> Recipe:
    """Return the recipe of the table, with the generations of downloads as inputs.

    `only_written` are the settings and the lists by which images are left out; None: all are scored.
    """
    values = recipe_settings(settings) | {"models": recipe_settings(tuple(identities))}
    if only_written is not None:
        values["only_written"] = dict(only_written)
    values.pop("provider")  # hardware is no part of a recipe: values are rounded
    if values["onnx"]:
        values["onnx"].pop("model")  # a model may move: its hash is among `models`
    return Recipe(STAGE, LOGIC_VERSION, values, downloads.inputs())


def plan_scoring(generation: Part, folder: str, only: Mapping[str, tuple[str, ...]] | None = None) -> list[ScoreTask]:
    """Return a task for each list of a generation; its receipt is hidden from readers of the table.

    `only` has the files of the uids that are scored, by status file; None: all are.
    """
    tasks = []
    for status in generation.files:
        name = status.rpartition("/")[2]
        receipt = f"_{name.removesuffix('.parquet')}.json"
        wanted = None if only is None else only.get(status, ())
        tasks.append(ScoreTask(status, storage.join(folder, name), storage.join(folder, receipt), wanted))
    return tasks
