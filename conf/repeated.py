"""Settings that are given twice: which of the two values counts would be a guess."""

from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from curation.core.errors import HeadtailError


def refuse_repeated(overrides: Sequence[str], known: Mapping[str, Any], may_repeat: str = "") -> None:
    """Raise HeadtailError if two overrides give the same setting, whatever `+`, `++`, `~` or `@package` they carry.

    `known` are the settings of the job (`settings_of`). The key `may_repeat` may come several times.

    >>> refuse_repeated(["spark.conf.a=1", "spark.conf.b=1", "balance=tail_share", "balance.t=5"], {})
    >>> refuse_repeated(["balance.t=5", "+balance.t=6"], {})
    Traceback (most recent call last):
    curation.core.errors.HeadtailError: balance.t is given twice, as balance.t=5 and +balance.t=6: give it once
    """
    first: dict[str, str] = {}
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~").split("@")[0]
        if key == may_repeat:
            continue
        if key in first:
            several = [each.partition("=")[2].strip("[]") for each in (first[key], override)]
            is_list = key in known and get_origin(known[key][0]) is list
            cure = f"write several values as one list, {key}={','.join(several)}" if is_list else "give it once"
            raise HeadtailError(f"{key} is given twice, as {first[key]} and {override}: {cure}")
        first[key] = override
