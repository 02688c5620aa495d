"""The texts in the json of a sample, which a loader reads without knowing the version of the set."""

import json
from typing import Any


def read_json(sample: dict) -> dict[str, Any]:
    """Return a copy of the json of a sample, decoded or not; raises ValueError if there is none."""
    if "json" not in sample:
        raise ValueError(f"sample {sample.get('__key__')} has no json")
    described = sample["json"]
    described = dict(described) if isinstance(described, dict) else json.loads(described)
    if not isinstance(described, dict):
        raise ValueError(f"the json of sample {sample.get('__key__')} is no object")
    return described


def matched_texts(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the matched texts of a sample that balance_pairs kept, from the json of either form.

    The newer form has them as `matched_texts`, and plain strings as `texts`; the older one has them as `texts`.

    >>> matched_texts({"texts": ["a dog"], "matched_texts": [{"text": "a dog", "lang": "en", "entry_ids": [3]}]})
    [{'text': 'a dog', 'lang': 'en', 'entry_ids': [3]}]
    >>> matched_texts({"texts": [{"text": "a dog", "kept": False}, {"text": "a cat", "kept": True}]})
    [{'text': 'a cat', 'kept': True}]
    """
    found = described.get("matched_texts", described.get("texts", ()))
    return [text for text in found if isinstance(text, dict) and text.get("kept", True)]


def caption_of(described: dict[str, Any], name: str) -> str:
    """Return the caption under a key of the json; "" where there is none.

    >>> caption_of({"caption_b": " "}, "caption_b"), caption_of({"caption_b": "A dog."}, "caption_b")
    ('', 'A dog.')
    """
    value = described.get(name)
    return value if isinstance(value, str) and value.strip() else ""
