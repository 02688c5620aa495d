"""The captions that a script makes of the sample's images: of two names, one of them missing in a third of the images.

Programs of both environments import this: it needs nothing but Python.
"""

LONG, SHORT = "long", "short"


def captions_of(uid: str) -> dict[str, list[str]]:
    """Return the captions of an image by name; an empty list: none.

    >>> captions_of("0" * 24)["short"], captions_of("0" * 23 + "1")["short"]
    ([], ['Sample 000000000000000000000001.'])
    """
    long = [f"A long caption of {uid}, made by a script.", f"Another caption of {uid}."]
    return {LONG: long, SHORT: [f"Sample {uid}."] if int(uid, 16) % 3 else []}


def in_json(uid: str) -> dict[str, str]:
    """Return what the json of a sample holds of them: the first of each name, "" where there is none."""
    return {f"caption_{name}": next(iter(texts), "") for name, texts in captions_of(uid).items()}


def syn_texts(uid: str) -> list[str]:
    """Return what the member syn.json of a sample holds: all, in the order of the names."""
    return [text for _, texts in sorted(captions_of(uid).items()) for text in texts]
