"""What write_shards does with signals: its filter with named thresholds, where boxes of faces are, how it blurs."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from conf.schema.jobs import CurateConfig, WriteShardsConfig
from curation.core.choices import Faces, NearDuplicates, Resize
from curation.core.errors import HeadtailError
from curation.images.downloads import Downloads
from curation.shards.face_boxes import find_boxes, is_ours
from curation.signals.presets import with_presets

CUTTING = (Resize.center_crop, Resize.border)
"""Sizes that cut or pad images: boxes of the image as it was sent are elsewhere in the stored one."""


def filter_of(config: WriteShardsConfig) -> str:
    """Return the SQL expression of the filter and of the named thresholds."""
    return with_presets(config.filter, config.signal_filters)


def boxes_column(config: WriteShardsConfig, scores: Sequence[pa.Field]) -> str:
    """Return the column of boxes among the columns of scores, "" with faces=keep.

    Raises HeadtailError if there is none, and if images were cut since the boxes were found.
    """
    if config.faces == Faces.keep:
        return ""
    field = find_boxes(config.face_boxes, scores)
    resize = _image_settings(config).get("resize")
    if resize in CUTTING and not is_ours(field.type):
        raise HeadtailError(
            f"faces={config.faces}: the boxes in {field.name} are those of images as they were sent, and "
            f"download.resize={resize} has cut or padded the stored ones: run score_images with signals=[faces], and "
            "give its table as scores"
        )
    return field.name


def needs_embeddings(config: WriteShardsConfig) -> bool:
    """Return whether the embeddings of images are compared."""
    return config.filters.near_duplicates == NearDuplicates.embedding or config.benchmark_cosine is not None


def embeddings_column(config: WriteShardsConfig, scores: Sequence[pa.Field]) -> str:
    """Return the column of embeddings among the columns of scores, "" if none are compared.

    Raises HeadtailError if there is no such column, or if it does not hold lists of numbers.
    """
    if not needs_embeddings(config):
        return ""
    kinds, column = {field.name: field.type for field in scores}, config.embedding_column
    if config.benchmark_cosine is not None and not config.benchmark_images:
        raise HeadtailError("benchmark_cosine needs benchmark_images, tables that hash_images has made")
    if column not in kinds:
        there = ", ".join(kinds)[:300] or "no column"
        raise HeadtailError(
            f"filters.near_duplicates=embedding and benchmark_cosine need the column {column}, and scores have "
            f"{there}: run score_images with signals=[embedding] and give its table as scores, or name the column as "
            "embedding_column"
        )
    kind = kinds[column]
    if not (pa.types.is_list(kind) and pa.types.is_floating(kind.value_type)):
        raise HeadtailError(f"embedding_column: {column} is {str(kind)[:100]}, expected lists of numbers")
    return column


def blur_quality(config: WriteShardsConfig) -> int | None:
    """Return the JPEG quality of blurred images, that of the downloads; None if nothing is blurred."""
    return int(_image_settings(config)["quality"]) if config.faces == Faces.blur else None


def face_recipe(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the settings of faces as the recipe of a set holds them; with faces=keep it has none."""
    if config.faces == Faces.keep:
        return {}
    return {"faces": str(config.faces), "face_boxes": config.face_boxes}


def _image_settings(config: WriteShardsConfig) -> dict[str, Any]:
    """Return the settings of the stored images; before any image was downloaded, those of `curate`, else {}."""
    if parts := Downloads(config.downloads).parts():
        return parts[0].manifest["settings"]["image"]
    return vars(config.download) if isinstance(config, CurateConfig) else {}
