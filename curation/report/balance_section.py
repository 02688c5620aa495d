"""The sections Balance and Samples of the page, as HTML."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from curation.report.charts import Line, curves
from curation.report.html_tables import BEFORE_AFTER, Values, bar_cell, html_table, table_row
from curation.report.numbers import byte_size, escape, exact_number, number, percent, plural, web_text


def balance(report: Values) -> str:
    """Return the cumulative curves and the most frequent entries before and after, with a tab for each language."""
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
    labels = "".join(f'<label for="tab-{index}">{escape(language["name"])}</label>' for index, language in numbered)
    panels = "".join(f'<div class="panel panel-{index}">{_language(language)}</div>' for index, language in numbered)
    others = sum(1 for language in report["languages"] if language["matches"]) - len(entries)
    more = f'<p class="small soft">{plural(others, "smaller language")} in the table below.</p>' if others > 0 else ""
    second = _second_balance(report["second_balance"])
    return f'{intro}{second}<div class="tabs">{inputs}<div class="choice">{labels}</div>{panels}</div>{more}'


def _second_balance(second: Values | None) -> str:
    if not second:
        return ""
    missing, headroom = second["missing_share"], second["sufficient_headroom"]
    raised = "" if headroom is None else ", with a <i>t</i> raised for the losses of the download"
    advice = f"; a headroom of {number(headroom)} would have kept it" if headroom and missing >= 0.001 else ""
    return (
        f"<p>What is shown here is the first pass{raised}. Afterwards the images were balanced again, in the counts of "
        f"what arrived. The first pass had thrown away {percent(missing, 1)} of what the second wanted{advice}.</p>"
    )


def tab_rules(count: int) -> str:
    """Return the CSS that shows the panel of the chosen tab."""
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
        table_row(
            web_text(entry["entry"], 40),
            [exact_number(entry["before"]), exact_number(entry["after"])],
            bar_cell(*((kind, entry[key] / highest) for kind, key in bars), mark=None if t is None else t / highest),
        )
        for entry in entries
    ]
    return html_table(["Entry", "Before", "After"], rows, "pairs", last="")


def samples(report: Values) -> str:
    """Return some samples with all their matched texts, and the command that trains on the shards."""
    shown = report["samples"]
    if not shown:
        return "<p>This run wrote no samples.</p>"
    written = report["shards"]
    where = (
        f"<p>The samples are in {plural(written['count'], 'shard')}, {byte_size(written['bytes'])}, in "
        f'<span class="path">{web_text(written["path"])}</span>. This trains OpenCLIP on them, from the '
        "folder of the run:</p>"
        f'<pre class="path">{escape(written["command"])}</pre>'
    )
    return (
        f"<p>{len(shown)} of {number(report['overview'][-1]['count'])} samples, drawn by a keyed hash of their ids, so "
        "that the same seed shows the same ones. p is the probability with which balancing kept the image.</p>"
        f'<div class="samples">{"".join(_sample(sample) for sample in shown)}</div>{where}'
    )


def _sample(sample: Values) -> str:
    size = f"{int(sample['width'])} × {int(sample['height'])}"
    texts = "".join(
        f'<li><p dir="auto">{web_text(text["text"])}</p><p class="soft">{escape(text["lang"])} · '
        f"p = {_probability(text)} · {_outcome(text, sample)} · "
        f"{', '.join(web_text(entry, 60) for entry in text['entries'])}</p></li>"
        for text in sample["texts"]
    )
    return (
        f'<figure class="sample"><div class="frame"><img src="{picture(sample["thumbnail"])}" alt=""></div><figcaption>'
        f'<p class="caption" dir="auto">{web_text(sample["text"])}</p>'
        f'<p class="facts"><span>{escape(sample["lang"])}</span>'
        f"<span>p = {_probability(sample)}</span><span>{size}</span></p>"
        f"<details><summary>{plural(len(sample['texts']), 'matched text')}</summary><ul>{texts}</ul>"
        f'<p class="path">{_link(sample["url"])}</p></details></figcaption></figure>'
    )


def _outcome(text: Values, sample: Values) -> str:
    if not text["kept"]:
        return "not drawn"
    return "<b>chosen</b>" if (text["text"], text["lang"]) == (sample["text"], sample["lang"]) else "kept"


def _probability(row: Values) -> str:
    return number(round(row["keep_probability"], 3))


def picture(thumbnail: str) -> str:
    """Return the src of a thumbnail: a data: image, or an empty one for any other address."""
    return escape(thumbnail) if thumbnail.startswith("data:image/") else "data:,"


def _link(url: str) -> str:
    """A link if the URL has the scheme http or https, else the URL as text."""
    try:
        safe = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        safe = False
    text = web_text(url, 200)
    return f'<a href="{escape(url)}" rel="noreferrer noopener nofollow">{text}</a>' if safe else text
