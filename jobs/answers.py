"""What the flags of a command line ask for: a help text, the settings, or the configuration to run a job with."""

import os
import signal
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from conf.chosen_presets import default_presets
from conf.compose import as_hydra_reads, check_number, compose_config, compose_settings
from conf.help_lines import text_width, wrapped
from conf.help_text import settings_help
from conf.presets import preset_topics
from conf.repeated import refuse_repeated
from conf.settings import settings_of
from conf.settings_file import KEY, quoted
from curation.core.errors import HeadtailError
from jobs.flags import Flags

SWEPT_JOBS = ("curate", "balance_pairs")
DECISIONS = ("thresholds", "curated", "entry_probabilities", "forecasts", "entries")
"""The tables that each variant of a sweep has of its own."""
NO_HYDRA = "# Hydra composes the settings, and does nothing else here: --cfg job prints all that there are."


@dataclass(frozen=True)
class Sweep:
    """Configurations that differ in what balancing decides, each with the name of its folder."""

    job: str
    variants: dict[str, Any]

    @property
    def output(self) -> str:
        """The folder of the run."""
        return next(iter(self.variants.values())).output


def answer(job: str, kind: Any, flags: Flags, about: str) -> Any:
    """Return the configuration of a job, or a Sweep; print what a flag asks for, and return None, if one does."""
    refuse_repeated(flags.overrides, settings_of(kind), may_repeat=KEY)
    overrides = [*_file_of(flags), *flags.overrides]
    if flags.help:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `headtail curate --help | head`
        about = wrapped(about, text_width())
        print(f"headtail {job} key=value ...\n\n{about}\n\n{settings_help(kind, job, flags.topic)}")  # noqa: T201
    elif flags.info:
        print(_info(kind, flags, overrides))  # noqa: T201
    elif flags.cfg:
        print(_settings(job, kind, flags, overrides))  # noqa: T201
    elif flags.multirun:
        return plan_sweep(job, kind, overrides, flags.config_dir)
    else:
        return compose_config(job, kind, overrides, flags.config_dir)
    return None


def _file_of(flags: Flags) -> list[str]:
    """Return the setting that names the file of --config-name; checks the folder of --config-dir."""
    if flags.config_dir and not os.path.isdir(flags.config_dir):
        raise HeadtailError(f"--config-dir: {flags.config_dir} is no folder")
    if not flags.config_name:
        return []
    name = flags.config_name if flags.config_name.endswith((".yaml", ".yml")) else f"{flags.config_name}.yaml"
    return [f"{KEY}={os.path.join(flags.config_dir, name)}"]


def _info(kind: Any, flags: Flags, overrides: list[str]) -> str:
    """Return where the settings come from, in the order in which later ones win."""
    presets = {topic: name for entry in default_presets(kind) for topic, name in entry.items()}
    topics = preset_topics(settings_of(kind))
    presets |= {key: value for key, _, value in (each.partition("=") for each in overrides) if key in topics}
    lines = ["Presets:", *(f"  {topic.removeprefix('optional ')}={name}" for topic, name in presets.items())]
    lines += ["Folders of presets:", f"  {files('conf')}", *([f"  {flags.config_dir}"] if flags.config_dir else [])]
    named = [each.removeprefix(f"{KEY}=") for each in overrides if each.startswith(f"{KEY}=")]
    lines += ["Settings files:", *(f"  {path}" for path in named or ["none"])]
    given = [each for each in overrides if not each.startswith(f"{KEY}=") and each.partition("=")[0] not in topics]
    return "\n".join([*lines, "Settings of the command line:", *(f"  {each}" for each in given or ["none"])])


def _settings(job: str, kind: Any, flags: Flags, overrides: list[str]) -> str:
    """Return the composed settings as YAML: what --cfg prints."""
    if flags.cfg == "hydra":
        return NO_HYDRA
    composed = compose_settings(job, kind, overrides, flags.config_dir)
    if flags.package:
        composed = OmegaConf.select(composed, flags.package)
        if composed is None:
            raise HeadtailError(f"--package {flags.package}: {job} has no such settings")
        if not OmegaConf.is_config(composed):
            return str(composed)
    if flags.resolve:
        compose_config(job, kind, overrides, flags.config_dir)  # names what is missing
    return OmegaConf.to_yaml(composed, resolve=flags.resolve).rstrip()


def plan_sweep(job: str, kind: Any, overrides: list[str], presets: str) -> Sweep:
    """Return the configurations of a sweep: every combination of the values that the overrides list.

    A list is one of Hydra's basic sweeper: `balance.t=5000,20000`, `choice(...)`, `range(...)`. Raises HeadtailError if
    no setting has several values, or if one that decides signals does.
    """
    if job not in SWEPT_JOBS:
        raise HeadtailError(
            f"-m runs {' and '.join(SWEPT_JOBS)} with several values of what balancing decides, not {job}"
        )
    combinations: list[tuple[list[str], list[str]]] = [([], [])]
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        values = _values_of(override, kind)
        if len(values) > 1 and not _is_decision(job, key):
            what = "balance.* and seed" if job == "balance_pairs" else "balance.*"
            raise HeadtailError(
                f"-m takes several values of {what}, not of {key}: it decides what is made once for all"
            )
        combinations = [
            ([*fixed, each], [*names, each] if len(values) > 1 else names)
            for fixed, names in combinations
            for each in values
        ]
    if len(combinations) == 1:
        raise HeadtailError("-m needs a setting with several values, for example balance.t=5000,20000")
    variants = {}
    for given, names in combinations:
        name = _folder_name(names)
        folder = "${output}/sweep/" + name
        places = [f"{table}={quoted(f'{folder}/{table}')}" for table in DECISIONS]
        variants[name] = compose_config(job, kind, [*given, *places], presets)
    return Sweep(job, variants)


def _values_of(override: str, kind: Any) -> list[str]:
    """Return an override once for each of its values."""
    key, _, value = override.partition("=")
    if key.split(".")[0] in preset_topics(settings_of(kind)) and "." not in key:
        return [f"{key}={each.strip()}" for each in value.split(",")]
    check_number(override, settings_of(kind))  # before Hydra makes 20 of 20.000
    hydras = override if value.startswith(("choice(", "range(")) else as_hydra_reads(override, settings_of(kind))
    try:
        parsed = OverridesParser.create().parse_override(hydras)
    except HydraException:
        return [override]  # composing tells what is wrong
    if not parsed.is_sweep_override():
        return [override]
    return [f"{key}={each}" for each in parsed.sweep_string_iterator()]


def _is_decision(job: str, key: str) -> bool:
    """Whether a setting decides nothing but what balancing keeps."""
    return key.startswith("balance.") or (job == "balance_pairs" and key in ("balance", "seed"))


def _folder_name(names: list[str]) -> str:
    """Return the name of a variant's folder: `5000` for balance.t=5000 alone, else its settings.

    >>> _folder_name(["balance.t=5000"]), _folder_name(["balance.t=5", "balance.unit=image"])
    ('5000', 't=5,unit=image')
    """
    short = [each.removeprefix("balance.").replace("/", "_") for each in names]
    return short[0].removeprefix("t=") if len(short) == 1 else ",".join(short)
