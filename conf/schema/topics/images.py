"""Settings of images: how they are fetched, scored and filtered."""

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from conf.schema.base import Settings, setting
from curation.core.choices import (
    Channels,
    Formats,
    Layout,
    NearDuplicates,
    Obey,
    Resize,
)
from curation.core.errors import HeadtailError


@dataclass
class DownloadConfig(Settings):
    """How images are fetched and stored. Image metadata (EXIF) is never stored."""

    topic: ClassVar[str] = "download"
    images_per_list: int = setting(
        10_000, "images per download list, the unit of resume; fixed by the first run", unit="images", minimum=1
    )
    threads: int = setting(32, "parallel connections of a task", minimum=1, maximum=1024)
    connections_per_host: int = setting(
        16, "connections that a task has to one host at most, idle ones included", minimum=1, maximum=1024
    )
    timeout_seconds: float = setting(
        20.0,
        "time limit per image, including name lookup, redirects and retries, but not a kept connection that fails",
        unit="s",
        minimum=0.1,
    )
    retries: int = setting(1, "further attempts after a temporary failure", minimum=0, maximum=10)
    retry_failed: bool = setting(False, "try images again that failed temporarily in earlier runs")
    max_bytes: int = setting(10 << 20, "maximum file size; larger files are refused", unit="bytes", minimum=1)
    max_pixels: int = setting(
        25_000_000,
        "maximum image size; larger images are refused before decoding",
        unit="pixels",
        minimum=1,
        maximum=89_000_000,
    )
    min_success_share: float = setting(
        0.2, "the job stops if a smaller share of the first lists' images arrives", minimum=0, maximum=1
    )
    user_agent_token: str = setting("headtail", "name in the User-Agent header; X-Robots-Tag headers may address it")
    contact: str = setting(
        "",
        "your e-mail address or URL, sent in the User-Agent header for the servers' operators; needed from a million "
        "images on",
    )
    opt_out: list[str] = setting(
        ["noai", "noimageai", "noindex", "noimageindex"],
        "X-Robots-Tag directives to obey; []: ignore the header",
    )
    obey: list[Obey] = setting(
        [],
        "further ways to forbid the use that are obeyed: robots_txt and ai_txt, files that each host is asked for "
        "before its images, and tdm_reservation, a header of the answer; e.g. [robots_txt,tdm_reservation]",
    )
    resize: Resize = setting(
        Resize.keep_ratio,
        "original: file bytes without metadata; no: JPEG of the same size; keep_ratio: smaller side = size; "
        "keep_ratio_largest: larger side = size; center_crop, border: square",
    )
    formats: Formats = setting(
        Formats.all,
        "formats that resize=original keeps: all (JPEG, PNG, WebP), or jpg: others become JPEG; several formats in one "
        "set of shards break Hugging Face datasets and NeMo Curator",
    )
    size: int = setting(512, "side length after resizing", unit="pixels", minimum=1, maximum=8192)
    only_if_bigger: bool = setting(True, "resize only larger images")
    quality: int = setting(95, "JPEG quality of stored images", minimum=1, maximum=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        # A header takes no line break, and the parentheses of the User-Agent end at the first closing one.
        if self.contact and not re.fullmatch(r"[!-'*-~]+@[!-'*-~]+\.[!-'*-~]+|https?://[!-'*-~]+", self.contact):
            raise HeadtailError(
                "download.contact must be an e-mail address or a URL such as https://example.org/bot, got "
                f"{self.contact!r}"
            )


@dataclass
class OnnxConfig(Settings):
    """A model of yours that scores images, and the form of its input."""

    topic: ClassVar[str] = "onnx"
    model: str = setting("", "path of an ONNX file, for signals=[onnx]")
    size: int = setting(224, "side of the square that the model takes", unit="pixels", minimum=1, maximum=4096)
    layout: Layout = setting(
        Layout.nchw, "order of the input: channels before (nchw) or behind (nhwc) height and width"
    )
    channels: Channels = setting(Channels.rgb, "order of the colours: rgb or bgr")
    crop: bool = setting(
        True, "scale the shorter side and crop the square in the middle; false: squeeze the image into the square"
    )
    mean: list[float] = setting([0.0], "subtracted from pixels of 0 to 255: one value, or one per channel")
    scale: list[float] = setting(
        [1 / 255], "multiplied with pixels after the mean is subtracted: one value, or one per channel"
    )
    outputs: dict[str, str] = setting(
        {}, "columns and the outputs of the model that they take, e.g. onnx.outputs.aesthetic=score; empty: column onnx"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mean", "scale"):
            values = getattr(self, name)
            if len(values) not in (1, 3) or not all(map(math.isfinite, values)):
                raise HeadtailError(f"onnx.{name} must be one finite number, or one per channel, got {values}")


@dataclass
class FiltersConfig(Settings):
    """Bounds on images as fetched, before resizing."""

    topic: ClassVar[str] = "filters"
    min_side: int = setting(0, "minimum of the smaller side", unit="pixels", minimum=0)
    max_aspect_ratio: float | None = setting(None, "maximum of longer side / shorter side", minimum=1)
    min_pixels: int = setting(0, "minimum of width x height", unit="pixels", minimum=0)
    max_pixels: int | None = setting(None, "maximum of width x height", unit="pixels", minimum=1)
    near_duplicates: NearDuplicates = setting(
        NearDuplicates.false,
        "keep one image of those that look alike, not only of equal files. hash: the same perceptual hash; embedding: "
        "embeddings of scores within near_cosine, which finds crops and mirrored images, too; true: the perceptual "
        "hash of version 1, which is slower",
    )
    near_cosine: float = setting(
        0.95, "near_duplicates=embedding: cosine from which on two images are alike", minimum=0.5, maximum=1
    )
