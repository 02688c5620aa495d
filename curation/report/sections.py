"""The sections of the page except balance and samples; each function takes the values of report.json, returns HTML."""

from collections.abc import Mapping, Sequence

from curation.report.charts import histogram, split_bar
from curation.report.html_tables import (
    BEFORE_AFTER,
    Values,
    bar_cell,
    collapsible_table,
    html_table,
    legend,
    number_or_dash,
    reason_html,
    table_row,
)
from curation.report.numbers import byte_size, duration, escape, exact_number, number, percent, plural, web_text


def funnel(report: Values) -> str:
    """Return each stage with its rows in and out and its drop reasons."""
    intro = (
        "<p>Each stage counts in the unit that it takes in. What goes in comes out or is dropped for a reason; the "
        "sums are checked whenever a part of a table is written.</p>"
    )
    colours = legend(("after", "went on"), ("drop", "dropped"))
    return intro + colours + "".join(_stage(stage) for stage in report["stages"])


def _stage(stage: Values) -> str:
    rows_in, rows_out = stage["rows_in"], stage["rows_out"]
    drops = sorted(stage["drops"], key=lambda drop: (-drop["count"], drop["reason"]))
    dropped = sum(drop["count"] for drop in drops)
    largest = max((drop["count"] for drop in drops), default=1)
    rows = [
        table_row(
            reason_html(drop["meaning"], drop["reason"]),
            [exact_number(drop["count"]), percent(drop["count"], rows_in)],
            bar_cell(("lost", drop["count"] / largest)),
        )
        for drop in drops
    ]
    table = html_table(["Dropped because", "Count", "Share"], rows, "reasons", last="") if rows else ""
    bar = split_bar([("kept", rows_out)] + [("lost", drop["count"]) for drop in drops])
    return (
        f'<div class="stage"><div><h3>{escape(stage["label"])}</h3><p class="soft small">{escape(stage["does"])}</p>'
        f'</div><div><p class="flow"><span><b>{exact_number(rows_out)}</b> of {exact_number(rows_in)} '
        f"{escape(stage['unit'])}</span><span>{percent(rows_out, rows_in)} went on</span></p>{bar}"
        f'<p class="equation">{rows_in:,} in = {rows_out:,} out + {dropped:,} dropped '
        f'<span title="checked">✓</span></p>{table}</div></div>'
    )


def languages(report: Values) -> str:
    """Return a table of thresholds, matches and kept texts with a row for each language."""
    shown = report["languages"]
    if not shown:
        return "<p>No text matched an entry in this run.</p>"
    largest = max(language["texts"] for language in shown) or 1
    second = report["second_balance"]
    rows = [
        table_row(
            f'{escape(language["name"])} <code class="soft">{escape(language["lang"])}</code>',
            [
                number_or_dash(language["t"]),
                *([number_or_dash(second["t"].get(language["lang"]))] if second else []),
                "–" if language["tail_share"] is None else f"{language['tail_share'] * 100:.3g}%",
                *(
                    exact_number(language[key])
                    for key in ("entries", "entries_matched", "matches", "texts", "texts_kept")
                ),
                percent(language["texts_kept"], language["texts"]),
                exact_number(language["images_kept"]),
                exact_number(language["samples"]),
            ],
            bar_cell(("before", language["texts"] / largest), ("after", language["texts_kept"] / largest)),
        )
        for language in shown
    ]
    heads = ["Tail share", "Entries", "Those matched", "Matches", "Texts", "Texts kept", "Share"]
    heads = ["Language", *(["t, first pass", "t, second"] if second else ["t"]), *heads, "Images kept", "Samples"]
    table = collapsible_table(
        rows,
        lambda some_rows: html_table(heads, some_rows, "wide even", last="Texts, and those kept"),
        "languages",
    )
    return (
        "<p>A text is matched against the entries of its own language, and each language has its own threshold "
        "<i>t</i>. The tail share is the share of matches that fall on entries below it.</p>"
        f"{_decisions(report)}"
        f'<div class="scroll">{table}</div>'
    )


