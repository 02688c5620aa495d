"""Flags as Hydra's programs have them, settings files, sweeps, and what looks like a flag or a setting."""

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig, CurateConfig, ExplainConfig, ShowConfig
from curation.core.errors import HeadtailError
from jobs.answers import Sweep, answer, plan_sweep
from jobs.flags import read_flags, with_keys
from jobs.saved_settings import settings_yaml

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz", "entry_lists=/lists"]

MISTAKES = {
    "--output x": "--output is no flag: settings have no dashes, write output=x",
    "--output=x": "write output=x",
    "-o x": "write output=x",
    "--entry-lists x": "write entry_lists=x",
    "--tail_share 0.1": r"write balance\.tail_share=0\.1",
    "--output": r"write output=\.\.\.",
    "output = x": "write output=x, without blanks",
    "output=x my run": "'my' has no key: put quotes around a value with blanks, 'output=x my'",
    "output=x seed": "around the =; or, if it belongs to the value before, 'output=x seed' in quotes",
    "output =x": "write output=x, without blanks",
    "output= x": "write output=x, without blanks",
    "output: x": "write output=x, without blanks",
    "output:x": "write output=x, without blanks",
    "output x": "write output=x, without blanks",
    "--lang en": "did you mean source.lang_column or language or languages",
    "--colour": "the flags are --cfg, --config-dir",
    "--cfg": "--cfg needs a value",
    "--cfg jobs": "--cfg takes job, hydra, all",
    "--config-path x": "name your settings file with config=",
    "--shell-completion": "there is no shell completion",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_answered_with_what_to_write(line: str) -> None:
    with pytest.raises(HeadtailError, match=MISTAKES[line]):
        read_flags([*line.split(" "), "languages=en"], CurateConfig)


def test_settings_are_no_mistakes() -> None:
    given = ["output=/x", "filter=", "balance.t=-1", "source.text_columns.alt=caption", "+spark.conf.a=b"]
    assert read_flags(given, CurateConfig).overrides == given
    assert read_flags(["a photo: of a dog", "output=x"], ExplainConfig).overrides == ["a photo: of a dog", "output=x"]


def test_flags_take_their_values_in_both_forms() -> None:
    flags = read_flags(["--cfg=job", "-p", "balance", "--resolve", "--config-dir", "mine", "-m", *GIVEN], CurateConfig)
    assert (flags.cfg, flags.package, flags.resolve, flags.config_dir) == ("job", "balance", True, "mine")
    assert (flags.multirun, flags.overrides) == (True, GIVEN)
    assert read_flags(["--help", "balance"], CurateConfig).topic == "balance"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, kind: Any = CurateConfig) -> str:
    assert answer("curate", kind, read_flags(list(arguments), kind), "") is None
    return capsys.readouterr().out


def test_the_settings_are_printed_and_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [*GIVEN, "balance=metaclip_400m", "languages=en,de", "source=table", "source.text_columns.alt=it's"]
    printed = shown(capsys, "--cfg", "job", *given)
    assert yaml.safe_load(printed)["balance"]["t"] == 20_000
    assert yaml.safe_load(printed)["pairs"] == "${output}/pairs"
    assert yaml.safe_load(shown(capsys, "--cfg", "job", "--resolve", *given))["pairs"] == "/runs/a/pairs"
    assert yaml.safe_load(shown(capsys, "--cfg", "job", "--package", "balance", *given))["t"] == 20_000
    (tmp_path / "again.yaml").write_text(printed)
    again = compose_config("curate", CurateConfig, [f"config={tmp_path}/again.yaml"])
    assert again == compose_config("curate", CurateConfig, given)


