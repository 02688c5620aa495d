"""Partial counts of the inputs of entry lists: recipes, tasks, and the files that counting leaves."""

from dataclasses import dataclass, field
from typing import Self

from curation.core.credentials import cut_path, place
from curation.core.input_files import FileInfo
from curation.core.parts import Part
from curation.core.recipes import Recipe, recipe_settings
from curation.core.storage import join
from metadata.lists.inputs import Articles, MetadataInputs
from metadata.lists.rules import LOGIC_VERSION, Rules
from metadata.sources import articles, page_views
from metadata.sources.articles import CountTask, DumpSettings
from metadata.sources.page_views import TitleSettings, ViewsTask


@dataclass
class Counted:
    """The partial counts of given inputs: files and their rows, inputs for a recipe, inputs that could not be read."""

    files: list[str] = field(default_factory=list)
    rows: int = 0
    inputs: list[dict] = field(default_factory=list)
    failures: list[dict] = field(default_factory=list)

    @classmethod
    def of(cls, parts: list[Part], recipe: Recipe) -> Self:
        """Return the counts of the inputs of a recipe from all parts of the table.

        A table may hold more: counts of other languages, or of a dump that a newer one has replaced.
        """
        paths = {place(entry): cut_path(entry["path"]) for entry in recipe.inputs}
        counted = cls()
        for part in parts:
            for entry, file in zip(part.inputs(), part.manifest["files"], strict=True):
                if place(entry) in paths:
                    counted.files.append(join(part.path, file["path"]))
                    counted.rows += file["rows"]
                    counted.inputs.append({**entry, "settings": part.manifest["settings"]})
            counted.failures.extend(
                failure
                for failure in part.receipt.failures
                if any(cut_path(failure["file"]) in path for path in paths.values())
            )
        return counted


def article_recipe(files: list[Articles], range_bytes: int, settings: DumpSettings) -> Recipe:
    """Return the recipe of the partial counts of articles; its inputs are ranges of files."""
    ranges = [entry for file in files for entry in file.ranges(range_bytes)]
    return Recipe("count_articles", articles.LOGIC_VERSION, recipe_settings(settings), ranges)


def title_recipe(files: list[FileInfo], settings: TitleSettings) -> Recipe:
    """Return the recipe of the partial counts of titles; its inputs are page-view files."""
    inputs = [vars(file) for file in files]
    return Recipe("count_titles", page_views.LOGIC_VERSION, recipe_settings(settings), inputs)


def list_recipe(inputs: MetadataInputs, rules: Rules, ngrams: Counted, views: Counted) -> Recipe:
    """Return the recipe of the entry lists."""
    settings = {"languages": inputs.codes, **recipe_settings(rules)}
    return Recipe("build_metadata", LOGIC_VERSION, settings, [*ngrams.inputs, *views.inputs, *inputs.lists])


def plan_articles(recipe: Recipe, folder: str) -> list[CountTask]:
    """Return a task for each range of a part, in their order."""
    return [_count_task(entry["path"], _output(folder, index)) for index, entry in enumerate(recipe.inputs)]


def plan_titles(recipe: Recipe, folder: str) -> list[ViewsTask]:
    """Return a task for each page-view file of a part, in their order."""
    return [ViewsTask(entry["path"], _output(folder, index)) for index, entry in enumerate(recipe.inputs)]


def _output(folder: str, index: int) -> str:
    return join(folder, f"{index:05d}.parquet")


def _count_task(name: str, output: str) -> CountTask:
    """Return the task of a range that `Articles.ranges` named.

    >>> _count_task("en:/d/enwiki.xml.bz2#0-", "o")
    CountTask(input='/d/enwiki.xml.bz2', lang='en', start=0, end=None, output='o')
    """
    lang, _, rest = name.partition(":")
    path, _, span = rest.rpartition("#")
    start, _, end = span.partition("-")
    return CountTask(path, lang, int(start), int(end) if end else None, output)
