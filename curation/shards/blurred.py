"""The blurred images of a piece of a shard, and what the side-car and the json say of them."""

from typing import Any

import pyarrow as pa

from curation.core.errors import HeadtailError
from curation.images.blurring import blur_file
from curation.images.encoding import ImageError
from curation.shards.sample_json import BLURRED

BLURRED_FIELD = pa.field(BLURRED, pa.int32(), nullable=False)
_CHANGED = ("ext", "bytes", BLURRED)


class BlurredImages:
    """Blurs the images of a piece in their order, and keeps what is new of each: extension, bytes, number of boxes."""

    def __init__(self, boxes: list[list[list[float]]], quality: int) -> None:
        self._boxes, self._quality = iter(boxes), quality
        self._found: list[tuple[str, int, int]] = []

    def blur(self, row: dict[str, Any], image: bytes) -> bytes:
        """Return the image of the next row, blurred where it has boxes; the row gets its new extension and count."""
        boxes = next(self._boxes)
        row[BLURRED] = len(boxes)
        if boxes:
            try:
                image, row["ext"] = blur_file(image, boxes, self._quality)
            except ImageError as error:
                raise HeadtailError(f"faces=blur: the image {row['uid']} cannot be decoded: {error}") from error
        self._found.append((row["ext"], len(image), len(boxes)))
        return image

    def facts(self) -> dict[str, int]:
        """Return the number of blurred images, and of the boxes in them."""
        counts = [boxes for _, _, boxes in self._found if boxes]
        return {"blurred_images": len(counts), BLURRED: sum(counts)}

    def told(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the side-car with the facts of the images as they were written."""
        columns = dict(zip(_CHANGED, zip(*self._found, strict=True), strict=True)) if self._found else {}
        schema = pa.schema([*rows.schema, BLURRED_FIELD])
        arrays = [
            pa.array(columns.get(field.name, ()), field.type) if field.name in _CHANGED else rows[field.name]
            for field in schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)
