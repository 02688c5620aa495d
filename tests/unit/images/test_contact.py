"""Who fetches: the contact of the operator in the User-Agent header, needed for a million images, never in a recipe."""

from pathlib import Path

import pytest

from conf.compose import compose_config
from conf.schema.jobs import DownloadImagesConfig
from curation.core.errors import HeadtailError
from curation.images import preflight
from curation.images.downloads import download_recipe
from curation.images.fetch import Fetcher
from curation.images.preflight import CONTACT_IMAGES, check_contact
from jobs import download_images
from tests.shard_data import curate, curated_rows
from tests.unit.images.settings import download_settings, fetch_settings


@pytest.mark.parametrize(
    ("contact", "agent"),
    [
        ("", "Mozilla/5.0 (compatible; curator; +https://github.com/headtail/headtail)"),
        (
            "me@example.org",
            "Mozilla/5.0 (compatible; curator; +https://github.com/headtail/headtail; contact me@example.org)",
        ),
    ],
    ids=["none", "an address"],
)
def test_the_contact_stands_beside_the_name_and_the_project(contact: str, agent: str) -> None:
    fetcher = Fetcher(fetch_settings(user_agent_token="curator", contact=contact), threads=1)
    assert fetcher._agent == agent


def test_from_a_million_images_on_a_contact_is_needed() -> None:
    with pytest.raises(HeadtailError, match=r"^1,000,000 images are fetched .*set download.contact .*of blocking"):
        check_contact(CONTACT_IMAGES, "")
    check_contact(CONTACT_IMAGES - 1, "")
    check_contact(CONTACT_IMAGES, "https://example.org/bot")


def test_the_contact_changes_no_recipe() -> None:
    given = download_settings(fetch=fetch_settings(contact="me@example.org"))
    assert download_recipe(given).id == download_recipe(download_settings()).id


def test_the_job_asks_for_a_contact_before_it_makes_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curate(tmp_path, curated_rows(["http://a.example/1.jpg", "http://a.example/2.jpg"]))
    monkeypatch.setattr(preflight, "CONTACT_IMAGES", 2)
    config = compose_config("download_images", DownloadImagesConfig, [f"output={tmp_path}"])
    with pytest.raises(HeadtailError, match=r"^2 images are fetched .* set download.contact"):
        download_images.run(config)
    assert not (tmp_path / "lists").exists()