def test_what_a_run_keeps_gives_the_same_settings_without_seed_and_secrets(tmp_path: Path) -> None:
    secrets = {
        "spark.hadoop.fs.s3a.secret.key": "hidden",
        "spark.hadoop.fs.azure.account.key.me.blob.core.windows.net": "hidden",
        "spark.executorEnv.SOME_API_KEY": "hidden",
        "spark.executor.extraJavaOptions": "'-Dproxy=http://h -Dtrust.password=hidden'",
    }
    conf = f"spark.conf={{{', '.join(f'{key}: {value}' for key, value in secrets.items())}, spark.ui.port: 4041}}"
    given = [*GIVEN, "seed=77", conf, "source.prefix=https://me:hidden@h.org/x?sig=hidden", "matching.edges=blank"]
    kept = settings_yaml(compose_config("curate", CurateConfig, given))
    assert "hidden" not in kept
    assert kept.startswith(f"# Relative paths are relative to the folder in which the job was started, {Path.cwd()}\n")
    assert "seed" not in yaml.safe_load(kept)
    assert yaml.safe_load(kept)["spark"]["conf"] == {"spark.ui.port": "4041"}
    assert yaml.safe_load(kept)["matches"] == "${output}/matches"
    (tmp_path / "kept.yaml").write_text(kept)
    again = compose_config("curate", CurateConfig, [f"config={tmp_path}/kept.yaml", "output=/runs/b"])
    assert (again.matches, again.matching.edges.value, again.seed) == ("/runs/b/matches", "blank", None)


FILES = {
    "preset and setting": (
        "defaults:\n- balance: metaclip_400m\nbalance:\n  t: 35000\nlanguages: [en, de]", (35_000, ["en", "de"])
    ),
    "preset as a text, dotted key": (
        "balance: metaclip_400m\nbalance.unit: image\nlanguages: en,de", (20_000, ["en", "de"])
    ),
    "nothing": ("", (None, [])),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_settings_and_the_command_line_wins(name: str, tmp_path: Path) -> None:
    text, (t, languages) = FILES[name]
    (tmp_path / "my.yaml").write_text(text)
    given = [*GIVEN, f"config={tmp_path}/my.yaml"]
    config = compose_config("curate", CurateConfig, given)
    assert (config.balance.t, config.languages) == (t, languages)
    assert compose_config("curate", CurateConfig, [*given, "balance.t=3"]).balance.t == 3


TEXTS: dict[str, dict[str, Any]] = {
    "languages": {"languages: [no, de]": ["no", "de"], "languages: no": ["no"], "languages: off,on": ["off", "on"]},
    "pairs": {
        "pairs: 2024_11": "2024_11",
        "pairs: 1.10": "1.10",
        "pairs: 12:30": "12:30",
        "pairs: 2024-11-31": "2024-11-31",
        "pairs: 'a\\'": "a\\",
        "pairs: a\\'b": "a\\'b",
    },
    "spark.conf": {
        "spark: {conf: {spark.a: true, spark.b-c: 0010, 'spark.d:e': 'x,y'}}": {
            "spark.a": "true", "spark.b-c": "0010", "spark.d:e": "x,y"
        },
        "spark.conf.spark.a.b: 1.10": {"spark.a.b": "1.10"},
    },
    "balance.t_by_language": {"balance: {t_by_language: {no: 2e4, de: '5'}}": {"no": 20_000.0, "de": 5.0}},
    "overwrite": {"overwrite: yes": True},
    "source.limit": {"source: {limit: 1_000}": 1000, "source: {limit: null}": None, "source:": None},
}  # fmt: skip
"""Setting -> lines of a file, and the value of each. A file has one line of each setting, to compose fewer of them."""


@pytest.mark.parametrize("number", range(max(map(len, TEXTS.values()))))
def test_a_file_says_texts_letter_by_letter_and_numbers_as_yaml(number: int, tmp_path: Path) -> None:
    chosen = {name: list(lines)[number] for name, lines in TEXTS.items() if number < len(lines)}
    (tmp_path / "my.yaml").write_text("\n".join(chosen.values()))
    config = compose_config("curate", CurateConfig, [*GIVEN, f"config={tmp_path}/my.yaml"])
    read = {name: attrgetter(name)(config) for name in chosen}
    assert read == {name: TEXTS[name][line] for name, line in chosen.items()}
    (tmp_path / "kept.yaml").write_text(settings_yaml(config))
    assert compose_config("curate", CurateConfig, [f"config={tmp_path}/kept.yaml"]) == config


def test_of_two_files_the_later_one_wins(tmp_path: Path) -> None:
    for name, t in (("a", 5), ("b", 6)):
        (tmp_path / f"{name}.yaml").write_text(f"balance: {{t: {t}}}")
    given = [each for each in GIVEN if not each.startswith("balance.t=")]
    files = [f"config={tmp_path}/a.yaml", f"config={tmp_path}/b.yaml"]
    assert compose_config("curate", CurateConfig, [*files, *given]).balance.t == 6


def test_settings_of_spark_may_be_given_one_by_one() -> None:
    given = [*GIVEN, "spark.conf.spark.sql.shuffle.partitions=3", "spark.conf.spark.app.id=a b"]
    conf = compose_config("curate", CurateConfig, given).spark.conf
    assert conf == {"spark.sql.shuffle.partitions": "3", "spark.app.id": "a b"}


MANY = "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9) if k else 'en'}]\n" for k in range(9))
"""Nine lists, each of nine times the one before."""
WRONG_FILES = {
    "balance:\n  tt: 3": "my.yaml: unknown setting 'balance.tt': did you mean balance.t",
    "balance:\n  t: many": "my.yaml: balance.t must be a number",
    "balance: nope": "my.yaml: balance=nope: unknown preset",
    "balance: [": "is no YAML, line",
    "- output": "must hold settings as key: value, found a list",
    "defaults: balance": "defaults must be a list",
    "1: 2": "unknown setting '1'",
    "null: 2": "is no key",
    "languages: &a [en, *a]": "my.yaml refers to itself, or is nested without end",
    "balance: &a {t: 3, unit: *a}": "my.yaml refers to itself, or is nested without end",
    f"languages: {'[' * 600}": "my.yaml refers to itself, or is nested without end",
    MANY: "my.yaml refers to itself, or is nested without end",
    "config: my.yaml": "my.yaml: a file of settings names no other one",
    "matches: ${matches}": "matches: the value refers to itself",
    "balance: {t: 20.000}": "my.yaml: balance.t: '20.000' may be 20 or 20,000: write 20 or 20000",
    "pairs: /a\noverwrite: yes\npairs: /b": "is no YAML, line 3: pairs is given twice, first in line 1",
    "balance: {t: 5}\nbalance.t: 6": "my.yaml: balance.t is given twice, as balance.t=5 and balance.t=6",
    "defaults: [balance: tail_share]\nbalance: metaclip_400m": "my.yaml: balance is given twice",
}


