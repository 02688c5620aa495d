"""Pictures found by their names, and named, in ten languages: models of English alone, and of all languages.

Meta CLIP 2's ablation (arXiv 2507.22062) in small. Three sets of the same size are curated of one web:

- `english`: the texts that go to the list of the reference language.
- `one_t`: all languages, each with the t of the reference.
- `t_per_language`: all languages, each with the t at which its tail has the share that the reference's has.

The entry lists are the names and keywords of the material.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pyarrow.dataset as ds

from curation.core.progress import say
from tests.evidence.arms import effective
from tests.evidence.host import PictureHost
from tests.evidence.material import Material, write_lists
from tests.evidence.outcome import Figure, compare, figure
from tests.evidence.sizes import Sizes
from tests.evidence.trainings import Arm, Exams, Marks, train_arms
from tests.evidence.web import CRAWL, Link, make_links, make_web

FOLDER = "retrieval"
LANGUAGES = 10
"""Languages of the exam: the reference, and the largest others of the web."""
TEMPLATES = ("{name}",)
TITLES = {"english": "English only", "one_t": "all, one t", "t_per_language": "all, t per language"}
GOALS = {"top1": "named", "found": "found"}


def settings(sizes: Sizes, arm: str) -> list[str]:
    """Return the settings of `headtail curate` for an arm."""
    given = [
        f"output={sizes.out / arm}",
        f"source.paths={sizes.out / 'wat'}",
        f"source.crawl={CRAWL}",
        "urls.allow_private_hosts=127.0.0.1/32",  # the image host is this machine
        f"entry_lists={sizes.out / 'lists'}",
        f"balance.reference={sizes.reference}",
        f"balance.target_images={sizes.arm}",
        "download.size=64",
        "buckets=4",
        "samples_per_shard=1000",
        f"seed={sizes.seed}",
    ]
    if arm == "english":
        return [*given, f"languages={sizes.reference}"]
    return [*given, f"balance.others={'same_t' if arm == 'one_t' else 'tail_share'}"]


def curate_sets(material: Material, sizes: Sizes, curate: Callable[[list[str]], None]) -> dict[str, dict[str, Any]]:
    """Make the web of `sizes`, and curate the three sets; returns what each holds, as `sets.json` has it."""
    port = make_web(material, sizes, sizes.out, sizes.port)["port"]
    write_lists(material, sizes.chosen_languages(material), sizes.out / "lists")
    links = {link.path: link for link in make_links(material, sizes)}
    counts = {}
    with PictureHost(material.folder, port):
        for arm in TITLES:
            given = settings(sizes, arm)
            say("curate", f"headtail curate {' '.join(given)}")
            curate(given)
            counts[arm] = _count(sizes, arm, links)
    (sizes.out / "sets.json").write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    return counts


def _count(sizes: Sizes, arm: str, links: dict[str, Link]) -> dict[str, Any]:
    """Count samples, the concepts that they show, and by the truth the languages that their texts are written in."""
    files = sorted(map(str, (sizes.out / arm / "shards").glob("*.parquet")))
    urls = ds.dataset(files, format="parquet").to_table(["url"])["url"].to_pylist()
    samples = [links[urlsplit(url).path] for url in urls]
    limits = ds.dataset(sizes.out / arm / "thresholds", format="parquet").to_table(["lang", "t"])
    return {
        "samples": len(samples),
        "effective_concepts": effective(Counter(link.concept for link in samples)),
        "written": dict(sorted(Counter(link.written for link in samples).items())),
        "t": dict(zip(limits["lang"].to_pylist(), limits["t"].to_pylist(), strict=True)),
    }


def retrieve(material: Material, sizes: Sizes, curate: Callable[[list[str]], None]) -> str:
    """Curate, train and examine what is not finished; returns both tables, in Markdown."""
    sizes = replace(sizes, out=sizes.out / FOLDER)
    counts = curate_sets(material, sizes, curate)
    languages = sizes.chosen_languages(material)[:LANGUAGES]
    exams: Exams = dict.fromkeys(languages, TEMPLATES)
    results = train_arms(material, sizes, [Arm(arm, sizes.out / arm / "shards") for arm in TITLES], exams)
    return f"{sets_table(counts, languages)}\n\n{retrieval_table(results)}"


def sets_table(counts: dict[str, dict[str, Any]], languages: list[str]) -> str:
    """Return the samples of each set by the language of their texts, and the thresholds, in Markdown."""
    lines = [["set", "samples", "effective concepts", *(f"`{lang}`" for lang in languages), "other"]]
    lines.append(["---", *["--:"] * (len(languages) + 3)])
    for arm, count in counts.items():
        written = [count["written"].get(lang, 0) for lang in languages]
        told = [f"{each:,}" for each in (*written, count["samples"] - sum(written))]
        lines.append([TITLES[arm], f"{count['samples']:,}", f"{count['effective_concepts']:,.0f}", *told])
        thresholds = [f"{count['t'][lang]:.3g}" if lang in count["t"] else "" for lang in languages]
        lines.append(["its t", "", "", *thresholds, ""])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def retrieval_table(results: dict[str, list[Marks]]) -> str:
    """Return the shares of pictures that are named and of names whose picture is found, in Markdown.

    A row for each language, then the mean of all but the first. The last column compares the two sets of all languages
    where the pictures are named.
    """
    languages = list(results["english"][0])
    first, others = languages[0], languages[1:]
    columns = [(goal, arm) for goal in GOALS for arm in TITLES]
    lines = [
        ["language", *(f"{GOALS[goal]}: {TITLES[arm]}" for goal, arm in columns), "named: t per language less one"]
    ]
    lines.append(["---", *["--:"] * (len(columns) + 1)])
    rows = [(f"`{lang}`", [lang]) for lang in languages]
    for name, langs in [*rows, (f"all but `{first}`", others)] if others else rows:
        found = {column: _mean(results[column[1]], langs, column[0]) for column in columns}
        better = compare(found["top1", "t_per_language"], found["top1", "one_t"])
        lines.append([name, *map(str, found.values()), better])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mean(models: list[Marks], languages: list[str], goal: str) -> Figure:
    """Return the mean over concepts and languages, with its deviation over the models."""
    return figure([statistics.mean(statistics.mean(marks[lang][goal]) for lang in languages) for marks in models])
