"""The report of a folder with tables of several runs shows those that belong to the newest balance, and says so."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.report.belonging import Belonging, sort_out
from curation.shards.origin import Origin
from curation.shards.shard_set import STAGE, ShardSet


class Run:
    """The tables of a run; each method writes one again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs, self.downloads = [self._write("pairs", 0, "extract_pairs", [{"path": "/in/0"}])], list[Part]()
        self.matches = self._write("matches", 0, "match_pairs", [part.input() for part in self.pairs])
        self.balance(t=20.0)
        self.download()
        self.shard()

    def _write(self, table: str, number: int, stage: str, inputs: list[dict], **facts: Any) -> Part:
        recipe = Recipe(stage, 1, facts.pop("settings", {}), inputs)
        return Table(str(self.folder / table)).commit(number, recipe, [Receipt("a")], 0, **facts)

    def balance(self, t: float) -> None:
        inputs, settings = [self.matches.input()], {"t": t}
        self.curated = self._write("curated", 0, "balance_pairs", inputs, settings=settings, solved_t=None)
        self.thresholds = self._write("thresholds", 0, "balance_pairs", inputs, settings=settings)

    def list(self) -> None:
        balance = self.curated.manifest["settings"] | {"solved_t": None}
        self.lists = self._write("lists", 0, "plan_lists", [self.curated.input()], balance=balance)

    def download(self, complete: bool = True) -> None:
        self.list()
        number, inputs = len(self.downloads), [self.lists.input()]
        self.downloads.append(
            self._write("downloads", number, "download_images", inputs, complete=complete, generation=number)
        )

    def shard(self) -> None:
        recipe = Recipe(STAGE, 1, {}, [self.lists.input(), *(part.outcome() for part in self.downloads)])
        origin = Origin.of_tables(self.lists, self.downloads).to_json()
        self.shards = ShardSet(str(self.folder / "shards")).commit(0, recipe, [Receipt(STAGE)], 0, origin=origin)

    def sort_out(self) -> Belonging:
        parts = {
            "extract_pairs": self.pairs, "match_pairs": [self.matches], "balance_pairs": [self.curated],
            "download_images": self.downloads, "write_shards": [self.shards], "thresholds": [self.thresholds],
        }  # fmt: skip
        matches: Any = SimpleNamespace(parts=[self.matches], ids=lambda: [self.matches.id])
        return sort_out(parts, matches, [self.lists])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def shown(found: Belonging) -> set[str]:
    return {stage for stage, parts in found.parts.items() if parts}


ALL = {"extract_pairs", "match_pairs", "balance_pairs", "thresholds", "download_images", "write_shards"}


def test_a_finished_run_belongs_together(run: Run) -> None:
    found = run.sort_out()
    assert (shown(found), found.notes, found.lists) == (ALL, (), None)


def test_another_threshold_leaves_downloads_and_shards_behind(run: Run) -> None:
    run.balance(t=50.0)
    found = run.sort_out()
    assert shown(found) == ALL - {"download_images", "write_shards"}
    assert found.notes == (
        "Downloads and shards are of another balance (balance.t was 20.0, is 50.0), and not shown: "
        "run download_images and write_shards",
    )


def test_further_downloads_leave_shards_behind(run: Run) -> None:
    run.balance(t=50.0)
    run.download()
    found = run.sort_out()
    assert shown(found) == ALL - {"write_shards"}
    (note,) = found.notes
    assert note.startswith(
        "The shards are of another balance (balance_pairs: balance.t was 20.0, is 50.0), and not shown: run"
    )
    assert found.lists is run.lists, "images of the first lists are not counted"
    run.shard()
    assert (shown(run.sort_out()), run.sort_out().notes) == (ALL, ())
    run.download()
    assert run.sort_out().notes == ("The shards are of earlier downloads, and not shown: run write_shards",)


def test_a_stopped_download_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.balance(t=50.0)
    run.download(complete=False)
    assert run.sort_out().notes[0] == "Not all images that were kept have been tried yet: run download_images"


def test_pairs_that_are_not_matched_and_thresholds_of_another_balance_are_not_shown(run: Run) -> None:
    run.pairs.append(run._write("pairs", 1, "extract_pairs", [{"path": "/in/1"}]))
    run.thresholds = run._write("thresholds", 0, "balance_pairs", [], settings={"t": 1.0})
    found = run.sort_out()
    assert (found.parts["extract_pairs"], found.parts["thresholds"]) == (run.pairs[:1], [])
    assert [note.split(":")[0] for note in found.notes] == [
        "1 part of pairs is not matched yet, and not shown",
        "The thresholds are of another balance than the images kept, and not shown",
    ]


def test_a_balance_of_other_matches_is_refused(run: Run) -> None:
    run.matches = run._write("matches", 0, "match_pairs", [{"path": "/p", "id": "x"}])
    with pytest.raises(HeadtailError, match=r"was balanced from other matches than .*: run balance_pairs again"):
        run.sort_out()
