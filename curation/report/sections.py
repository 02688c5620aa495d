"""The sections of the report's page: each a function from the values of report.json to HTML."""

from collections.abc import Mapping, Sequence

from curation.report.charts import histogram, split_bar
from curation.report.html_tables import (
    BEFORE_AFTER,
    Values,
    bars_of,
    legend,
    maybe,
    reason_of,
    row_of,
    table_of,
    unfold,
)
from curation.report.numbers import byte_size, duration, escape, exact, foreign, number, percent, plural


def funnel(report: Values) -> str:
    """Every stage with its rows in and out, and a reason for each row between."""
    intro = (
        "<p>Each stage counts in the unit that it takes in. What goes in comes out or is dropped for a reason; the "
        "sums are checked whenever a part of a table is written.</p>"
    )
    colours = legend(("after", "went on"), ("drop", "dropped"))
    return intro + colours + "".join(_stage(stage) for stage in report["stages"])


def _stage(stage: Values) -> str:
    taken, given = stage["rows_in"], stage["rows_out"]
    drops = sorted(stage["drops"], key=lambda drop: (-drop["count"], drop["reason"]))
    dropped = sum(drop["count"] for drop in drops)
    most = max((drop["count"] for drop in drops), default=1)
    rows = [
        row_of(
            reason_of(drop["meaning"], drop["reason"]),
            [exact(drop["count"]), percent(drop["count"], taken)],
            bars_of(("lost", drop["count"] / most)),
        )
        for drop in drops
    ]
    table = table_of(["Dropped because", "Count", "Share"], rows, "reasons", last="") if rows else ""
    bar = split_bar([("kept", given)] + [("lost", drop["count"]) for drop in drops])
    return (
        f'<div class="stage"><div><h3>{escape(stage["label"])}</h3><p class="soft small">{escape(stage["does"])}</p>'
        f'</div><div><p class="flow"><span><b>{exact(given)}</b> of {exact(taken)} {escape(stage["unit"])}</span>'
        f'<span>{percent(given, taken)} went on</span></p>{bar}<p class="equation">{taken:,} in = {given:,} out + '
        f'{dropped:,} dropped <span title="checked">✓</span></p>{table}</div></div>'
    )


def languages(report: Values) -> str:
    """Thresholds, matches and what was kept, a row a language."""
    found = report["languages"]
    if not found:
        return "<p>No text matched an entry in this run.</p>"
    most = max(one["texts"] for one in found) or 1
    second = report["second_balance"]
    rows = [
        row_of(
            f'{escape(one["name"])} <code class="soft">{escape(one["lang"])}</code>',
            [
                maybe(one["t"]),
                *([maybe(second["t"].get(one["lang"]))] if second else []),
                "–" if one["tail_share"] is None else f"{one['tail_share'] * 100:.3g}%",
                *(exact(one[key]) for key in ("entries", "entries_matched", "matches", "texts", "texts_kept")),
                percent(one["texts_kept"], one["texts"]),
                exact(one["images_kept"]),
                exact(one["samples"]),
            ],
            bars_of(("before", one["texts"] / most), ("after", one["texts_kept"] / most)),
        )
        for one in found
    ]
    heads = ["Tail share", "Entries", "Those matched", "Matches", "Texts", "Texts kept", "Share"]
    heads = ["Language", *(["t, first pass", "t, second"] if second else ["t"]), *heads, "Images kept", "Samples"]
    table = unfold(
        rows,
        lambda some: table_of(heads, some, "wide even", last="Texts, and those kept"),
        "languages",
    )
    return (
        "<p>A text is matched against the entries of its own language, and each language has its own threshold "
        "<i>t</i>. The tail share is the share of matches that fall on entries below it.</p>"
        f'<div class="scroll">{table}</div>'
    )


def texts(report: Values) -> str:
    """Entries in a text and texts of an image, before and after."""
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
        row_of(
            escape(row["bin"]),
            [exact(row["before"]), exact(row["after"])],
            bars_of(("before", row["before"] / before / highest), ("after", row["after"] / after / highest)),
        )
        for row in rows
    ]
    return table_of([head, "Before", "After"], lines, "pairs", last=f"Share of {unit}")


