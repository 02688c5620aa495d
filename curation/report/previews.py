"""Small pictures of samples for the report, read from the shards, and the entries that texts name by id."""

import base64
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from PIL import Image

from curation.core import storage
from curation.core.receipts import Receipt
from curation.images.encoding import KEPT_FORMATS
from curation.matching.entry_store import EntryStore

SIDE_PIXELS = 288
QUALITY = 72
NO_PICTURE = "data:,"
EXAMPLES = 8


def plan_previews(candidates: Iterable[dict[str, Any]]) -> list[dict]:
    """Return a task for `read_previews` per shard that holds one of the chosen candidates {uid, tar}."""
    uids: dict[str, list[str]] = defaultdict(list)
    for one in candidates:
        uids[one["tar"]].append(one["uid"])
    return [{"tar": tar, "uids": found} for tar, found in sorted(uids.items())]


def read_previews(task: dict) -> Receipt:
    """Read some samples of a shard; `task` holds `tar` and `uids`.

    The receipt's outputs are the samples as report.json has them, but for their texts' `entry_ids`, which
    `entry_names` turns into words.
    """
    receipt, wanted = Receipt(task["tar"], rows_in=len(task["uids"])), set(task["uids"])
    values: dict[str, dict[str, Any]] = {}
    with storage.open_input(task["tar"]) as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            uid, _, kind = member.name.partition(".")
            if uid not in wanted or kind == "txt":
                continue
            found = tar.extractfile(member)
            data = found.read() if found else b""
            if kind == "json":
                values[uid] = json.loads(data)
            else:
                receipt.outputs.append(_sample(values[uid], data))
                if len(receipt.outputs) == len(wanted):
                    break
    receipt.rows_out = len(receipt.outputs)
    return receipt.check()


def _sample(values: dict[str, Any], image: bytes) -> dict[str, Any]:
    names = ("uid", "url", "text", "lang", "keep_probability", "width", "height")
    texts = [
        {name: text[name] for name in ("text", "lang", "keep_probability", "kept", "entry_ids")}
        for text in values["texts"]
    ]
    return {**{name: values[name] for name in names}, "thumbnail": thumbnail(image), "texts": texts}


def thumbnail(image: bytes) -> str:
    """Return a small JPEG of an image as a data: URL; an image that cannot be shown gives an empty one."""
    try:
        with Image.open(io.BytesIO(image), formats=tuple(KEPT_FORMATS)) as opened:
            opened.draft("RGB", (2 * SIDE_PIXELS, 2 * SIDE_PIXELS))
            small = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        small.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
        if small.mode == "RGBA":
            white = Image.new("RGBA", small.size, "white")
            small = Image.alpha_composite(white, small).convert("RGB")
        data = io.BytesIO()
        small.save(data, "JPEG", quality=QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return NO_PICTURE
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def plan_entries(languages: Iterable[str], needed: Iterable[tuple[str, int]]) -> list[dict]:
    """Return a task for `read_entries` per language, with the ids whose texts are needed."""
    ids: dict[str, set[int]] = {lang: set() for lang in languages}
    for lang, entry_id in needed:
        ids.setdefault(lang, set()).add(entry_id)
    return [{"lang": lang, "ids": sorted(found)} for lang, found in sorted(ids.items())]


def read_entries(task: dict, store: EntryStore) -> Receipt:
    """Read one entry list; `task` holds `lang` and `ids`.

    The receipt's only output: {lang, entries (usable ones), never (how many can never match), examples, texts (of
    the ids)}.
    """
    texts = store.entries(task["lang"])
    never = store.unmatchable(task["lang"])
    output = {
        "lang": task["lang"],
        "entries": len(texts) - texts.null_count,
        "never": len(never),
        "examples": texts.take(pa.array(never[:EXAMPLES])).to_pylist(),
        "texts": {str(i): texts[i].as_py() if i < len(texts) else None for i in task["ids"]},
    }
    return Receipt(f"entries of {task['lang']}", rows_in=len(texts), rows_out=len(texts), outputs=[output])