def _decisions(report: Values) -> str:
    """Return a sentence on how the languages of the pairs were decided, if the careful rule decided them."""
    facts: dict[str, int] = next(
        (stage["facts"] for stage in report["stages"] if stage["stage"] == "extract_pairs"), {}
    )
    counts = {name.partition(".")[2]: count for name, count in facts.items() if name.startswith("lang_by.")}
    if not counts:
        return ""
    words = {
        "model": "the classifier", "script": "their script", "page": "their page", "given": "a column of the source",
        "unknown": "nothing: they are unknown",
    }  # fmt: skip
    total = sum(counts.values())
    told = (f"{percent(counts[by], total)} by {words[by]}" for by in words if by in counts)
    return f"<p>The languages of the {exact_number(total)} pairs were decided: {', '.join(told)}.</p>"


def domains(report: Values) -> str:
    """Return a table of the domains with most kept images: who keeps all of many has texts made for the metadata."""
    shown, counted = report["domains"]["rows"], report["domains"]["counted_share"]
    if not shown:
        return "<p>No image with an address was kept in this run.</p>"
    largest = max(domain["images"] for domain in shown)
    rows = [
        table_row(
            web_text(domain["domain"], 80),
            [
                exact_number(domain["images"]),
                exact_number(domain["images_kept"]),
                percent(domain["images_kept"], domain["images"]),
            ],
            bar_cell(("before", domain["images"] / largest), ("after", domain["images_kept"] / largest)),
        )
        for domain in shown
    ]
    table = html_table(["Domain", "Images", "Images kept", "Share"], rows, "even", last="Images, and those kept")
    sampled = "" if counted == 1 else f" The numbers are estimates from {percent(counted, 1)} of the images."
    return (
        f"<p>The {plural(len(shown), 'domain')} with most kept images, and the share of their matched images that was "
        "kept. A large domain of which much more is kept than of others may have written its texts to match rare "
        f"entries: <code>balance.max_per_domain</code> limits what it gives.{sampled}</p>"
        f'<div class="scroll">{table}</div>'
    )


def texts(report: Values) -> str:
    """Return how many entries texts match and how many texts images have, before and after balancing."""
    return (
        "<p>How many entries a text matches, and how many matched texts an image has: all of them before, those that "
        f'were kept after.</p>{BEFORE_AFTER}<div class="beside">'
        f"<div><h3>Entries in a text</h3>{_shares(report['entries_per_text'], 'Entries', 'texts')}</div>"
        f"<div><h3>Matched texts of an image</h3>{_shares(report['texts_per_image'], 'Texts', 'images')}</div></div>"
    )


def _shares(rows: Sequence[Values], head: str, unit: str) -> str:
    before, after = (sum(row[key] for row in rows) or 1 for key in ("before", "after"))
    highest = max((share for row in rows for share in (row["before"] / before, row["after"] / after)), default=0) or 1
    lines = [
        table_row(
            escape(row["bin"]),
            [exact_number(row["before"]), exact_number(row["after"])],
            bar_cell(("before", row["before"] / before / highest), ("after", row["after"] / after / highest)),
        )
        for row in rows
    ]
    return html_table([head, "Before", "After"], lines, "pairs", last=f"Share of {unit}")


def images(report: Values) -> str:
    """Return the download statuses and the histograms of image sizes."""
    downloads, sizes = report["downloads"], report["images"]
    attempted = downloads["attempted"]
    if not attempted:
        return "<p>No images were downloaded in this run.</p>"
    rows = [
        table_row(
            reason_html(row["meaning"], row["status"]) + _codes(row["http"]),
            [exact_number(row["count"]), percent(row["count"], attempted)],
            bar_cell(("solid" if row["status"] == "success" else "lost", row["count"] / attempted)),
        )
        for row in downloads["statuses"]
    ]
    arrived = sum(row["count"] for row in downloads["statuses"] if row["status"] == "success")
    charts = "".join(
        f"<div><h3>{title}</h3>{histogram(sizes[key], f'{title} of images in the shards', show)}</div>"
        for title, key, show in (
            ("Width, pixels", "width", number),
            ("Height, pixels", "height", number),
            ("Width ÷ height", "aspect", number),
            ("File size", "bytes", byte_size),
        )
        if sizes[key]["counts"]
    )
    table = html_table(["Result", "Images", "Share"], rows, "reasons", last="")
    return (
        f"<p>{number(arrived)} of {number(attempted)} images arrived, {byte_size(downloads['bytes'])} in all.</p>"
        f'{table}<div class="quarter">{charts}</div>'
    )


