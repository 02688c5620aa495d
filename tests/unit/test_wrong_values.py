"""What a user typed wrongly is named as typed, with what the setting takes."""

import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from curation.core.errors import HeadtailError

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz", "entry_lists=/lists"]

CASES = {
    "balance.t=20k": "balance.t must be a number, got '20k': write 20000",
    "balance.t='20k'": "balance.t must be a number, got '20k': write 20000",
    "balance.t=1,000": "balance.t must be a number, got '1,000': write 1000",
    "balance.t=1,000,000": "balance.t must be a number, got '1,000,000': write 1000000",
    "balance.t=2,5": "balance.t must be a number, got '2,5': write 2.5",
    "balance.t=1.234,5": "balance.t must be a number, got '1.234,5': write 1234.5",
    "balance.tail_share=0,06": "balance.tail_share must be a number, got '0,06': write 0.06",
    "balance.tail_share=0,125": "balance.tail_share must be a number, got '0,125': write 0.125",
    "balance.t=": "balance.t must be a number, got ''",
    "balance.tail_share=6%": "balance.tail_share must be a number, got '6%': write 0.06",
    "balance.t_by_language.de=5k": "balance.t_by_language.de must be a number, got '5k': write 5000",
    "forecast_grid=1k,2": "forecast_grid[0] must be a number, got '1k': write 1000",
    "samples_per_shard=1e3": "samples_per_shard must be an integer, got '1e3': write 1000",
    "samples_per_shard=10 000": "samples_per_shard must be an integer, got '10 000': write 10000",
    "source.limit=1e3": "source.limit must be an integer, got '1e3': write 1000",
    "seed=1.5": "seed must be an integer, got '1.5'",
    "download.threads=٣": "download.threads must be an integer, got '٣': write 3",
    "download.max_bytes=10MB": "download.max_bytes must be an integer, got '10MB': write 10000000",
    "overwrite=maybe": "overwrite must be true or false, got 'maybe'",
    "buckets=null": "buckets cannot be null: give it a value, or leave it out",
    "spark.conf=x": "spark.conf takes names with values: write spark.conf.name=value, got 'x'",
    "languages=[en": "languages: '[en' cannot be read: close each quote and bracket",
    "spark.conf={a: b": "spark.conf: '{a: b' cannot be read: close each quote and bracket",
    "output=/x/${HOME}": "output: no setting is called HOME; an environment variable is written ${oc.env:HOME}",
    "+output=/x": "+output: the setting exists, write output= without the +",
    "output=": "output must be given: add output=...",
    "download.contact=me": "download.contact must be an e-mail address or a URL such as https://example.org/bot",
    "download.contact='a@b.c) evil'": "download.contact must be an e-mail address or a URL",
}


@pytest.mark.parametrize("override", CASES, ids=lambda each: each.encode("ascii", "replace").decode())
def test_a_wrong_value_is_named_as_it_was_typed(override: str) -> None:
    with pytest.raises(HeadtailError) as error:
        compose_config("curate", CurateConfig, [*GIVEN, override])
    assert CASES[override] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("contact", ["me@example.org", "https://example.org/bot?a=b"])
def test_a_contact_is_an_address_or_a_url(contact: str) -> None:
    assert compose_config("curate", CurateConfig, [*GIVEN, f"download.contact={contact}"]).download.contact == contact
