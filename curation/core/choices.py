"""The choices of settings, for the configuration and for the code that acts on them."""

from enum import StrEnum


class Entities(StrEnum):
    """When HTML entities of alt-texts and URLs are decoded."""

    auto = "auto"
    always = "always"
    never = "never"


class SourceKind(StrEnum):
    """What kind of files the pairs come from."""

    wat = "wat"
    warc = "warc"
    table = "table"
    webdataset = "webdataset"


class Emails(StrEnum):
    """What becomes of e-mail addresses in texts."""

    keep = "keep"
    mask = "mask"
    drop = "drop"


class Edges(StrEnum):
    """Which characters at the edge of an entry need no blank beside them (curation/matching/spacing.py)."""

    blank = "blank"
    script = "script"
    script_kana = "script_kana"


class Engine(StrEnum):
    """The matching engine; both give the same ids."""

    ahocorasick = "ahocorasick"
    tokens = "tokens"


class Unit(StrEnum):
    """What is drawn."""

    pair = "pair"
    image = "image"


class Others(StrEnum):
    """Where the thresholds of the languages beside the reference come from."""

    tail_share = "tail_share"
    same_t = "same_t"


class Resize(StrEnum):
    """What becomes of an image's sides."""

    original = "original"
    no = "no"
    keep_ratio = "keep_ratio"
    keep_ratio_largest = "keep_ratio_largest"
    center_crop = "center_crop"
    border = "border"


class BigramScore(StrEnum):
    """What bigrams are ranked by."""

    pmi = "pmi"
    count_pmi = "count_pmi"


class ExportFormat(StrEnum):
    """Formats of other projects."""

    datacomp = "datacomp"