def _codes(http: Mapping[str, int]) -> str:
    """The counts of HTTP status codes of a download status; nothing if 200 is the only code."""
    if not http.keys() - {"200"}:
        return ""
    counts = ", ".join(f"HTTP {escape(code)}: {count:,}" for code, count in http.items())
    return f'<br><span class="soft">{counts}</span>'


def problems(report: Values) -> str:
    """Return the inputs that could not be read to their end, and the entries that no text can match."""
    failures, never = report["failures"], report["never_matching"]
    if failures["total"]:
        rows = [
            table_row(
                f'<span class="path">{web_text(row["file"], 200)}</span>',
                [number_or_dash(row["offset"]), number_or_dash(row["records_read"])],
                f'<td class="mini">{web_text(row["error"], 200)}</td>',
            )
            for row in failures["rows"]
        ]
        heads = ["File", "At byte", "Records read before"]
        table = collapsible_table(
            rows, lambda some_rows: html_table(heads, some_rows, "wide", last="What went wrong"), "failures"
        )
        first = f" The first {len(rows)} are listed." if len(rows) < failures["total"] else ""
        parts = (
            f"<h3>Places where reading failed: {number(failures['total'])}</h3>"
            f'<p class="soft">What stood before the damage was kept.{first}</p><div class="scroll">{table}</div>'
        )
    else:
        parts = "<h3>Files</h3><p>All input files could be read to their ends.</p>"
    if never["total"]:
        rows = [
            table_row(
                escape(row["name"]),
                [exact_number(row["count"])],
                f'<td class="mini">{", ".join(web_text(entry, 60) for entry in row["examples"])}</td>',
            )
            for row in never["languages"]
        ]
        table = collapsible_table(
            rows,
            lambda some_rows: html_table(["Language", "Entries"], some_rows, "loose", last="Examples"),
            "languages",
        )
        parts += (
            f"<h3>Entries that can never match: {number(never['total'])}</h3>"
            '<p class="soft">Spacing puts blanks around the marks <code>, . ; : ? ! `</code> '
            f"in every text, so an entry with such a mark close to a word occurs in no spaced text. Such entries are "
            f"reported, not repaired.</p>{table}"
        )
    return parts


def run(report: Values) -> str:
    """Return the facts of the run: inputs, metadata, versions, seed, times and settings."""
    facts = report["run"]
    metadata = facts["metadata"]
    listed = {
        "Finished": escape(facts["finished"]),
        "Seed": "drawn, and kept in the folder of the run" if facts["seed"] is None else escape(facts["seed"]),
        "Inputs": f"{plural(facts['inputs']['files'], 'file')}, {byte_size(facts['inputs']['bytes'])}",
        "Metadata": f"{plural(metadata['entries'], 'entry', 'entries')} in "
        f"{plural(metadata['languages'], 'language')}, <code>{escape(metadata['id'])}</code>",
        "Versions": ", ".join(f"{escape(name)} {escape(version)}" for name, version in facts["versions"].items()),
    }
    terms = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in listed.items())
    rows = [
        table_row(
            escape(stage["label"]),
            [
                number(stage["parts"]),
                exact_number(stage["rows_in"]),
                exact_number(stage["rows_out"]),
                duration(stage["seconds"]),
            ],
        )
        for stage in report["stages"]
    ]
    times = html_table(["Stage", "Parts", "Rows in", "Rows out", "Time"], rows)
    settings = "".join(_settings(stage) for stage in report["stages"] if stage["settings"])
    return f'<dl class="facts-list">{terms}</dl>{times}{settings}'


def _settings(stage: Values) -> str:
    rows = "".join(
        f"<dt><code>{escape(key)}</code></dt><dd><code>{web_text(value, 300)}</code></dd>"
        for key, value in stage["settings"].items()
    )
    label = escape(stage["label"].lower())
    return f'<details class="more"><summary>Settings: {label}</summary><dl class="facts-list">{rows}</dl></details>'
