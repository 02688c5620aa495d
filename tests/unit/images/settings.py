"""Settings of downloads with the defaults of the configuration, for tests and benchmarks."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from conf.schema.topics import DownloadConfig, UrlsConfig
from curation.images.download import DownloadSettings
from curation.images.encoding import ImageSettings
from curation.images.fetch import Fetcher, FetchSettings, _tls_context


def image_settings(**changes: Any) -> ImageSettings:
    """Return the default settings of stored images, with changes."""
    return ImageSettings(**(_defaults(ImageSettings) | changes))


def fetch_settings(**changes: Any) -> FetchSettings:
    """Return the default settings of the fetcher, with changes."""
    allowed = tuple(UrlsConfig().allow_private_hosts)
    return FetchSettings(**(_defaults(FetchSettings) | {"allow_private_hosts": allowed} | changes))


def trust(fetcher: Fetcher, certificate: Path) -> None:
    """Let one fetcher trust a certificate that is of no authority."""
    fetcher._tls = _tls_context.__wrapped__()
    fetcher._tls.load_verify_locations(certificate)


def download_settings(**changes: Any) -> DownloadSettings:
    """Return the default settings of downloads, with changes."""
    given = {"fetch": fetch_settings(), "image": image_settings(), "detect_outage": True}
    return DownloadSettings(**(_defaults(DownloadSettings) | given | changes))


def _defaults(kind: type) -> dict[str, Any]:
    defaults = vars(DownloadConfig())
    given = {each.name: defaults[each.name] for each in fields(kind) if each.name in defaults}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
