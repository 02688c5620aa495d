"""The commands that curate the web, one for each arm, and what their shards hold.

All arms read the same tables of pairs and matches, which the first command makes. They differ in what is kept:

- `balanced`: `balance.target_images`, solved for t.
- `random`: nothing is thinned (t is beyond every count), and of what matches a draw keeps as many images as `balanced`
  kept. All pictures are on one host, so that `balance.max_per_domain` is this draw.
- `everything`: nothing is thinned.
- `t50`: thinned with t = 50, and then drawn as in `random`.
- `online`: the shards of `everything`, which the trainer balances with the probabilities of `balanced`.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.dataset as ds

from curation.core.progress import say
from tests.evidence.host import PictureHost
from tests.evidence.material import Material, write_lists
from tests.evidence.outcome import UNTHINNED_T
from tests.evidence.sizes import FIXED_T, ONLINE, Sizes
from tests.evidence.web import CRAWL, MARKER, Link, make_links

BASE = "balanced"
"""The arm whose run makes the tables that all arms read."""


def settings(sizes: Sizes, arm: str, kept: int) -> list[str]:
    """Return the settings of `headtail curate` for an arm; `kept` is the number of images that `balanced` has kept."""
    base, output = sizes.out / BASE, sizes.out / arm
    given = [
        f"output={output}",
        f"source.paths={sizes.out / 'wat'}",
        f"source.crawl={CRAWL}",
        "urls.allow_private_hosts=127.0.0.1/32",  # the image host is this machine
        f"languages={sizes.reference}",
        f"balance.reference={sizes.reference}",
        "download.size=64",
        "buckets=4",
        "samples_per_shard=1000",
        f"seed={sizes.seed}",
    ]
    if arm == BASE:
        lists = "starter" if sizes.lists == "starter" else sizes.out / "lists"
        return [*given, f"entry_lists={lists}", f"balance.target_images={sizes.arm}"]
    lists = base / "entry_lists" if sizes.lists == "starter" else sizes.out / "lists"
    given += [f"{name}={base / name}" for name in ("pairs", "matches", "entry_counts")]
    given.append(f"entry_lists={lists}")
    fixed = FIXED_T.fullmatch(arm)
    given.append(f"balance.t={fixed[1]}" if fixed else f"balance.t={UNTHINNED_T:g}")
    return given if arm == "everything" else [*given, f"balance.max_per_domain={kept}"]


def curate_arms(material: Material, sizes: Sizes, curate: Callable[[list[str]], None]) -> dict[str, dict[str, Any]]:
    """Curate each arm while the image host is up; returns the counts of each, as `arms.json` has them.

    `online` has no run and no counts of its own.
    `curate` runs `headtail curate` with settings. A finished arm takes seconds: headtail finds its tables.
    """
    port = json.loads((sizes.out / MARKER).read_text("utf-8"))["port"]
    if sizes.lists == "names":
        write_lists(material, [sizes.reference], sizes.out / "lists")
    links = {link.path: link for link in make_links(material, sizes)}
    counts: dict[str, dict[str, Any]] = {}
    with PictureHost(material.folder, port):
        for arm in dict.fromkeys("everything" if arm == ONLINE else arm for arm in sizes.chosen_arms):
            given = settings(sizes, arm, counts[BASE]["kept"] if counts else 0)
            say("curate", f"headtail curate {' '.join(given)}")
            curate(given)
            counts[arm] = count_arm(sizes, arm, links)
    (sizes.out / "arms.json").write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    return counts


def count_arm(sizes: Sizes, arm: str, links: dict[str, Link]) -> dict[str, Any]:
    """Count the rows of the tables of an arm, the concepts that its samples show, and the samples with faulty texts.

    `links` has the truth of each path.
    """
    base, run = sizes.out / BASE, sizes.out / arm
    samples = [links[path] for path in _sample_paths(run / "shards")]
    shown = Counter(link.concept for link in samples)
    return {
        "pairs": _rows(base / "pairs"),
        "matched_images": _rows(base / "matches"),
        "kept": _rows(run / "curated"),
        "samples": len(samples),
        "t": ds.dataset(run / "thresholds", format="parquet").to_table(["t"])["t"].to_pylist(),
        "concepts": len(shown),
        "effective_concepts": effective(shown),
        "foreign": sum(link.written not in ("", sizes.reference) for link in samples),
        "wrong": sum(link.kind == "wrong" for link in samples),
        "idle": sum(link.kind == "idle" for link in samples),
    }


def _sample_paths(shards: Path) -> list[str]:
    """Return the path of each sample: side-cars tell their addresses."""
    files = sorted(map(str, shards.glob("*.parquet")))
    urls = ds.dataset(files, format="parquet").to_table(["url"])["url"].to_pylist()
    return [urlsplit(url).path for url in urls]


def effective(counts: Counter[Any]) -> float:
    """Return exp(H), how many concepts there would be if all were equally frequent.

    >>> effective(Counter({"a": 5, "b": 5}))
    2.0
    """
    shares = [count / counts.total() for count in counts.values()]
    return round(math.exp(-sum(share * math.log(share) for share in shares)), 3)


def _rows(table: Path) -> int:
    return ds.dataset(sorted(map(str, table.rglob("*.parquet"))), format="parquet").count_rows()


def command_line(given: list[str]) -> list[str]:
    """Return the command that curates with these settings."""
    return [sys.executable, "-m", "headtail", "curate", *given]
