"""A web in all languages, and how well curation tells them apart, matches and balances each: no picture is fetched."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.dataset as ds

from curation.core.progress import say
from tests.evidence.material import Material, write_lists
from tests.evidence.sizes import Sizes
from tests.evidence.web import CRAWL, make_links, make_web

TAIL_SHARE = 0.3
FOLDER = "languages"


def curate_languages(material: Material, sizes: Sizes, curate: Callable[[list[str]], None]) -> str:
    """Curate a web with as many pages in each language; returns the table, in Markdown."""
    languages = sizes.chosen_languages(material)
    sizes = replace(sizes, out=sizes.out / FOLDER, english=1 / len(languages), spread=0.0)
    make_web(material, sizes, sizes.out, sizes.port)
    write_lists(material, languages, sizes.out / "lists")
    given = [
        f"output={sizes.out / 'run'}",
        f"source.paths={sizes.out / 'wat'}",
        f"source.crawl={CRAWL}",
        "urls.allow_private_hosts=127.0.0.1/32",
        f"entry_lists={sizes.out / 'lists'}",
        f"balance.tail_share={TAIL_SHARE}",
        f"balance.reference={sizes.reference}",
        "download_images=false",
        "buckets=4",
        f"seed={sizes.seed}",
    ]
    say("languages", f"headtail curate {' '.join(given)}")
    curate(given)
    spoken = {link.path: link.lang for link in make_links(material, sizes) if link.written == link.lang}
    rows = measure(sizes.out / "run", spoken)
    (sizes.out / "languages.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    return markdown(rows)


def measure(run: Path, spoken: dict[str, str]) -> list[dict[str, Any]]:
    """Return a row of each language of the truth, with what the tables of a run say of it.

    `spoken` has the language of each address; addresses that it lacks are left out.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    taken: Counter[str] = Counter()
    for url, lang in _columns(run / "pairs", "url", "lang"):
        true = spoken.get(urlsplit(url).path)
        if true is not None:
            found[true][lang] += 1
            taken[lang] += 1
    matched, kept = Counter[str](), Counter[str]()
    for url, texts in _columns(run / "matches", "url", "texts"):
        if (true := spoken.get(urlsplit(url).path)) is not None:
            matched[true] += any(text["lang"] == true for text in texts)
    for url, lang in _columns(run / "curated", "url", "lang"):
        if (true := spoken.get(urlsplit(url).path)) is not None:
            kept[true] += lang == true
    limits = {lang: values for lang, *values in _columns(run / "thresholds", "lang", "t", "tail_share", "entries")}
    rows = []
    for true in sorted(found):
        t, tail_share, entries = limits.get(true, (None, None, 0))
        rows.append(
            {
                "lang": true,
                "texts": found[true].total(),
                "detected": found[true][true],
                "right_of_its_list": found[true][true] / taken[true] if taken[true] else None,
                "most_mistaken_for": next((lang for lang, _ in found[true].most_common(2) if lang != true), ""),
                "matched": matched[true],
                "entries": entries,
                "t": t,
                "tail_share": tail_share,
                "kept": kept[true],
            }
        )
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table, in Markdown, the last row the sums and means."""

    def share(part: float, whole: float) -> str:
        return f"{part / whole:.1%}" if whole else ""

    head = ["language", "texts", "detected", "right on its list", "most often taken for", "matched", "entries",
            "t", "tail share", "kept of the matched"]  # fmt: skip
    total = {name: sum(row[name] for row in rows) for name in ("texts", "detected", "matched", "kept", "entries")}
    lines = [
        head,
        ["---", "--:", "--:", "--:", "---", *["--:"] * 5],
        *(
            [
                f"`{row['lang']}`",
                f"{row['texts']:,}",
                share(row["detected"], row["texts"]),
                "" if row["right_of_its_list"] is None else f"{row['right_of_its_list']:.1%}",
                f"`{row['most_mistaken_for']}`" if row["most_mistaken_for"] else "",
                share(row["matched"], row["texts"]),
                f"{row['entries']:,}",
                "" if row["t"] is None else f"{row['t']:g}",
                "" if row["tail_share"] is None else f"{row['tail_share']:.1%}",
                share(row["kept"], row["matched"]),
            ]
            for row in rows
        ),
        [
            f"all {len(rows)}",
            f"{total['texts']:,}",
            share(total["detected"], total["texts"]),
            "",
            "",
            share(total["matched"], total["texts"]),
            f"{total['entries']:,}",
            "",
            "",
            share(total["kept"], total["matched"]),
        ],
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(table: Path, *names: str) -> list[tuple[Any, ...]]:
    files = sorted(map(str, table.rglob("*.parquet")))
    read = ds.dataset(files, format="parquet").to_table(list(names))
    return list(zip(*(read[name].to_pylist() for name in names), strict=True))
