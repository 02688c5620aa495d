"""Fetch what build_metadata reads: page dumps, page views, Open Multilingual Wordnet."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from conf.schema.jobs import FetchSourcesConfig
from curation.core.errors import HeadtailError
from curation.core.progress import say
from curation.core.storage import exists, read_json, write_json
from curation.core.tables import MANIFEST, versions
from jobs.cli import launch
from metadata.fetch.catalogue import Source, draw_days, dump_sources, page_view_sources, wordnet_sources
from metadata.fetch.fetcher import Fetcher, FetchSettings, MissingError
from metadata.lists.inputs import chosen_languages

NAME = "fetch_sources"


def run(config: FetchSourcesConfig) -> None:
    """Fetch every file that is not there yet; what a server does not have is named, and the job then fails."""
    fetcher = Fetcher(
        FetchSettings(
            user_agent=f"headtail/{versions()['headtail']} ({config.contact or 'no contact given'})",
            pause_seconds=config.pause_seconds,
            retries=config.retries,
            retry_seconds=config.retry_seconds,
            timeout_seconds=config.timeout_seconds,
        )
    )
    folder = Path(config.sources)
    manifest = str(folder / MANIFEST)
    files = {row["path"]: row for row in read_json(manifest)["files"]} if exists(manifest) else {}
    missing: list[str] = []
    fetched = 0
    for source in plan(config, fetcher, missing):
        try:
            digest = fetcher.fetch(source.url, folder / source.path, source.checksum)
        except MissingError as error:
            missing.append(str(error))
            continue
        fetched += 1
        say(NAME, source.path)
        files[source.path] = {
            "kind": source.kind, "path": source.path, "url": source.url, "sha256": digest,
            "bytes": (folder / source.path).stat().st_size, "verified": source.checksum is not None,
            "licence": source.licence,
        }  # fmt: skip
        write_json(manifest, {"files": [files[path] for path in sorted(files)], "versions": versions()})
    say(NAME, f"done: {fetched:,} files in {folder}")
    if missing:
        raise HeadtailError(f"{len(missing)} files are missing: {'; '.join(missing)}")


def plan(config: FetchSourcesConfig, fetcher: Fetcher, missing: list[str]) -> list[Source]:
    """Return the files to fetch; a wiki without a dump goes to `missing`."""
    languages = chosen_languages(config.languages)
    found: list[Source] = []
    for language in languages if config.dump != "none" else []:
        try:
            found += dump_sources(fetcher, config.dumps_mirror, language, config.dump)
        except MissingError as error:
            missing.append(str(error))
    days = [_day(day) for day in config.days]
    if config.random_days:
        last = _day(config.last_day) if config.last_day else datetime.now(UTC).date() - timedelta(7)
        days += draw_days(config.seed, config.random_days, _day(config.first_day), last)
    found += page_view_sources(config.pageviews_mirror, days, config.hours or range(24))
    return found + (list(wordnet_sources(config.wordnet_mirror, languages)) if config.wordnet else [])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HeadtailError(f"{text!r} is no day: 2026-01-31 is") from None


if __name__ == "__main__":
    launch(run)
