"""The enums of settings, shared by the configuration and the code."""

from enum import StrEnum


class Entities(StrEnum):
    """When HTML entities in alt-texts and URLs are decoded."""

    auto = "auto"
    always = "always"
    never = "never"


class SourceKind(StrEnum):
    """The file format of a source."""

    wat = "wat"
    warc = "warc"
    table = "table"
    webdataset = "webdataset"


class CsvEscape(StrEnum):
    """How CSV files write a quote within quotes: twice (RFC 4180), or behind a backslash (Spark's default)."""

    auto = "auto"
    quote = "quote"
    backslash = "backslash"


class ImageAddresses(StrEnum):
    """How many of an image's addresses become links."""

    one = "one"
    all = "all"


class LanguageRule(StrEnum):
    """How the language of a text is decided."""

    published = "published"
    careful = "careful"


class Emails(StrEnum):
    """How e-mail addresses in texts are handled."""

    keep = "keep"
    mask = "mask"
    drop = "drop"


class Edges(StrEnum):
    """Edge rule of matching: which edges of an entry need a blank beside them (curation/matching/spacing.py)."""

    blank = "blank"
    script = "script"
    script_kana = "script_kana"


class Engine(StrEnum):
    """The matching engine. Both engines return the same ids."""

    ahocorasick = "ahocorasick"
    tokens = "tokens"


class Combine(StrEnum):
    """How balancing combines the draws of the entries and of concepts: by all of them, by the smallest, or by any."""

    product = "product"
    min = "min"
    any = "any"


class Unit(StrEnum):
    """The unit of a draw."""

    pair = "pair"
    image = "image"


class Others(StrEnum):
    """Source of the thresholds of languages other than the reference."""

    tail_share = "tail_share"
    same_t = "same_t"
    shares = "shares"


class Resize(StrEnum):
    """How an image is resized."""

    original = "original"
    no = "no"
    keep_ratio = "keep_ratio"
    keep_ratio_largest = "keep_ratio_largest"
    center_crop = "center_crop"
    border = "border"


class Formats(StrEnum):
    """The formats in which `resize=original` keeps files: JPEG, PNG and WebP, or JPEG alone."""

    all = "all"
    jpg = "jpg"


class Obey(StrEnum):
    """A way to forbid the use of images, beside X-Robots-Tag. The value is the status of the images left out."""

    robots_txt = "robots_txt"
    ai_txt = "ai_txt"
    tdm_reservation = "tdm_reservation"


class BigramScore(StrEnum):
    """The score that ranks bigrams."""

    pmi = "pmi"
    count_pmi = "count_pmi"


class EstimateFormat(StrEnum):
    """How an estimate is printed."""

    text = "text"
    json = "json"


class ExportFormat(StrEnum):
    """Export formats of other projects."""

    datacomp = "datacomp"
    caption_requests = "caption_requests"


class Cleanable(StrEnum):
    """A table whose files `clean` may delete."""

    pairs = "pairs"
    matches = "matches"
    curated = "curated"
    lists = "lists"
    downloads = "downloads"


class ClusteredTexts(StrEnum):
    """The images that are clustered by the entries of their texts, and whose texts name clusters."""

    curated = "curated"
    matches = "matches"


class Signal(StrEnum):
    """A signal of images, in the order of the columns."""

    faces = "faces"
    nsfw = "nsfw"
    embedding = "embedding"
    text = "text"
    onnx = "onnx"
    python = "python"


class SignalFilter(StrEnum):
    """A named threshold of signals; `curation/signals/presets.py` has the values."""

    no_faces = "no_faces"
    not_nsfw = "not_nsfw"
    surely_safe = "surely_safe"
    little_text = "little_text"


class NearDuplicates(StrEnum):
    """How near duplicates are found: by equal perceptual hashes (true: those of the first version), or embeddings."""

    false = "false"
    true = "true"
    hash = "hash"
    embedding = "embedding"


class OnlyWritten(StrEnum):
    """Which images are scored: all; those that may be written, whatever signals decide; exactly those that are."""

    false = "false"
    true = "true"
    exact = "exact"


class Faces(StrEnum):
    """What becomes of images with faces: they stay as they are, are blurred there, or become no samples."""

    keep = "keep"
    blur = "blur"
    drop = "drop"


class ShardsBy(StrEnum):
    """How samples are divided into sets of shards: one set of all, or one for each coarse cluster."""

    none = "none"
    coarse = "coarse"


class Layout(StrEnum):
    """The order of a model's input: channels before or behind height and width."""

    nchw = "nchw"
    nhwc = "nhwc"


class Channels(StrEnum):
    """The order of the colours of a model's input."""

    rgb = "rgb"
    bgr = "bgr"
