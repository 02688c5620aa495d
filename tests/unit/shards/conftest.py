"""Sets of shards that many tests begin with: each is made once in a process and copied."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.images.ranges import Ranges
from curation.shards.sample_json import SampleForm
from tests.shard_data import curated_rows
from tests.unit.shards.test_write import NEWEST_FORM, URLS, bodies, make_shards, stored

MakeSet = Callable[..., Path]


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> MakeSet:
    """Fills a folder with `shards` of 20 images, of 8, 8 and 4 samples; returns the folder."""

    @functools.cache
    def made(form: SampleForm) -> Path:
        folder, ranges = tmp_path_factory.mktemp("small_set"), Ranges(1, 0)
        downloads, lists = stored(folder, curated_rows(URLS[:20]), bodies(20), ranges)
        make_shards(folder, downloads, lists, ranges, size=8, form=form)
        return folder / "shards"

    def fill(folder: Path, form: SampleForm = NEWEST_FORM) -> Path:
        return Path(shutil.copytree(made(form), folder / "shards", copy_function=shutil.copyfile)).parent

    return fill
