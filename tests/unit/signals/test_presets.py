"""Named thresholds: their SQL, and what is said of the images that each would leave out."""

from collections import Counter

import pyarrow as pa
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig, WriteShardsConfig
from curation.core.choices import SignalFilter
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.signals.presets import PRESETS, count_presets, presets_text, with_presets
from jobs.shard_settings import has_score_columns, shard_settings
from jobs.signal_rules import boxes_column, face_recipe, filter_of

ROWS = [
    {"face_count": faces, "nsfw": nsfw}
    for faces, nsfw in ((0, 0.1), (2, 0.2), (0, 0.8), (1, 0.81))
]  # fmt: skip


def test_each_preset_counts_the_images_that_it_would_leave_out() -> None:
    receipts = []
    for rows in (ROWS[:1], ROWS[1:]):
        receipt = Receipt("list", len(rows), len(rows))
        for row in rows:
            count_presets(row, receipt.facts)
        receipts.append(receipt)
    total = receipts[0].merge(receipts[1])
    assert presets_text(total, ["uid", "face_count", "nsfw"]) == (
        "of 4 images signal_filters would leave out: no_faces (face_count = 0) 2 (50.0%), not_nsfw (nsfw <= 0.8) "
        "1 (25.0%), surely_safe (nsfw < 0.2) 3 (75.0%)"
    )
    assert presets_text(Receipt("an older table", 4, 4), ["face_count"]) == ""
    assert presets_text(Receipt("no image", facts=Counter(thresholds_counted=0)), ["face_count"]) == ""


def test_every_preset_has_a_threshold() -> None:
    assert set(PRESETS) == set(SignalFilter)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ""),
        (["filter=width > 8 or lang = 'en'"], "width > 8 or lang = 'en'"),
        (["signal_filters=[surely_safe,no_faces]"], "face_count = 0 and nsfw < 0.2"),
        (["filter=a or b", "signal_filters=[no_faces]"], "(a or b) and face_count = 0"),
    ],
    ids=["none", "filter", "presets", "both"],
)
def test_presets_are_part_of_the_filter_and_of_the_recipe(given: list[str], expected: str) -> None:
    config = compose_config("write_shards", WriteShardsConfig, ["output=/x", *given])
    assert filter_of(config) == shard_settings(config)["filter"] == expected
    assert with_presets(config.filter, config.signal_filters) == expected
    assert has_score_columns(config) is False, "there are no scores"


def test_boxes_of_images_as_sent_do_not_fit_stored_images_that_were_cut() -> None:
    boxes = pa.list_(pa.list_(pa.float32()))
    ours = pa.list_(pa.struct([(name, pa.float32()) for name in ("left", "top", "right", "bottom")]))
    given = ["output=/none", "source.paths=/none", "entry_lists=/none", "faces=blur"]
    cut = compose_config("curate", CurateConfig, [*given, "download.resize=center_crop"])
    assert boxes_column(cut, [pa.field("face_boxes", ours)]) == "face_boxes"
    with pytest.raises(HeadtailError, match=r"boxes in face_bboxes .* as they were sent.*download.resize=center_crop"):
        boxes_column(cut, [pa.field("face_bboxes", boxes)])
    assert (
        boxes_column(compose_config("curate", CurateConfig, given), [pa.field("face_bboxes", boxes)]) == "face_bboxes"
    )
    assert face_recipe(cut) == {"faces": "blur", "face_boxes": None}
    kept = compose_config("curate", CurateConfig, [*given, "faces=keep"][:3])
    assert (boxes_column(kept, []), face_recipe(kept)) == ("", {})
