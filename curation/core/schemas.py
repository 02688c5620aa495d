"""Schemas of the tables; docs/tables.md explains the columns."""

from collections.abc import Iterable

import pyarrow as pa

from curation.core.errors import HeadtailError

TEXT = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("text_key", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("lang_score", pa.float32()),
        pa.field("entry_ids", pa.list_(pa.field("element", pa.int32(), nullable=False)), nullable=False),
    ]
)
"""A matched text of an image; `entry_ids` are sorted, unique and not empty."""

CURATED_TEXT = pa.struct(
    [
        *TEXT,
        pa.field("keep_probability", pa.float64(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
    ]
)


def _table(**columns: pa.DataType) -> pa.Schema:
    nullable = {"lang_score", "error", "page_url", "width", "height", "sha256", "bytes", "http_status"}
    nullable |= {"content_type", "source_bytes", "original_width", "original_height", "ext", "offset"}
    nullable |= {"image_file", "image_offset", "image_bytes", "image_sha256"}
    return pa.schema([pa.field(name, kind, nullable=name in nullable) for name, kind in columns.items()])


PAIRS = _table(
    uid=pa.string(), url=pa.string(), text=pa.string(), text_key=pa.string(), lang=pa.string(),
    lang_score=pa.float32(), page_url=pa.string(), crawl=pa.string(), source_file=pa.string(),
)  # fmt: skip
STORED = _table(
    image_file=pa.string(), image_offset=pa.int64(), image_bytes=pa.int64(), image_sha256=pa.string()
)  # fmt: skip
"""Place of an image that is stored already, in shards of another program: further columns of pairs and of lists."""
MATCHES = _table(uid=pa.string(), url=pa.string(), texts=pa.list_(pa.field("element", TEXT, nullable=False)))
ENTRY_COUNTS = _table(lang=pa.string(), entry_id=pa.int32(), count=pa.int64())
ENTRIES = pa.schema(
    [
        *(ENTRY_COUNTS.field(name) for name in ("lang", "entry_id")),
        pa.field("entry", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("count", pa.int64()),
        pa.field("expected", pa.float64()),
        pa.field("in_shards", pa.int64()),
    ]
)
"""The words of the entries, and their numbers as far as they are known."""
CONCEPT_COUNTS = pa.schema(
    [
        pa.field("namespace", pa.string(), nullable=False),
        pa.field("concept_id", pa.int32(), nullable=False),
        pa.field("concept", pa.string()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("kept", pa.int64(), nullable=False),
    ]
)
"""Concepts of images (docs/balancing.md), and how many images have them before and after balancing."""
THRESHOLDS = _table(
    lang=pa.string(), t=pa.float64(), tail_share=pa.float64(), entries=pa.int64(), matches=pa.int64(),
    expected_pairs=pa.float64(), expected_images=pa.float64(),
)  # fmt: skip
CURATED = _table(
    uid=pa.string(), url=pa.string(), text=pa.string(), lang=pa.string(), keep_probability=pa.float64(),
    texts=pa.list_(pa.field("element", CURATED_TEXT, nullable=False)),
)  # fmt: skip
LISTS = pa.schema([*CURATED, pa.field("order", pa.uint64(), nullable=False)])
"""Curated rows in the final order of samples, sorted by (order, uid)."""
DOWNLOAD_STATUS = _table(
    uid=pa.string(), url=pa.string(), status=pa.string(), error=pa.string(), http_status=pa.int32(),
    content_type=pa.string(), redirects=pa.int32(), attempts=pa.int32(), seconds=pa.float64(), sha256=pa.string(),
    source_bytes=pa.int64(), original_width=pa.int32(), original_height=pa.int32(), width=pa.int32(),
    height=pa.int32(), ext=pa.string(), offset=pa.int64(), bytes=pa.int64(), order=pa.uint64(),
)  # fmt: skip
"""An attempted image. `sha256` and `source_bytes` describe the image file as sent; `offset` and `bytes` are the place
of the stored image in the tar of the same name."""
HOSTS = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        *(
            pa.field(name, kind)
            for file in ("robots_txt", "ai_txt")
            for name, kind in ((file, pa.string()), (f"{file}_rules", pa.list_(pa.string())))
        ),
    ]
)
"""What a host forbids: the status of each file, null if it was not asked for, and the file's rules for us."""
CLUSTERS = _table(
    uid=pa.string(), fine=pa.int32(), coarse=pa.int32(), distance=pa.float32(),
    concept_ids=pa.list_(pa.field("element", pa.int32(), nullable=False)),
)  # fmt: skip
"""The clusters of an image; `concept_ids` holds its fine cluster, for balancing."""
_SAMPLE_FACTS = (
    "sha256", "source_bytes", "original_width", "original_height", "width", "height", "ext", "bytes",
)  # fmt: skip
SAMPLES = pa.schema(
    [
        *(CURATED.field(name) for name in ("uid", "url", "text", "lang", "keep_probability")),
        *(DOWNLOAD_STATUS.field(name).with_nullable(False) for name in _SAMPLE_FACTS),
    ]
)
"""The side-car of a shard: one row per sample, in the order of the tar."""
CANDIDATES = pa.schema(
    [
        *SAMPLES,
        LISTS.field("order"),
        DOWNLOAD_STATUS.field("offset").with_nullable(False),
        pa.field("group", pa.int32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
    ]
)
"""A downloaded image that may become a sample: its group of ranges, its row in its list, the generation of its tar."""


def check_schema(found: pa.Schema, expected: pa.Schema, where: str, further: Iterable[str] | None = ()) -> None:
    """Raise HeadtailError, with a list of all differences, if the columns or types of a file are not the expected ones.

    `further` names columns that are allowed beside the expected ones; None allows any. The order of columns,
    nullability and the names of list elements are not compared.
    """
    faults: list[str] = []
    for field in expected:
        index = found.get_field_index(field.name)
        if index < 0:
            faults.append(f"{field.name} is missing")
        elif not _same_type(found.field(index).type, field.type):
            faults.append(f"{field.name} is {found.field(index).type}, expected {field.type}")
    if further is not None:
        known = {*expected.names, *further}
        faults += [f"{name} is unexpected" for name in found.names if name not in known]
    if faults:
        raise HeadtailError(f"{where} has other columns than expected: {'; '.join(faults)}")


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Return whether two types are equal apart from nullability and the names of list elements."""
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and _same_type(found.value_type, expected.value_type)
    if pa.types.is_struct(expected):
        return (
            pa.types.is_struct(found)
            and _names(found) == _names(expected)
            and all(_same_type(a.type, b.type) for a, b in zip(found, expected, strict=True))
        )
    return found == expected


def _names(fields: Iterable[pa.Field]) -> list[str]:
    return [field.name for field in fields]
