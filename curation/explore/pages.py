"""The pages of `headtail explore`: overview, entries, an entry's images, images of a filter, one image.

HTML comes from the templates beside this module, which escape every value. There are no scripts.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from flask import Flask, Response, abort, render_template, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.schemas import CURATED, DOWNLOAD_STATUS, MATCHES, SAMPLES
from curation.explore.explored_run import SUCCESS, ExploredRun, ImageState, Sample, files_of
from curation.explore.guard import guard
from curation.explore.language_entries import Band
from curation.explore.pictures import image_bytes
from curation.explore.scan import Found, Place, Search, equal, find_rows, holding, on_host, within
from curation.report import numbers
from curation.report.previews import small_jpeg

PAGE_IMAGES, PAGE_ENTRIES = 20, 100
MAX_TEXT = 2000
HIDING = "nsfw"
"""A score column with this in its name hides pictures."""
TABLES = {"kept": "kept by balancing", "matched": "matched, kept or not", "samples": "in the shards",
          "downloads": "attempted to fetch"}  # fmt: skip
"""The tables in which images can be looked for."""


def make_app(run: ExploredRun, token: str, port: int, hide_above: float) -> Flask:
    """Return the application over a run; pictures with an NSFW score of `hide_above` or more wait for a click."""
    app = Flask(__name__, static_folder="static", template_folder="templates")
    app.url_map.strict_slashes = False
    app.jinja_env.filters |= {
        "web": web,
        "number": lambda value: "" if value is None else numbers.number(value),
        "probability": lambda value: "" if value is None else f"{value:.4g}",
        "bytes": lambda value: "" if value is None else numbers.byte_size(value),
    }
    app.jinja_env.globals |= {"run": run, "tables": TABLES, "bands": list(Band)}
    guard(app, token, port)

    @app.get("/")
    def start() -> str:
        languages = [(lang, run.thresholds.get(lang)) for lang in run.languages]
        sizes = {
            "images matched": _rows(run.matches), "images kept": _rows(run.curated),
            "samples in the shards": _rows(run.shard_set),
        }  # fmt: skip
        return render_template("start.html", languages=languages, sizes=sizes)

    @app.get("/entries")
    def entries() -> str:
        lang = request.args.get("lang") or next(iter(run.languages), "")
        text, band = request.args.get("q", ""), _band(request.args.get("band", ""))
        is_prefix = request.args.get("mode") == "prefix"
        first = _whole(request.args.get("first", ""), 0)
        found, total = run.entries_of(lang).find(text, is_prefix, band, first, PAGE_ENTRIES)
        return render_template(
            "entries.html", lang=lang, q=text, band=band, is_prefix=is_prefix, first=first, found=found, total=total,
            more=_again(first=first + PAGE_ENTRIES) if first + PAGE_ENTRIES < total else None,
        )  # fmt: skip

    @app.get("/entry/<lang>/<int:entry_id>")
    def entry(lang: str, entry_id: int) -> str:
        about = run.entries_of(lang).of_id(entry_id)
        if about is None:
            abort(404, f"language {lang} has no entry {entry_id}")
        where = _table(request.args.get("where", ""), ("kept", "matched"))
        found = _find(run, where, holding(entry_id, lang))
        return render_template(
            "entry.html",
            entry=about,
            where=where,
            found=found,
            cards=_cards(run, found, hide_above),
            more=_after(found),
        )

    @app.get("/images")
    def images() -> str:
        where = _table(request.args.get("where", ""), tuple(TABLES))
        searches, used = _searches(run, where)
        found = _find(run, where, searches)
        return render_template(
            "images.html", where=where, found=found, cards=_cards(run, found, hide_above), more=_after(found),
            used=used, scores=run.sample_columns, args=request.args,
        )  # fmt: skip

    @app.get("/image/<uid>")
    def image(uid: str) -> str:
        state = _state(run, uid)
        if not any((state.matched, state.curated, state.download, state.sample)):
            abort(404, "no table of this run has an image with this uid")
        return render_template(
            "image.html", state=state, card=_card(state, hide_above), texts=_texts(run, state), steps=_steps(run, state)
        )

    @app.get("/picture/<uid>")
    def picture(uid: str) -> Response:
        sample = _state(run, uid).sample
        small = small_jpeg(image_bytes(sample)) if sample else b""
        if not small:
            abort(404, "there is no picture")
        return Response(small, mimetype="image/jpeg")

    @app.errorhandler(HTTPException)
    def fault(error: HTTPException) -> tuple[str, int]:
        return render_template("fault.html", line=error.description or ""), error.code or 500

    @app.errorhandler(HeadtailError)
    @app.errorhandler(OSError)
    @app.errorhandler(pa.ArrowException)
    def damage(error: Exception) -> tuple[str, int]:
        return render_template("fault.html", line=f"a table cannot be read: {error}"), 500

    return app


def web(text: object, limit: int = MAX_TEXT) -> Markup:
    """Return a text from the web as HTML that shows it: escaped, cut and isolated."""
    return Markup(numbers.web_text(text, limit))


def _state(run: ExploredRun, uid: str) -> ImageState:
    if len(uid) != 24 or set(uid) - set("0123456789abcdef"):
        abort(404, "a uid has 24 hex digits")
    return run.image(uid)


def _find(run: ExploredRun, where: str, searches: list[Search]) -> Found:
    start = Place.parse(request.args.get("from", ""))
    match where:
        case "matched":
            return find_rows(files_of(run.matches), MATCHES, searches, start, PAGE_IMAGES)
        case "samples":
            return find_rows(run.shards, SAMPLES, searches, start, PAGE_IMAGES, further=None)
        case "downloads":
            return find_rows(run.status_files, DOWNLOAD_STATUS, searches, start, PAGE_IMAGES)
    return find_rows(files_of(run.curated), CURATED, searches, start, PAGE_IMAGES)


def _searches(run: ExploredRun, where: str) -> tuple[list[Search], set[str]]:
    """Return the searches that the address asks for, and the names of the filters that the table can answer."""
    schema = {"matched": MATCHES, "samples": SAMPLES, "downloads": DOWNLOAD_STATUS}.get(where, CURATED)
    scores = run.sample_columns if where == "samples" else []
    args, searches = request.args, []
    if host := args.get("host", ""):
        searches.append(on_host(host))
    texts = [(name, args.get(name, "")) for name in ("lang", "status") if name in schema.names]
    searches += [equal(name, value) for name, value in texts if value]
    for name in [name for name in ("keep_probability", "width", "height") if name in schema.names] + scores:
        low, high = (_float(args.get(f"{bound}_{name}", "")) for bound in ("min", "max"))
        if low is not None or high is not None:
            searches.append(within(name, low, high))
    return searches, {*schema.names, *scores, "host"}


def _cards(run: ExploredRun, found: Found, hide_above: float) -> list[dict[str, Any]]:
    return [_card(run.image(row["uid"]), hide_above) for row in found.rows]


def _card(state: ImageState, hide_above: float) -> dict[str, Any]:
    """Return what the small view of an image shows."""
    stored = state.sample.row if state.sample else {}
    row: Mapping[str, Any] = state.curated or state.matched or state.download or stored
    texts = row.get("texts") or []
    text = row.get("text") or (texts[0]["text"] if texts else "")
    return {
        "uid": state.uid, "url": row.get("url", ""), "text": text, "lang": row.get("lang"), "texts": len(texts),
        "keep_probability": row.get("keep_probability"), "sample": state.sample,
        "status": state.download["status"] if state.download else None, "hidden": _hidden(state.sample, hide_above),
    }  # fmt: skip


def _hidden(sample: Sample | None, hide_above: float) -> str:
    """Return the score that hides a picture; empty if none does."""
    for name, value in sample.row.items() if sample else ():
        if HIDING in name.lower() and isinstance(value, int | float) and value >= hide_above:
            return f"{name} {value:.3g}"
    return ""


def _texts(run: ExploredRun, state: ImageState) -> list[dict[str, Any]]:
    """Return the texts of an image with their entries, the rarest first."""
    row = state.curated or state.matched
    found = []
    for text in row["texts"] if row else ():
        entries = run.entries_of(text["lang"])
        rows = [entries.of_id(entry_id) for entry_id in text["entry_ids"]]
        known = sorted((each for each in rows if each), key=lambda each: (each.count or 0, each.entry_id))
        missed = math.prod(1 - (each.probability or 0) for each in known)
        probability = text.get("keep_probability", 1 - missed if entries.t is not None else None)
        facts = {"entries": known, "keep_probability": probability, "is_caption": _is_caption(state, text)}
        found.append({**text, **facts})
    return found


def _is_caption(state: ImageState, text: Mapping[str, Any]) -> bool:
    kept = state.curated
    return kept is not None and (text["text"], text["lang"]) == (kept["text"], kept["lang"])


def _steps(run: ExploredRun, state: ImageState) -> list[tuple[str, str]]:
    """Return what became of an image at each stage, in words."""
    steps = [("matched", "yes" if state.matched else "no: none of its texts holds an entry, or another run has it")]
    if state.curated:
        steps.append(("kept", f"yes, with probability {state.curated['keep_probability']:.4g}"))
    elif run.curated:
        steps.append(("kept", "no: no text was drawn, or the limit per domain (balance.max_per_domain) took the image"))
    if state.download:
        status, error = state.download["status"], state.download["error"]
        steps.append(("downloaded", "yes" if status == SUCCESS else f"no: {status}{f' ({error})' if error else ''}"))
    elif state.curated and run.status_files:
        steps.append(("downloaded", "not attempted"))
    if state.sample:
        name = state.sample.tar.rpartition("/")[2]
        steps.append(("in the shards", f"yes: sample {state.sample.place + 1} of {name}"))
    elif run.shards and state.download and state.download["status"] == SUCCESS:
        steps.append(("in the shards", "no: a filter, a duplicate, the second balance or a removal took it out"))
    return steps


def _rows(parts: Sequence[Part]) -> int:
    return sum(entry.get("rows", 0) for part in parts for entry in part.manifest["files"])


def _again(**changes: object) -> str:
    """Return the address of this page with other arguments."""
    return url_for(request.endpoint or "start", **{**(request.view_args or {}), **request.args.to_dict(), **changes})


def _after(found: Found) -> str | None:
    return None if found.after is None else _again(**{"from": str(found.after)})


def _table(name: str, known: tuple[str, ...]) -> str:
    return name if name in known else known[0]


def _band(name: str) -> Band:
    with suppress(ValueError):
        return Band(name)
    return Band.all


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _float(text: str) -> float | None:
    with suppress(ValueError):
        value = float(text)
        return value if np.isfinite(value) else None
    return None