@pytest.mark.parametrize("text", WRONG_FILES, ids=list(map(str, range(len(WRONG_FILES)))))
def test_a_mistake_in_a_file_names_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(HeadtailError, match=re.escape(WRONG_FILES[text]).replace(r"\ ", " ")) as error:
        compose_config("curate", CurateConfig, [*GIVEN, f"config={tmp_path}/my.yaml"])
    assert "\n" not in str(error.value)


def test_a_folder_of_presets_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "balance").mkdir()
    (tmp_path / "balance/mine.yaml").write_text("t: 77\n")
    (tmp_path / "my.yaml").write_text("balance: mine\n")
    folder = ["--config-dir", str(tmp_path)]
    assert shown(capsys, *folder, "--cfg", "job", "-p", "balance.t", "balance=mine", *GIVEN) == "77.0\n"
    assert shown(capsys, *folder, "--config-name", "my", "--cfg", "job", "-p", "balance.t", *GIVEN) == "77.0\n"
    told = shown(capsys, *folder, "--info", "balance=mine", *GIVEN)
    assert "  balance=mine\n" in told
    assert f"  {tmp_path}\n" in told
    with pytest.raises(HeadtailError, match="unknown preset; the presets are domain, equal_languages, metaclip_2_5b"):
        compose_config("curate", CurateConfig, [*GIVEN, "balance=mine"])


GIVEN_TWICE = {
    "output=/b": "output is given twice, as output=/runs/a and output=/b: give it once",
    "+output=/b": r"output is given twice, as output=/runs/a and \+output=/b: give it once",
    "source.paths=/b": "write several values as one list, source.paths=/crawl/x.wat.gz,/b",
    "balance.t=2 ++balance.t=2": "balance.t is given twice",
    "balance=tail_share balance=metaclip_400m": "as balance=tail_share and balance=metaclip_400m: give it once",
    "spark.conf.spark.a=1 spark.conf.spark.a=2": "spark.conf.spark.a is given twice",
    "-m balance.t=1 balance.t=2": "balance.t is given twice, as balance.t=1 and balance.t=2",
}


@pytest.mark.parametrize("given", GIVEN_TWICE)
def test_a_setting_is_given_once(given: str) -> None:
    with pytest.raises(HeadtailError, match=GIVEN_TWICE[given]):
        answer("curate", CurateConfig, read_flags([*GIVEN, *given.split(" ")], CurateConfig), "")


