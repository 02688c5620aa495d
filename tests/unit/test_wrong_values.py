"""What a user typed wrongly is named as typed, with what the setting takes."""

import pytest

from conf.compose import compose_config
from conf.other_words import SETTINGS, VALUES, other_names
from conf.schema.jobs import CleanConfig, CurateConfig, EstimateConfig, ShowConfig
from conf.settings import settings_of
from curation.core.errors import HeadtailError

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz", "entry_lists=/lists"]

CASES = {
    "balance.t=20k": "balance.t must be a number, got '20k': write 20000",
    "balance.t='20k'": "balance.t must be a number, got '20k': write 20000",
    "balance.t=1,000": "balance.t must be a number, got '1,000': write 1000",
    "balance.t=1,000,000": "balance.t must be a number, got '1,000,000': write 1000000",
    "balance.t=2,5": "balance.t must be a number, got '2,5': write 2.5",
    "balance.t=1.234,5": "balance.t must be a number, got '1.234,5': write 1234.5",
    "balance.t=20.000": "balance.t: '20.000' may be 20 or 20,000: write 20 or 20000",
    "balance.t='20.500'": "balance.t: '20.500' may be 20.5 or 20,500: write 20.5 or 20500",
    "balance.t=1.000.000": "balance.t must be a number, got '1.000.000': write 1000000",
    "balance.t_by_language.de=5.000": "balance.t_by_language.de: '5.000' may be 5 or 5,000: write 5 or 5000",
    "balance.t_by_language={de: 5.000}": "balance.t_by_language: '5.000' may be 5 or 5,000: write 5 or 5000",
    "forecast_grid=7,5.000": "forecast_grid: '5.000' may be 5 or 5,000: write 5 or 5000",
    "forecast_grid=5,500,20,000": "forecast_grid: '5,500,20,000' has commas within numbers: write 20000",
    "buckets=64.000": "buckets: '64.000' may be 64 or 64,000: write 64 or 64000",
    "buckets=20.125": "buckets must be an integer, got '20.125': write 20125",
    "buckets=64.0": "buckets must be an integer, got '64.0': write 64",
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
    "matches=/x/${matches}": "matches: the value /x/${matches} refers to itself",
    "matches=${oc.env:HEADTAIL_NONE}": "matches: the environment variable HEADTAIL_NONE is not set",
    "+output=/x": "+output: the setting exists, write output= without the +",
    "output=": "output must be given: add output=...",
    "+balance=tail_share": "+balance: the topic has a preset, write balance= without the +",
    "~balance.t": "~balance.t: a setting cannot be deleted; leave it out, or give it another value",
    "balance@matching=blank": "balance@matching=blank: settings stay where they are, write balance=blank",
    "languages=": "languages takes values with commas between them, and [] for none, got ''",
    "balance.unit=imgae": "balance.unit must be one of pair, image, got 'imgae': write image",
    "balance.unit=": "balance.unit must be one of pair, image, got ''",
    "balance.unit=[pair]": "balance.unit takes one value, got '[pair]'",
    "download.resize=Border": "got 'Border': write border",
    "balance=metaclip_400": "metaclip_400m, tail_share; did you mean balance=metaclip_400m?",
    "download.contact=me": "download.contact must be an e-mail address or a URL such as https://example.org/bot",
    "download.contact='a@b.c) evil'": "download.contact must be an e-mail address or a URL",
}


