"""A user's mistake in a setting is one line that says what to do; values arrive typed and checked."""

import importlib
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pyspark
import pytest
from omegaconf import MISSING

import jobs
from conf.compose import compose_config
from conf.help_lines import named_lines
from conf.help_text import EXAMPLES, settings_help, type_name
from conf.schema.jobs import (
    BalancePairsConfig,
    CardConfig,
    CurateConfig,
    EstimateConfig,
    ReportStatsConfig,
    WriteShardsConfig,
    config_class,
)
from conf.schema.topics import MAX_ENTRY_CHARACTERS, MetadataConfig, PricesConfig
from conf.settings import settings_of
from curation.core.choices import Edges, NearDuplicates
from curation.core.errors import HeadtailError
from curation.matching import entry_lists
from curation.report.estimate import Assumptions, Prices
from jobs import curate
from jobs.cli import JOBS
from jobs.flags import read_flags, with_keys
from jobs.outputs import check_folders, written_folders
from jobs.shard_settings import filter_recipe

GIVEN = ["output=/runs/a", "source.paths=/crawl/x.wat.gz", "entry_lists=/lists"]


def compose(*overrides: str) -> CurateConfig:
    return compose_config("curate", CurateConfig, [*GIVEN, *overrides])


def test_tables_lie_in_the_folder_of_the_run() -> None:
    config = compose("matches=/elsewhere/m")
    assert (config.pairs, config.matches) == ("/runs/a/pairs", "/elsewhere/m")


def test_presets_and_overrides() -> None:
    assert compose("balance=metaclip_400m").balance.t == 20_000
    assert compose("balance=metaclip_2_5b").balance.t == 170_000
    assert compose("balance=metaclip_400m", "balance.t=35000").balance.t == 35_000
    assert compose().balance.t is None
    assert compose("language=none").language.model == "none"
    assert compose("language.min_score=0.5").language.model == compose().language.model == "lid.176.ftz"
    assert compose("matching.edges=blank").matching.edges is Edges.blank


def test_clusters_take_the_python_of_the_archive_and_run_nothing_twice() -> None:
    assert compose().spark.python is None
    for cluster in ("standalone", "yarn", "k8s"):
        chosen = compose(f"spark={cluster}", "spark.conf={spark.executor.memory: 8g}").spark
        assert chosen.python == "./env/bin/python"
        assert chosen.conf["spark.speculation"] == "false"
        assert chosen.conf["spark.executor.memory"] == "8g"
        # YARN and Kubernetes make a secret for each job, where the cluster asks for it; standalone has no other guard.
        assert (chosen.conf.get("spark.authenticate") == "true") == (cluster == "standalone")


@pytest.mark.parametrize(
    "path", ["/a=b/c.gz", "/crawl/*.wat.gz", "s3://bucket/x y/z", "/it's", "/a,/b", "[/a,/b]", "/a{1}"]
)
def test_paths_need_no_quotes(path: str) -> None:
    wanted = [part.strip("[]") for part in path.split(",")]
    assert compose(f"source.paths={path}").source.paths == wanted


MISTAKES = {
    "outptu=/x": "unknown setting 'outptu': did you mean output",
    "balance.tt=3": "did you mean balance.t",
    "tail_share=0.1": "did you mean balance.tail_share",
    "balance=metaclip": "unknown preset; the presets are .*metaclip_400m",
    "source.lang_column=[a,b]": r"source.lang_column takes one text, got '\[a,b\]'",
    "source.carry=[text]": "source.carry takes names with values: write source.carry.name=value",
    "balance.t=many": "balance.t must be a number, got 'many'",
    "urls.allow_private_hosts=localhost": "localhost is not a network; write it like",
    "urls.allow_private_hosts=10.1.2.3/8": "write 10.1.2.3/32 for this address, or 10.0.0.0/8 for all 16,777,216",
    "urls.allow_private_hosts=[fd00::1/64]": "write fd00::1/128 for this address, or fd00::/64 for all",
    "balance.t=nan": "balance.t must be a finite number, got nan",
    "balance.t=-1": "balance.t must be above 0 matches, got -1.0",
    "samples_per_shard=0": "samples_per_shard must be at least 1 sample, got 0",
    "balance.tail_share=1.5": "balance.tail_share must be at most 1, got 1.5",
    "matching.edges=round": r"matching.edges must be one of blank, script, script_kana, got 'round'",
    "de]": "'de]' is not of the form key=value: write a list without blanks, or put",
    "seed": "'seed' is not of the form key=value",
    "spark.driver_memory=8x": "spark.driver_memory=8x is no memory size: expected a whole number and k, m, g or t",
    "spark.driver_memory=1.5g": "spark.driver_memory=1.5g is no memory size",
    "spark.driver_memory=8gb": "spark.driver_memory=8gb is no memory size",
    "spark.driver_memory=100m": "spark.driver_memory=100m is too small: Spark needs at least 512m",
    "spark.master=local[2": r"spark.master=local\[2 is no Spark master: expected local\[4\]",
    "spark.master=local[0]": "is no Spark master",
    "spark.master=spark://host": "is no Spark master",
    "spark.conf={spark.executor.memory: 8x}": r"spark.conf.spark.executor.memory=8x is no size",
    "spark.conf={executor.memory: 8g}": "spark.conf: Spark ignores executor.memory: its settings begin with spark.",
    "spark.conf={spark.speculation: no}": "spark.conf.spark.speculation=no must be true or false",
    "spark.conf={spark.executor.cores: four}": "spark.conf.spark.executor.cores=four is no count",
    "spark.fallbacks={spark.executor.memoryOverhead: much}": "spark.fallbacks.spark.executor.memoryOverhead=much is no",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_one_line(override: str) -> None:
    with pytest.raises(HeadtailError, match=MISTAKES[override]) as error:
        compose(override)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "override",
    [
        "spark.driver_memory=512m", "spark.driver_memory=4G", "spark.master=local", "spark.master=local[*]",
        "spark.master=local[4,2]", "spark.master=local-cluster[2,1,1024]", "spark.master=spark://a.b:7077,c:7077",
        "spark.master=spark://[::1]:7077", "spark.master=yarn", "spark.master=k8s://https://1.2.3.4:443",
        "spark.conf={spark.executor.memory: 4096}", "spark.conf={spark.executor.memory: 8gb}",
        "spark.conf={spark.speculation: False}", "spark.conf={spark.executor.instances: 0}",
    ],
)  # fmt: skip
def test_what_spark_takes_passes(override: str) -> None:
    assert compose(override)