def test_presets_beside_settings_and_files_are_no_second_value(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("balance: {t: 7}\noutput: /runs/b")
    files = [f"config={tmp_path}/my.yaml"] * 2
    given = [*GIVEN, *files, "balance=tail_share", "balance.t=5", "balance.tail_share=null"]
    config = answer("curate", CurateConfig, read_flags(given, CurateConfig), "")
    assert (config.output, config.balance.t) == ("/runs/a", 5)


def swept(*overrides: str, job: str = "curate") -> Sweep:
    kind = CurateConfig if job == "curate" else BalancePairsConfig
    return plan_sweep(job, kind, [*(GIVEN if job == "curate" else GIVEN[:1]), *overrides], "")


def test_a_sweep_has_a_folder_for_each_value() -> None:
    variants = swept("balance.t=5000,10_000").variants
    assert {name: (config.balance.t, config.curated, config.matches) for name, config in variants.items()} == {
        "5000": (5000, "/runs/a/sweep/5000/curated", "/runs/a/matches"),
        "10000": (10_000, "/runs/a/sweep/10000/curated", "/runs/a/matches"),
    }
    both = swept("balance.t=5,6", "balance.unit=choice(pair,image)", "languages=en,de").variants
    assert list(both) == [f"t={t},unit={unit}" for t in (5, 6) for unit in ("pair", "image")]
    assert list(swept("balance.t=range(1,4)").variants) == ["1", "2", "3"]
    assert list(swept("balance=metaclip_400m,metaclip_2_5b", job="balance_pairs").variants) == [
        "balance=metaclip_400m", "balance=metaclip_2_5b"
    ]  # fmt: skip


def test_what_a_sweep_keeps_writes_nothing_into_its_folders(tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(settings_yaml(swept("balance.t=5000,6000")))
    again = compose_config("curate", CurateConfig, [f"config={tmp_path}/kept.yaml", "output=/runs/b"])
    assert (again.balance.t, again.curated, again.entries) == (5000, "/runs/b/curated", "/runs/b/entries")


@pytest.mark.parametrize(
    ("job", "given", "line"),
    [
        ("curate", ["balance.t=3"], "needs a setting with several values"),
        ("curate", ["balance.t=1,2", "buckets=2,4"], r"several values of balance\.\*, not of buckets"),
        ("curate", ["balance=metaclip_400m,tail_share"], "not of balance: it decides what is made once"),
        ("curate", ["balance.t=1,many"], "balance.t must be a number, got 'many'"),
        ("curate", ["balance.t=5,10.000"], "balance.t: '10.000' may be 10 or 10,000"),
        ("curate", ["balance.t=5,500,20,000"], "balance.t: '5,500,20,000' has commas within numbers"),
    ],
    ids=["one value", "signals", "preset that matches otherwise", "no number", "points", "commas"],
)
def test_what_cannot_be_swept(job: str, given: list[str], line: str) -> None:
    with pytest.raises(HeadtailError, match=line):
        swept(*given, job=job)


@pytest.mark.parametrize(
    ("given", "keyed"),
    [
        (["/run", "curated"], ["output=/run", "table=curated"]),
        (["rows=3", "/run"], ["rows=3", "output=/run"]),
        (["output=/run", "curated"], ["output=/run", "table=curated"]),
        (["table=curated", "/run"], ["table=curated", "output=/run"]),
        (["/run/sweep/t=5000,unit=pair", "curated"], ["output=/run/sweep/t=5000,unit=pair", "table=curated"]),
        (["s3://bucket/crawl=1", "+rows=3"], ["output=s3://bucket/crawl=1", "+rows=3"]),
    ],
    ids=["two", "one after a setting", "a folder with key", "a table with key", "a path with =", "an address with ="],
)
def test_arguments_without_keys_get_them_in_order(given: list[str], keyed: list[str]) -> None:
    assert with_keys(given, ShowConfig) == keyed


def test_more_arguments_than_keys_are_refused() -> None:
    for given in (["/run", "curated", "pairs"], ["output=/run", "curated", "pairs"]):
        with pytest.raises(HeadtailError, match="table is given twice, as 'curated' and 'pairs'"):
            with_keys(given, ShowConfig)
