"""How many addresses of an image count: one in new runs over WARCs, all in runs that were begun before."""

from dataclasses import replace

import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from curation.core.choices import ImageAddresses
from curation.core.recipes import kept, recipe_settings
from curation.extraction.settings import ExtractionSettings
from jobs.extraction_settings import settings_of


def settings(*given: str) -> ExtractionSettings:
    return settings_of(compose_config("extract_pairs", ExtractPairsConfig, ["output=/r", "source.paths=/c", *given]))


@pytest.mark.parametrize(
    ("given", "addresses", "metadata"),
    [
        pytest.param(["source=warc"], "one", False, id="WARC"),
        pytest.param(["source=warc", "source.image_addresses=all"], "all", False, id="all of a WARC"),
        pytest.param(["source=warc", "source.page_metadata=true"], "one", True, id="metadata"),
        pytest.param(["source=wat"], "all", False, id="WAT"),
        pytest.param(["source=laion"], "all", False, id="table"),
    ],
)
def test_addresses_are_a_matter_of_warcs(given: list[str], addresses: str, metadata: bool) -> None:
    made = settings(*given)
    assert (made.image_addresses, made.page_metadata) == (addresses, metadata)
    recipe = recipe_settings(made)
    assert recipe.get("image_addresses", "all") == addresses
    assert recipe.get("page_metadata", False) == metadata


def test_a_run_that_was_begun_keeps_all_addresses() -> None:
    new = settings("source=warc")
    begun = kept(new, "rules", [{"settings": {}}])
    assert begun.image_addresses == ImageAddresses.all
    assert recipe_settings(begun) == recipe_settings(replace(new, rules=1, image_addresses=ImageAddresses.all))
    assert "image_addresses" not in recipe_settings(begun)
    assert kept(new, "rules", [{"settings": {"rules": 2, "image_addresses": "one"}}]) == new
