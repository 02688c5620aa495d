"""The table of downloads: each part is a generation, the images that one run fetched."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import pyarrow as pa

from curation.core import storage
from curation.core.amounts import counted
from curation.core.cleaned import refusal
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.progress import say
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe, kept, recipe_settings, shown_value
from curation.core.tables import MANIFEST, Table
from curation.images.download import DownloadSettings, reached_nothing
from curation.images.download_rows import DownloadTask
from curation.images.ranges import Ranges, count_ranges, list_name

STAGE = "download_images"
LOGIC_VERSION = 1
RANGES = "_ranges.json"
PER_LIST = "images_per_list"
"""Key beside the ranges: the setting that they were planned with."""
RECIPE = "_recipe.json"
MAX_GROWTH = 4
"""Ranges are cut finer if later runs curate so many images that lists have over four times the configured length."""


class Downloads(Table):
    """A table of downloads.

    A download list is finished if its receipt exists. A stopped run leaves a part without a manifest. The next run
    completes this part with the finished lists, so that no image is fetched twice.
    """

    def changes(self, settings: DownloadSettings, seed: int) -> list[str]:
        """Return a text for each difference of the stored images' settings and seed from these."""
        recipe = download_recipe(settings)
        changes = [found for part in self.parts() if (found := self._differs(part, recipe))]
        planned = self._planned()
        if planned and planned.seed != seed:
            was, now = (shown_value("seed", each) for each in (planned.seed, seed))
            changes.append(f"seed was {was}, is {now}" if was != now else "seed has changed")
        return changes

    def _planned(self) -> Ranges | None:
        plan = self._plan()
        return Ranges(plan["count"], plan["seed"]) if plan else None

    def _plan(self) -> dict[str, int]:
        path = storage.join(self.path, RANGES)
        return storage.read_json_if_there(path) or {}

    def _fix(self, images: int, images_per_list: int, seed: int) -> Ranges:
        ranges = Ranges(count_ranges(images, images_per_list), seed)
        storage.write_json(storage.join(self.path, RANGES), {**asdict(ranges), PER_LIST: images_per_list})
        return ranges

    def plan_ranges(
        self,
        settings: DownloadSettings,
        images: int,
        images_per_list: int,
        seed: int,
        overwrite: bool,
        check: Callable[[], None] = lambda: None,
    ) -> Ranges:
        """Return the ranges that the first plan fixed, or fix them now; finer ones if there are far more images.

        Each finer range lies within one old range, so an old file then serves several ranges. If the stored images were
        made with other settings or another seed, raises HeadtailError with the difference; with `overwrite`, deletes
        them all, after `check`, which raises HeadtailError if they could not be fetched again.
        """
        planned = self._planned()
        changes = self.changes(settings, seed)
        if changes and not overwrite:
            raise HeadtailError(
                f"{self.path} is finished, with other settings ({changes[0]}): set overwrite=true to fetch all images "
                "again, or another path for downloads"
            )
        if changes:
            check()
        if changes or planned is None:
            self._clear()
            planned = self._fix(images, images_per_list, seed)
        if images > MAX_GROWTH * planned.count * images_per_list:
            planned = self._fix(images, images_per_list, seed)
        if (before := self._plan().get(PER_LIST, images_per_list)) != images_per_list:
            say(
                STAGE,
                f"download.images_per_list={images_per_list} has no effect: {self.path} was planned with {before}, and "
                f"keeps its {counted(planned.count, 'lists')}; another path for downloads takes a new plan",
            )
        return planned

    def with_kept_rules(self, settings: DownloadSettings, overwrite: bool) -> DownloadSettings:
        """Return settings with the rules of stored originals by which the run was begun; a new run has the newest.

        With `overwrite`, the newest rules hold if other settings have changed, too: the rules alone are no reason to
        fetch all images again.
        """
        stored = [{"settings": part.manifest["settings"]["image"]} for part in self.parts()]
        begun = replace(settings, image=kept(settings.image, "rules", stored))
        changed = overwrite and any(self._differs(part, download_recipe(begun)) for part in self.parts())
        return settings if changed else begun

    def begin_generation(self, recipe: Recipe, ranges: Ranges) -> int:
        """Create the folder of a new generation and return its number."""
        number = max((int(part.path[-5:]) for part in self.parts()), default=-1) + 1
        plan = {"recipe": asdict(recipe), "ranges": ranges.count}
        storage.write_json(storage.join(self.begin(number), RECIPE), plan)
        return number

    def end_generation(
        self, number: int, recipe: Recipe, ranges: Ranges, receipts: list[Receipt], seconds: float
    ) -> Receipt:
        """Complete a generation in which every list was fetched, and return its receipt."""
        return self.commit(number, recipe, receipts, seconds, ranges=ranges.count, complete=True).receipt

    def _clear(self) -> None:
        for name in storage.list_folder(self.path):
            if name.startswith("part-") or name == RANGES:
                storage.remove(storage.join(self.path, name, MANIFEST))
                storage.remove(storage.join(self.path, name))

    def close_unfinished(self) -> Receipt | None:
        """Make a part of the lists that a stopped run finished, delete the others, and return the part's receipt.

        A list whose images reached no host counts as not finished: a failing network may have stopped the run.
        """
        for name in storage.list_folder(self.path):
            folder = storage.join(self.path, name)
            if not name.startswith("part-") or storage.exists(storage.join(folder, MANIFEST)):
                continue
            names = storage.list_folder(folder)
            receipts = [name for name in names if name.startswith("range-") and name.endswith(".json")]
            read = [Receipt.from_json(storage.read_bytes(storage.join(folder, name)).decode()) for name in receipts]
            finished = {
                name.removesuffix(".json"): receipt
                for name, receipt in zip(receipts, read, strict=True)
                if not reached_nothing(receipt)
            }
            if not finished or RECIPE not in names:
                storage.remove(folder)
                continue
            for name in names:
                if name != RECIPE and name.partition(".")[0] not in finished:
                    storage.remove(storage.join(folder, name))
            closed = [receipt.moved_to(folder) for receipt in finished.values()]
            plan = storage.read_json(storage.join(folder, RECIPE))
            facts = {"ranges": plan["ranges"], "complete": False}
            seconds = sum(receipt.seconds for receipt in closed)
            return self.commit(int(folder[-5:]), Recipe(**plan["recipe"]), closed, seconds, **facts).receipt
        return None

    def has_all(self, lists: Part) -> bool:
        """Whether a complete generation was made from exactly these download lists."""
        return any(part.manifest.get("complete") and part.inputs()[0]["id"] == lists.id for part in self.parts())

    def status_files(self, ranges: Ranges | None = None) -> dict[str, list[str]]:
        """Return, by range number as text, the status files that hold images of the range, oldest generation first.

        Without `ranges`, the coarsest ranges of all generations are taken, and each file appears once. If `ranges` are
        finer than those of a generation, its files appear under several ranges.
        """
        parts = self.parts()
        count = ranges.count if ranges else min((part.manifest["ranges"] for part in parts), default=1)
        found: dict[str, list[str]] = defaultdict(list)
        for part in parts:
            own = part.manifest["ranges"]
            for file in part.files:
                number = int(file[-len("000000.parquet") : -len(".parquet")])
                # A file's range begins at number / own of the whole order, and ends before (number + 1) / own.
                for within in range(number * count // own, max((number + 1) * count // own, number * count // own + 1)):
                    found[str(within)].append(file)
        return found

    def files_of(self, uids: Sequence[str]) -> list[list[str]]:
        """Return for each image the status files, of all generations, whose ranges hold it."""
        found: list[list[str]] = [[] for _ in uids]
        planned = self._planned()
        for part in self.parts() if uids else ():
            by_number = {int(file[-len("000000.parquet") : -len(".parquet")]): file for file in part.files}
            if planned is None:
                found = [[*files, *part.files] for files in found]
                continue
            ranges = Ranges(part.manifest["ranges"], planned.seed)
            numbers = ranges.of(ranges.order(pa.array(uids, pa.string()))).tolist()
            for files, number in zip(found, numbers, strict=True):
                files += [by_number[number]] if number in by_number else []
        return found

    def check_images(self, consumer: str = "") -> None:
        """Raise HeadtailError if images were deleted, unless the shards with the recipe id `consumer` consume them."""
        for part in self.parts():
            if part.cleaned and (not consumer or part.cleaned["recipe"] != consumer):
                raise HeadtailError(refusal(part.path, part.manifest))

    def inputs(self) -> list[dict]:
        """Return the generations as inputs of a downstream recipe, with fingerprints of their manifests."""
        return [part.outcome() for part in self.parts()]


def download_recipe(settings: DownloadSettings, lists: Sequence[Part] = ()) -> Recipe:
    """Return the recipe of a generation that is made from these lists.

    Its settings are those that decide which images are stored, and in which form. Speed, retries and permitted networks
    are not among them.
    """
    compared = {
        "image": recipe_settings(settings.image),
        "max_bytes": settings.fetch.max_bytes,
        "opt_out": sorted(settings.fetch.opt_out),
        **({"obey": sorted(settings.fetch.obey)} if settings.fetch.obey else {}),
    }
    return Recipe(STAGE, LOGIC_VERSION, compared, [part.input() for part in lists])


def plan_downloads(downloads: Downloads, lists: Part, ranges: Ranges, folder: str) -> list[DownloadTask]:
    """Return a task for the download list of every range, first the lists of which no image was attempted.

    Untouched lists come first, so that the success check of a resumed run sees enough new downloads.
    """
    earlier = downloads.status_files(ranges)
    tasks = [
        DownloadTask(
            list_path=storage.join(lists.path, list_name(number)),
            earlier=tuple(earlier.get(str(number), ())),
            status_path=storage.join(folder, list_name(number)),
        )
        for number in range(ranges.count)
    ]
    return sorted(tasks, key=lambda task: bool(task.earlier))