def images(report: Values) -> str:
    """What came of the downloads, and how large the images are."""
    downloads, sizes = report["downloads"], report["images"]
    tried = downloads["attempted"]
    if not tried:
        return "<p>No images were downloaded in this run.</p>"
    rows = [
        row_of(
            reason_of(row["meaning"], row["status"]) + _codes(row["http"]),
            [exact(row["count"]), percent(row["count"], tried)],
            bars_of(("solid" if row["status"] == "success" else "lost", row["count"] / tried)),
        )
        for row in downloads["statuses"]
    ]
    good = sum(row["count"] for row in downloads["statuses"] if row["status"] == "success")
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
    table = table_of(["Result", "Images", "Share"], rows, "reasons", last="")
    return (
        f"<p>{number(good)} of {number(tried)} images arrived, {byte_size(downloads['bytes'])} in all.</p>"
        f'{table}<div class="quarter">{charts}</div>'
    )


def _codes(http: Mapping[str, int]) -> str:
    """The HTTP status codes behind a status, where there are others than 200."""
    if not http.keys() - {"200"}:
        return ""
    told = ", ".join(f"HTTP {escape(code)}: {count:,}" for code, count in http.items())
    return f'<br><span class="soft">{told}</span>'


def problems(report: Values) -> str:
    """Inputs that could not be read to their ends, and entries that no text can match."""
    failures, never = report["failures"], report["never_matching"]
    if failures["total"]:
        rows = [
            row_of(
                f'<span class="path">{foreign(row["file"], 200)}</span>',
                [maybe(row["offset"]), maybe(row["records_read"])],
                f'<td class="mini">{foreign(row["error"], 200)}</td>',
            )
            for row in failures["rows"]
        ]
        heads = ["File", "At byte", "Records read before"]
        table = unfold(rows, lambda some: table_of(heads, some, "wide", last="What went wrong"), "failures")
        first = f" The first {len(rows)} are listed." if len(rows) < failures["total"] else ""
        said = (
            f"<h3>Places where reading failed: {number(failures['total'])}</h3>"
            f'<p class="soft">What stood before the damage was kept.{first}</p><div class="scroll">{table}</div>'
        )
    else:
        said = "<h3>Files</h3><p>All input files could be read to their ends.</p>"
    if never["total"]:
        rows = [
            row_of(
                escape(row["name"]),
                [exact(row["count"])],
                f'<td class="mini">{", ".join(foreign(entry, 60) for entry in row["examples"])}</td>',
            )
            for row in never["languages"]
        ]
        table = unfold(
            rows, lambda some: table_of(["Language", "Entries"], some, "loose", last="Examples"), "languages"
        )
        said += (
            f"<h3>Entries that can never match: {number(never['total'])}</h3>"
            '<p class="soft">Spacing puts blanks around the marks <code>, . ; : ? ! `</code> '
            f"in every text, so an entry with such a mark close to a word occurs in no spaced text. Such entries are "
            f"reported, not repaired.</p>{table}"
        )
    return said


def run(report: Values) -> str:
    """What the run was: inputs, metadata, versions, seed, times and settings."""
    made = report["run"]
    metadata = made["metadata"]
    facts = {
        "Finished": escape(made["finished"]),
        "Seed": escape(made["seed"]),
        "Inputs": f"{plural(made['inputs']['files'], 'file')}, {byte_size(made['inputs']['bytes'])}",
        "Metadata": f"{plural(metadata['entries'], 'entry', 'entries')} in "
        f"{plural(metadata['languages'], 'language')}, <code>{escape(metadata['id'])}</code>",
        "Versions": ", ".join(f"{escape(name)} {escape(version)}" for name, version in made["versions"].items()),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    rows = [
        row_of(
            escape(stage["label"]),
            [number(stage["parts"]), exact(stage["rows_in"]), exact(stage["rows_out"]), duration(stage["seconds"])],
        )
        for stage in report["stages"]
    ]
    times = table_of(["Stage", "Parts", "Rows in", "Rows out", "Time"], rows)
    settings = "".join(_settings(stage) for stage in report["stages"] if stage["settings"])
    return f'<dl class="facts-list">{listed}</dl>{times}{settings}'


def _settings(stage: Values) -> str:
    rows = "".join(
        f"<dt><code>{escape(key)}</code></dt><dd><code>{foreign(value, 300)}</code></dd>"
        for key, value in stage["settings"].items()
    )
    label = escape(stage["label"].lower())
    return f'<details class="more"><summary>Settings: {label}</summary><dl class="facts-list">{rows}</dl></details>'
