"""The settings of downloads that a configuration asks for."""

from conf.schema.jobs import DownloadImagesConfig
from curation.core.choices import Formats, Resize
from curation.images.download import DownloadSettings
from curation.images.encoding import RULES, ImageSettings
from curation.images.fetch import FetchSettings


def download_settings(config: DownloadImagesConfig) -> DownloadSettings:
    """Return the settings of the download tasks, with the newest rules."""
    chosen = config.download
    original = chosen.resize == Resize.original
    return DownloadSettings(
        fetch=FetchSettings(
            timeout_seconds=chosen.timeout_seconds,
            retries=chosen.retries,
            connections_per_host=chosen.connections_per_host,
            max_bytes=chosen.max_bytes,
            user_agent_token=chosen.user_agent_token,
            contact=chosen.contact,
            opt_out=tuple(directive.strip().lower() for directive in chosen.opt_out),
            obey=tuple(sorted({way.value for way in chosen.obey})),
            allow_private_hosts=tuple(config.urls.allow_private_hosts),
        ),
        image=ImageSettings(
            resize=chosen.resize,
            size=chosen.size,
            only_if_bigger=chosen.only_if_bigger,
            quality=chosen.quality,
            max_pixels=chosen.max_pixels,
            formats=chosen.formats if original else Formats.all,
            rules=RULES if original else 1,
        ),
        threads=chosen.threads,
        retry_failed=chosen.retry_failed,
        detect_outage=chosen.min_success_share > 0,
    )
