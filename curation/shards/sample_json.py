"""The json of a sample: its keys, in both forms.

Form 1 has `texts`, the matched texts as objects. Form 2 has them as `matched_texts`, because loaders expect plain
strings in `texts`, and has `caption`, `entries` and the captions that were joined. docs/shards.md explains the keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from curation.core.recipes import added

NEWEST = 2
SETTING = "json_version"
"""The setting, and its key in the recipe of a set."""
ENTRY_WORDS = "entry_words"
"""Key in the manifest of a set: whether `entries` holds words."""
CAPTION = "caption_"
"""Beginning of the columns of rows, and of the keys, that hold the captions of a joined set."""
BLURRED = "blurred_faces"
"""Key, and column of side-cars: how many boxes of faces are blurred in the image, where a set has blurred faces."""
CLUSTER_IDS = ("fine", "coarse")
"""Keys in sets with clusters, and columns of their table: the clusters of the image, -1 for an image without."""
_IMAGE = ("width", "height", "original_width", "original_height", "sha256")
_FIRST_FORM = ("uid", "url", "text", "lang", "keep_probability", "texts", *_IMAGE)


@dataclass(frozen=True)
class JsonForm:
    """The version of the json, as the recipe of a set holds it; older recipes have none."""

    json_version: int = added(1)


@dataclass(frozen=True)
class SampleForm:
    """How a shard's samples are described: the version, and the file with the words of entries ("": not known).

    `clusters`: the json has the ids of clusters, which are among the scores.
    """

    version: int
    words: str = ""
    clusters: bool = False


def version_of(manifest: Mapping[str, Any]) -> int:
    """Return the version of the json in a finished set."""
    return manifest["settings"].get(SETTING, 1)


def sample_json(row: Mapping[str, Any], version: int, captions: Sequence[str] = ()) -> bytes:
    """Return the json of a sample as UTF-8, with the same keys in the same order for all samples of a set.

    `row` has the columns of a sample, `texts`, in form 2 `entries` (the words of the entries of the kept text), and
    `captions`, columns of which null becomes ""; in a set whose faces are blurred also `blurred_faces`, in one with
    clusters CLUSTER_IDS.
    """
    if version == 1:
        return msgspec.json.encode({name: row[name] for name in _FIRST_FORM})
    described = {
        "uid": row["uid"],
        "url": row["url"],
        "caption": row["text"],
        "text": row["text"],
        "lang": row["lang"],
        "keep_probability": row["keep_probability"],
        "texts": [text["text"] for text in row["texts"] if text["kept"]],
        "matched_texts": row["texts"],
        "entries": [word for word in row["entries"] if word is not None],
        **{name: row[name] for name in _IMAGE},
        **({BLURRED: row[BLURRED]} if BLURRED in row else {}),
        **{name: row[name] for name in CLUSTER_IDS if name in row},
        **{name: row[name] or "" for name in captions},
    }
    return msgspec.json.encode(described)


def matched_texts(described: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the matched texts that the json of a sample holds, in either form.

    >>> texts = [{"text": "a"}]
    >>> matched_texts({"texts": ["a"], "matched_texts": texts}) == matched_texts({"texts": texts}) == texts
    True
    """
    return described["matched_texts"] if "matched_texts" in described else described["texts"]