def test_what_must_be_given_is_named() -> None:
    with pytest.raises(HeadtailError, match=r"output, entry_lists, source\.paths must be given"):
        compose_config("curate", CurateConfig, [])


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_help_fits_the_terminal_but_for_words_that_are_longer(width: int) -> None:
    kinds = [(BalancePairsConfig, "balance_pairs"), (CardConfig, "card"), (CurateConfig, "curate")]
    for kind, job in kinds:
        text = settings_help(kind, job, width=width)
        example = text.split("Example:\n")[1].split("\n\n")[0]
        assert shlex.split(example.replace("\\\n", " ")) == ["headtail", job, *shlex.split(EXAMPLES[job])]
        lines = text.replace(example, "").splitlines()
        assert [line for line in lines if len(line) > min(width, 120) and len(line.split()) > 1] == []
    listed = named_lines({"curate": "Run the whole chain of the jobs.", "x": "y"}, 19, width)
    assert max(map(len, listed.splitlines())) <= width


def test_help_has_every_setting_with_its_help_text() -> None:
    text = settings_help(CurateConfig, "curate", width=100)
    words = " ".join(text.split())
    for name, (_, declared) in settings_of(CurateConfig).items():
        assert f"\n  {name}  " in text
        assert " ".join(declared.metadata["help"].split()) in words
    assert "integer samples, default 10000" in text
    assert "balance=domain|equal_languages|metaclip_2_5b|metaclip_400m|tail_share" in text
    assert "headtail curate output=" in text
    assert max(map(len, text.splitlines())) <= 120


def test_help_of_one_topic_has_its_settings_alone() -> None:
    text = settings_help(CurateConfig, "curate", "balance", width=60)
    assert set(re.findall(r"^  ([a-z_]+)\.\w+  ", text, re.MULTILINE)) == {"balance"}
    assert max(map(len, text.splitlines())) <= 70
    with pytest.raises(HeadtailError, match="no such topic; its topics are job, spark, source"):
        settings_help(CurateConfig, "curate", "balanc")


def test_each_job_has_an_example_that_composes() -> None:
    assert set(EXAMPLES) == set(JOBS)
    for job, example in EXAMPLES.items():
        kind = get_type_hints(importlib.import_module(f"jobs.{job}").run)["config"]
        flags = read_flags(shlex.split(example), kind)
        assert compose_config(job, kind, with_keys(flags.overrides, kind))


def test_help_of_curate_follows_the_order_of_the_jobs() -> None:
    text = settings_help(CurateConfig)
    keys = (
        "pairs",
        "entry_counts",
        "shards",
        "report",
        "source.kind",
        "matching.edges",
        "balance.t",
        "download.threads",
    )
    places = [text.index(f"\n  {key} ") for key in keys]
    assert places == sorted(places)


def test_a_setting_that_jobs_of_curate_declare_differently_has_a_help_text_for_all() -> None:
    found: dict[str, set[str]] = {}
    for base in CurateConfig.__bases__:
        for declared in fields(base):
            found.setdefault(declared.name, set()).add(declared.metadata["help"])
    several = {name for name, texts in found.items() if len(texts) > 1}
    own = {*CurateConfig.__annotations__, *ReportStatsConfig.__annotations__}
    assert several <= own
    assert several >= {"pairs", "lists", "languages"}


