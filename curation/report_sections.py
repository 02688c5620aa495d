"""The sections of the report's page: each a function from the values of report.json to HTML."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from curation.charts import (
    Line,
    byte_size,
    curves,
    duration,
    escape,
    exact,
    foreign,
    histogram,
    number,
    percent,
    plural,
    split_bar,
)

Values = dict[str, Any]
_MANY = 15
"""Rows of a table that are shown at once; the rest unfolds."""


def _legend(*items: tuple[str, str]) -> str:
    keys = "".join(f'<span><i class="key {kind}"></i>{word}</span>' for kind, word in items)
    return f'<p class="legend">{keys}</p>'


BEFORE_AFTER = _legend(("before", "before balancing"), ("after", "after balancing"))


def _row(name: str, numbers: Sequence[str], last: str = "") -> str:
    """A table row: a header cell, cells of numbers, and a last cell where there is one (all HTML)."""
    cells = "".join(f'<td class="num">{value}</td>' for value in numbers)
    return f'<tr><th scope="row">{name}</th>{cells}{last}</tr>'


def _table(heads: Sequence[str], rows: Iterable[str], kind: str = "", last: str | None = None) -> str:
    """A table whose columns after the first hold numbers, but for a `last` one."""
    cells = "".join(f'<th scope="col"{" class=num" if index else ""}>{head}</th>' for index, head in enumerate(heads))
    if last is not None:
        cells += f'<th scope="col" class="mini">{last}</th>'
    return f'<table class="{kind}"><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _unfold(rows: Sequence[str], table: Callable[[Sequence[str]], str], noun: str) -> str:
    """A table of the first rows, and one of the others behind a line to click."""
    if len(rows) <= _MANY + 3:
        return table(rows)
    rest = table(rows[_MANY:])
    more = f"<summary>{number(len(rows) - _MANY)} more {noun}</summary>"
    return f'{table(rows[:_MANY])}<details class="more">{more}{rest}</details>'


def _bars(*parts: tuple[str, float], mark: float | None = None) -> str:
    """A cell with bars of (class, share of the width) over one another, and a mark at a share of the width."""
    bars = "".join(f'<i class="{kind}" style="width:{share * 100:.4g}%"></i>' for kind, share in parts if share)
    if mark is not None and mark <= 1:
        bars += f'<i class="mark" style="left:{mark * 100:.4g}%"></i>'
    return f'<td class="mini"><span class="meter" aria-hidden="true">{bars}</span></td>'


def _reason(meaning: str, reason: str) -> str:
    return f"{escape(meaning)} <code>{escape(reason)}</code>"


def _maybe(value: float | None) -> str:
    return "–" if value is None else number(round(value, 2))


def funnel(report: Values) -> str:
    """Every stage with its rows in and out, and a reason for each row between."""
    intro = (
        "<p>Each stage counts in the unit that it takes in. What goes in comes out or is dropped for a reason; the "
        "sums are checked whenever a part of a table is written.</p>"
    )
    legend = _legend(("after", "went on"), ("drop", "dropped"))
    return intro + legend + "".join(_stage(stage) for stage in report["stages"])


def _stage(stage: Values) -> str:
    taken, given = stage["rows_in"], stage["rows_out"]
    drops = sorted(stage["drops"], key=lambda drop: (-drop["count"], drop["reason"]))
    dropped = sum(drop["count"] for drop in drops)
    most = max((drop["count"] for drop in drops), default=1)
    rows = [
        _row(
            _reason(drop["meaning"], drop["reason"]),
            [exact(drop["count"]), percent(drop["count"], taken)],
            _bars(("lost", drop["count"] / most)),
        )
        for drop in drops
    ]
    table = _table(["Dropped because", "Count", "Share"], rows, "reasons", last="") if rows else ""
    bar = split_bar([("kept", given)] + [("lost", drop["count"]) for drop in drops])
    return (
        f'<div class="stage"><div><h3>{escape(stage["label"])}</h3><p class="soft small">{escape(stage["does"])}</p>'
        f'</div><div><p class="flow"><span><b>{exact(given)}</b> of {exact(taken)} {escape(stage["unit"])}</span>'
        f'<span>{percent(given, taken)} went on</span></p>{bar}<p class="equation">{taken:,} in = {given:,} out + '
        f'{dropped:,} dropped <span title="checked">✓</span></p>{table}</div></div>'
    )


def balance(report: Values) -> str:
    """The cumulative curve and the most frequent entries, before and after, a tab a language."""
    entries = report["entries"]
    if not entries:
        return "<p>No text matched an entry in this run.</p>"
    intro = (
        "<p>Left to itself, a crawl is about a few thousand things. Balancing caps what each entry of the metadata "
        "contributes: a text is drawn once for every entry it holds, with probability <i>t</i> over the entry’s count. "
        "Texts with an entry below <i>t</i>, the tail, are all kept.</p>"
    )
    numbered = list(enumerate(entries))
    inputs = "".join(
        f'<input type="radio" name="language" id="tab-{index}"{"" if index else " checked"}>' for index, _ in numbered
    )
    labels = "".join(f'<label for="tab-{index}">{escape(one["name"])}</label>' for index, one in numbered)
    panels = "".join(f'<div class="panel panel-{index}">{_language(one)}</div>' for index, one in numbered)
    others = sum(1 for one in report["languages"] if one["matches"]) - len(entries)
    more = f'<p class="small soft">{plural(others, "smaller language")} in the table below.</p>' if others > 0 else ""
    return f'{intro}<div class="tabs">{inputs}<div class="choice">{labels}</div>{panels}</div>{more}'


def tab_rules(count: int) -> str:
    """The style rules that show the panel whose tab is chosen."""
    chosen = "background:var(--ink);border-color:var(--ink);color:var(--paper)"
    return "".join(
        f"#tab-{index}:checked~.panel-{index}{{display:block}}"
        f'#tab-{index}:checked~.choice label[for="tab-{index}"]{{{chosen}}}'
        f'#tab-{index}:focus-visible~.choice label[for="tab-{index}"]{{outline:2px solid var(--after)}}'
        for index in range(count)
    )


def _language(language: Values) -> str:
    curve, t, name = language["curve"], language["t"], escape(language["name"])
    before, after = language["matches_before"], language["matches_after"]
    top = language["top_before"]
    chart = curves(
        curve["entries"],
        Line("before", "before", curve["before"]),
        Line("after", "after", curve["after"]),
        f"Cumulative matches of {language['name']} entries from the rarest to the most frequent: {before:,} before "
        f"balancing, {after:,} after",
        None if t is None else curve["threshold"],
        "" if t is None else f"t = {number(round(t, 2))}<br>tail | head",
    )
    share_before = percent(sum(entry["before"] for entry in top), before)
    share_after = percent(sum(entry["after"] for entry in top), after)
    tables = "".join(
        f"<div><h3>{title}</h3>{_entries(language[key], shown, t)}</div>"
        for title, key, shown in (
            ("Most frequent before", "top_before", ("before", "after")),
            ("Most frequent after", "top_after", ("solid",)),
        )
    )
    return (
        f"<h3>Cumulative matches, rarest entry to most frequent</h3>{BEFORE_AFTER}{chart}"
        '<p class="axis">entries, ordered by their count before balancing →</p>'
        f"<p>The {len(top)} most frequent of {number(language['entries_matched'])} matched {name} entries held "
        f'{share_before} of all matches before balancing and {share_after} after.</p><div class="beside">{tables}</div>'
    )


def _entries(entries: Sequence[Values], shown: Sequence[str], t: float | None) -> str:
    bars = [(kind, "after" if kind == "solid" else kind) for kind in shown]
    highest = max((entry[key] for entry in entries for _, key in bars), default=1) or 1
    rows = [
        _row(
            foreign(entry["entry"], 40),
            [exact(entry["before"]), exact(entry["after"])],
            _bars(*((kind, entry[key] / highest) for kind, key in bars), mark=None if t is None else t / highest),
        )
        for entry in entries
    ]
    return _table(["Entry", "Before", "After"], rows, "pairs", last="")


def samples(report: Values) -> str:
    """A few of the samples with all their texts."""
    shown = report["samples"]
    if not shown:
        return "<p>This run wrote no samples.</p>"
    return (
        f"<p>{len(shown)} of {number(report['overview'][-1]['count'])} samples, drawn by a keyed hash of their ids, so "
        "that the same seed shows the same ones. p is the probability with which balancing kept the image.</p>"
        f'<div class="samples">{"".join(_sample(sample) for sample in shown)}</div>'
    )


def _sample(sample: Values) -> str:
    size = f"{int(sample['width'])} × {int(sample['height'])}"
    texts = "".join(
        f'<li><p dir="auto">{foreign(text["text"])}</p><p class="soft">{escape(text["lang"])} · '
        f"p = {_probability(text)} · {_fate(text, sample)} · "
        f"{', '.join(foreign(entry, 60) for entry in text['entries'])}</p></li>"
        for text in sample["texts"]
    )
    return (
        f'<figure class="sample"><div class="frame"><img src="{picture(sample["thumbnail"])}" alt=""></div><figcaption>'
        f'<p class="caption" dir="auto">{foreign(sample["text"])}</p>'
        f'<p class="facts"><span>{escape(sample["lang"])}</span>'
        f"<span>p = {_probability(sample)}</span><span>{size}</span></p>"
        f"<details><summary>{plural(len(sample['texts']), 'matched text')}</summary><ul>{texts}</ul>"
        f'<p class="path">{_link(sample["url"])}</p></details></figcaption></figure>'
    )


def _fate(text: Values, sample: Values) -> str:
    if not text["kept"]:
        return "not drawn"
    return "<b>chosen</b>" if (text["text"], text["lang"]) == (sample["text"], sample["lang"]) else "kept"


def _probability(row: Values) -> str:
    return number(round(row["keep_probability"], 3))


def picture(thumbnail: str) -> str:
    """The address of a thumbnail, which is a data: image or nothing."""
    return escape(thumbnail) if thumbnail.startswith("data:image/") else "data:,"


def _link(url: str) -> str:
    """A URL as a link if a browser may safely follow it, else as text."""
    try:
        safe = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        safe = False
    text = foreign(url, 200)
    return f'<a href="{escape(url)}" rel="noreferrer noopener nofollow">{text}</a>' if safe else text


def languages(report: Values) -> str:
    """Thresholds, matches and what was kept, a row a language."""
    found = report["languages"]
    if not found:
        return "<p>No text matched an entry in this run.</p>"
    most = max(one["texts"] for one in found) or 1
    rows = [
        _row(
            f'{escape(one["name"])} <code class="soft">{escape(one["lang"])}</code>',
            [
                _maybe(one["t"]),
                "–" if one["tail_share"] is None else f"{one['tail_share'] * 100:.3g}%",
                *(exact(one[key]) for key in ("entries", "entries_matched", "matches", "texts", "texts_kept")),
                percent(one["texts_kept"], one["texts"]),
                exact(one["images_kept"]),
                exact(one["samples"]),
            ],
            _bars(("before", one["texts"] / most), ("after", one["texts_kept"] / most)),
        )
        for one in found
    ]
    heads = ["Language", "t", "Tail share", "Entries", "Those matched", "Matches", "Texts", "Texts kept", "Share"]
    table = _unfold(
        rows,
        lambda some: _table([*heads, "Images kept", "Samples"], some, "wide even", last="Texts, and those kept"),
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
        _row(
            escape(row["bin"]),
            [exact(row["before"]), exact(row["after"])],
            _bars(("before", row["before"] / before / highest), ("after", row["after"] / after / highest)),
        )
        for row in rows
    ]
    return _table([head, "Before", "After"], lines, "pairs", last=f"Share of {unit}")


def images(report: Values) -> str:
    """What came of the downloads, and how large the images are."""
    downloads, sizes = report["downloads"], report["images"]
    tried = downloads["attempted"]
    if not tried:
        return "<p>No images were downloaded in this run.</p>"
    rows = [
        _row(
            _reason(row["meaning"], row["status"]) + _codes(row["http"]),
            [exact(row["count"]), percent(row["count"], tried)],
            _bars(("solid" if row["status"] == "success" else "lost", row["count"] / tried)),
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
    table = _table(["Result", "Images", "Share"], rows, "reasons", last="")
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
            _row(
                f'<span class="path">{foreign(row["file"], 200)}</span>',
                [_maybe(row["offset"]), _maybe(row["records_read"])],
                f'<td class="mini">{foreign(row["error"], 200)}</td>',
            )
            for row in failures["rows"]
        ]
        heads = ["File", "At byte", "Records read before"]
        table = _unfold(rows, lambda some: _table(heads, some, "wide", last="What went wrong"), "failures")
        said = (
            f"<h3>Places where reading failed: {number(failures['total'])}</h3>"
            f'<p class="soft">What stood before the damage was kept.</p><div class="scroll">{table}</div>'
        )
    else:
        said = "<h3>Files</h3><p>All input files could be read to their ends.</p>"
    if never["total"]:
        rows = [
            _row(
                escape(row["name"]),
                [exact(row["count"])],
                f'<td class="mini">{", ".join(foreign(entry, 60) for entry in row["examples"])}</td>',
            )
            for row in never["languages"]
        ]
        table = _unfold(rows, lambda some: _table(["Language", "Entries"], some, "loose", last="Examples"), "languages")
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
        _row(
            escape(stage["label"]),
            [number(stage["parts"]), exact(stage["rows_in"]), exact(stage["rows_out"]), duration(stage["seconds"])],
        )
        for stage in report["stages"]
    ]
    times = _table(["Stage", "Parts", "Rows in", "Rows out", "Time"], rows)
    settings = "".join(_settings(stage) for stage in report["stages"] if stage["settings"])
    return f'<dl class="facts-list">{listed}</dl>{times}{settings}'


def _settings(stage: Values) -> str:
    rows = "".join(
        f"<dt><code>{escape(key)}</code></dt><dd><code>{foreign(value, 300)}</code></dd>"
        for key, value in stage["settings"].items()
    )
    label = escape(stage["label"].lower())
    return f'<details class="more"><summary>Settings: {label}</summary><dl class="facts-list">{rows}</dl></details>'