NEAR = {
    "language=en": "language=en: unknown preset; the presets are lid176, none; did you mean languages=en?",
    "balance=t": "did you mean balance.t=...?",
    "balance=30000": "did you mean balance.t=30000 or balance.target_images=30000 or ",
    "balance=METACLIP_400M": "did you mean balance=metaclip_400m?",
    "source=a.parquet": "did you mean source.paths=a.parquet?",
    "source=csv": "did you mean source=table?",
    "spark=local[2]": "did you mean spark.master=local[2]?",
    "spark=lid176": "did you mean language=lid176?",
    "lang=en": "did you mean source.lang_column or language or languages?",
    "sources.path=x": "unknown setting 'sources.path': did you mean source.paths?",
    "source.t=5": "unknown setting 'source.t': did you mean balance.t?",
    "balance.T=5": "unknown setting 'balance.T': did you mean balance.t?",
    "entries_list=x": "unknown setting 'entries_list': did you mean entry_lists?",
    "source.text_column.alt=x": "did you mean source.text_columns.alt?",
    "source.text_columns=x": "write source.text_columns.name=value, as source.text_columns.alt=TEXT, got 'x'",
    "url=x": "unknown setting 'url': curate has none of this name, card has; did you mean source.url_column?",
    "download=false": "download is a topic with the settings download.images_per_list, download.threads, ",
    "filters=x": "; did you mean filter?",
    "input=a.parquet": "unknown setting 'input': did you mean source.paths?",
    "metadata=words.txt": "unknown setting 'metadata': did you mean entry_lists?",
    "images=1000": "unknown setting 'images': did you mean balance.target_images?",
    "wat=a.wat.gz": "did you mean source=wat source.paths?",
    "cores=4": "unknown setting 'cores': did you mean spark.master=local[...]?",
    "matching=en": "did you mean languages=en?",
    "spark=cluster": "did you mean spark=standalone or spark=yarn or spark=k8s?",
    "balance=none": "did you mean balance.t=1e9?",
    "captions.parquet": "'captions.parquet' is not of the form key=value: did you mean source.paths=captions.parquet?",
    "run": "'run' is not of the form key=value: did you mean output=run?",
    "nonsense=x": "unknown setting 'nonsense': headtail curate --help lists the settings",
}


@pytest.mark.parametrize("override", NEAR)
def test_what_is_nearly_right_is_answered_with_the_right_name(override: str) -> None:
    with pytest.raises(HeadtailError) as error:
        compose_config("curate", CurateConfig, [*GIVEN, override])
    assert NEAR[override] in str(error.value)
    assert "\n" not in str(error.value)


def test_jobs_that_have_a_setting_are_named() -> None:
    with pytest.raises(HeadtailError, match=r"estimate has none of this name, extract_pairs, match_pairs, .* have"):
        compose_config("estimate", EstimateConfig, ["output=/runs/a"])


@pytest.mark.parametrize("override", CASES, ids=lambda each: each.encode("ascii", "replace").decode())
def test_a_wrong_value_is_named_as_it_was_typed(override: str) -> None:
    with pytest.raises(HeadtailError) as error:
        compose_config("curate", CurateConfig, [*GIVEN, override])
    assert CASES[override] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "value"),
    [("balance.t=20_000", 20_000), ("balance.t=20.125", 20.125), ("balance.t=20.0", 20), ("balance.t=5e3", 5000)],
)
def test_numbers_that_can_be_read_in_one_way_are_taken(override: str, value: float) -> None:
    assert compose_config("curate", CurateConfig, [*GIVEN, override]).balance.t == value


def test_a_share_cannot_be_thousands() -> None:
    config = compose_config("curate", CurateConfig, [*GIVEN, "balance.headroom=1.000", "balance.tail_share=0.060"])
    assert (config.balance.headroom, config.balance.tail_share) == (1, 0.06)


def test_the_item_of_a_list_that_is_no_choice_is_named() -> None:
    line = "what must be one of pairs, matches, curated, lists, downloads, got 'Download': write downloads"
    with pytest.raises(HeadtailError, match=line):
        compose_config("clean", CleanConfig, ["output=/runs/a", "what=pairs,Download"])


@pytest.mark.parametrize("contact", ["me@example.org", "https://example.org/bot?a=b"])
def test_a_contact_is_an_address_or_a_url(contact: str) -> None:
    assert compose_config("curate", CurateConfig, [*GIVEN, f"download.contact={contact}"]).download.contact == contact


def test_each_setting_that_other_words_stand_for_exists() -> None:
    known = settings_of(CurateConfig)
    assert other_names("limit", settings_of(ShowConfig)) == ["rows"]
    for key in SETTINGS.keys() - {"limit", "head"}:  # of show, which has `rows`
        assert key not in known
        assert len(other_names(key, known)) == len(SETTINGS[key]), key
    for topic, value in VALUES:
        for meant in VALUES[topic, value]:
            compose_config("curate", CurateConfig, [*GIVEN, meant])