@pytest.mark.parametrize(
    ("value", "near", "stored"),
    [
        ("true", NearDuplicates.true, True),
        ("True", NearDuplicates.true, True),
        ("1", NearDuplicates.true, True),
        ("yes", NearDuplicates.true, True),
        ("On", NearDuplicates.true, True),
        ("false", NearDuplicates.false, False),
        ("0", NearDuplicates.false, False),
        ("off", NearDuplicates.false, False),
        ("hash", NearDuplicates.hash, "hash"),
        ("embedding", NearDuplicates.embedding, "embedding"),
    ],
)
def test_near_duplicates_take_true_and_false_as_before(value: str, near: NearDuplicates, stored: object) -> None:
    """Recipes of finished sets hold true or false, and no cosine."""
    config = compose(f"filters.near_duplicates={value}")
    assert config.filters.near_duplicates is near
    recipe = filter_recipe(config)
    assert recipe["near_duplicates"] == stored
    assert type(recipe["near_duplicates"]) is type(stored)
    assert ("near_cosine" in recipe) == (value == "embedding")


@pytest.mark.parametrize("preset", ["metaclip_400m", "metaclip_2_5b", "tail_share"])
def test_curate_matches_with_the_preset_of_the_balance(preset: str) -> None:
    edges = Edges.script if preset == "tail_share" else Edges.blank
    assert compose(f"balance={preset}").matching.edges is edges
    assert compose(f"balance={preset}", "matching=script").matching.edges is Edges.script


def test_the_settings_of_estimate_are_the_assumptions_of_the_report() -> None:
    def named(kind: type) -> list[tuple[str, object]]:
        return [(each.name, each.type) for each in fields(kind) if each.name not in ("prices", "format")]  # type: ignore[arg-type]  # a class

    assert named(EstimateConfig) == named(Assumptions)
    assert named(PricesConfig) == named(Prices)


def test_each_job_is_in_the_list_of_jobs() -> None:
    modules = {path.stem: path.read_text() for path in Path(jobs.__file__).parent.glob("*.py")}
    assert sorted(JOBS) == sorted(name for name, source in modules.items() if "\ndef run(" in source)


def test_entries_have_the_length_that_matching_takes() -> None:
    assert MAX_ENTRY_CHARACTERS == entry_lists.MAX_CHARACTERS
    with pytest.raises(HeadtailError, match=r"metadata\.max_characters must be at most 256 characters, got 257"):
        MetadataConfig(max_characters=257)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_composes_with_what_it_requires(job: str) -> None:
    kind = get_type_hints(importlib.import_module(f"jobs.{job}").run)["config"]
    required = {
        name: type_name(hint) for name, (hint, declared) in settings_of(kind).items() if declared.default == MISSING
    }
    # A choice takes its first option, any other setting takes a path.
    values = {name: hint.split("|")[0].split()[-1] if "|" in hint else "/x" for name, hint in required.items()}
    assert isinstance(compose_config(job, kind, [f"{name}={value}" for name, value in values.items()]), kind)


def test_the_preset_for_s3_names_the_hadoop_that_spark_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    conf = compose_config("write_shards", WriteShardsConfig, ["output=/x", "spark=s3"]).spark.conf
    (jar,) = Path(pyspark.__file__).parent.glob("jars/hadoop-client-api-*.jar")
    assert conf["spark.jars.packages"].rpartition(":")[2] == jar.stem.rpartition("-")[2]
    assert conf["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9000"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    conf = compose_config("write_shards", WriteShardsConfig, ["output=/x", "spark=s3"]).spark.conf
    assert conf["spark.hadoop.fs.s3a.endpoint"] == ""


def test_two_tables_do_not_share_a_folder(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="both is the path of several tables that this job writes"):
        check_folders(compose(f"output={tmp_path}", f"pairs={tmp_path}/both", f"matches={tmp_path}/both/"))


def test_curate_writes_the_folders_of_all_its_jobs() -> None:
    names = (
        "pairs", "matches", "entry_counts", "thresholds", "curated", "entry_probabilities", "forecasts",
        "concept_counts", "lists", "hosts", "downloads", "image_signals", "shards", "report",
    )  # fmt: skip
    assert set(written_folders(compose("pairs=/p"))) == {"/p", *(f"/runs/a/{name}" for name in names[1:])}
    only = compose_config("report_stats", ReportStatsConfig, ["output=/x", "entry_lists=/e"])
    assert written_folders(only) == ["/x/report"]


def test_curate_refuses_a_folder_of_other_files_before_it_reads_anything(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/00000.tar").touch()
    config = compose(f"output={tmp_path}/run", f"shards={tmp_path}/mine")
    with pytest.raises(HeadtailError, match=r"mine is not empty and holds nothing of headtail, but 00000.tar"):
        curate.run(config)


@pytest.mark.parametrize("job", JOBS)
def test_the_class_of_a_jobs_settings_is_known_without_the_job(job: str) -> None:
    assert config_class(job) is get_type_hints(importlib.import_module(f"jobs.{job}").run)["config"]
