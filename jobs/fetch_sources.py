"""Download the inputs of build_metadata: page dumps, page views, wordnets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headtail.start import launch
from conf.schema.jobs import FetchSourcesConfig
from curation.core.amounts import are, byte_size, counted
from curation.core.beats import Pulse
from curation.core.credentials import cut_path
from curation.core.errors import HeadtailError
from curation.core.meter import BYTES
from curation.core.outputs import free_bytes
from curation.core.progress import Amount, say, step
from curation.core.storage import exists, read_json, write_json
from curation.core.tables import MANIFEST, versions
from jobs.outputs import writing
from metadata.fetch.catalogue import Source, draw_days, dump_sources, page_view_sources, parse_day, wordnet_sources
from metadata.fetch.cost import CORE_HOURS_PER_GB, cost_line, fetch_costs
from metadata.fetch.fetcher import Fetcher, FetchSettings, MissingError
from metadata.lists.inputs import chosen_languages
from metadata.sources.wordnet import LICENCE, copy_shipped

NAME = "fetch_sources"


@writing(NAME, lambda config: [config.sources])
def run(config: FetchSourcesConfig) -> None:
    """Download every file that does not exist yet; the job fails at the end if servers lack files, and names them."""
    user_agent = f"headtail/{versions()['headtail']} ({config.contact or 'no contact given'})"
    fetcher = Fetcher(
        FetchSettings(user_agent, config.pause_seconds, config.retries, config.retry_seconds, config.timeout_seconds)
    )
    folder = Path(config.sources)
    manifest = str(folder / MANIFEST)
    files = {row["path"]: row for row in read_json(manifest)["files"]} if exists(manifest) else {}
    missing: list[str] = []
    fetched = 0
    sources = plan(config, fetcher, missing)
    copies = has_shipped_wordnet(config)
    if not sources and not missing and not copies:
        raise HeadtailError(
            "nothing to fetch: set dump to a date or latest, days or random_days for page views, or wordnet=true for "
            "languages that have one"
        )
    check_space(config, sources, fetcher)
    if config.dry_run:
        return
    for path, digest in copy_shipped(folder / "wordnet" / "eng") if copies else ():
        name = path.relative_to(folder).as_posix()
        files[name] = {
            "kind": "wordnet", "path": name, "url": "", "sha256": digest, "bytes": path.stat().st_size,
            "verified": True, "licence": LICENCE,
        }  # fmt: skip
        fetched += 1
        say(NAME, f"{name} (comes with headtail)")
        write_manifest(manifest, files)
    amount = Amount(None, BYTES)

    def told() -> Pulse:
        amount.total = fetcher.file_bytes
        return Pulse(bytes=fetcher.written_bytes, processes=1)

    for source in sources:
        try:
            with step(source.path, 0, told, amount):
                digest = fetcher.fetch(source.url, folder / source.path, source.checksum)
        except MissingError as error:
            missing.append(str(error))
            continue
        fetched += 1
        say(NAME, source.path)
        files[source.path] = {
            "kind": source.kind, "path": source.path, "url": cut_path(source.url), "sha256": digest,
            "bytes": (folder / source.path).stat().st_size, "verified": source.checksum is not None,
            "licence": source.licence,
        }  # fmt: skip
        write_manifest(manifest, files)
    say(NAME, f"done: {counted(fetched, 'files')} in {folder}")
    if missing:
        raise HeadtailError(f"{counted(len(missing), 'files')} {are(len(missing))} missing: {'; '.join(missing)}")


def write_manifest(path: str, files: dict[str, dict]) -> None:
    """Write the manifest of the fetched files."""
    write_json(path, {"files": [files[name] for name in sorted(files)], "versions": versions()})


def has_shipped_wordnet(config: FetchSourcesConfig) -> bool:
    """Return whether a wordnet that comes with headtail is one of those that are asked for."""
    return config.wordnet and "en" in [language.code for language in chosen_languages(config.languages)]


def check_space(config: FetchSourcesConfig, sources: Sequence[Source], fetcher: Fetcher) -> None:
    """Say what the download costs; raises HeadtailError if it is larger than the free space of the disk."""
    paths = {source.path: Path(config.sources, source.path) for source in sources}
    absent = [source for source in sources if source.kind in CORE_HOURS_PER_GB and not paths[source.path].exists()]
    if len(absent) > 1:
        say(NAME, f"asks for the sizes of some of {counted(len(absent), 'files')}")
    costs = fetch_costs(absent, fetcher.size)
    if not costs:
        return
    begun = [path.with_name(f"{path.name}.part") for path in paths.values()]
    free = free_bytes(config.sources) + sum(path.stat().st_size for path in begun if path.exists())
    say(NAME, cost_line(costs, free))
    expected = sum(cost.bytes or 0.0 for cost in costs)
    if expected > free and not config.dry_run:
        raise HeadtailError(
            f"sources={config.sources}: the download is {byte_size(expected)}, and {byte_size(free)} are free: "
            "make room, choose another folder, or ask for fewer languages or days"
        )


def plan(config: FetchSourcesConfig, fetcher: Fetcher, missing: list[str]) -> list[Source]:
    """Return the files to download; `missing` gets a line for each wiki without a dump."""
    languages = chosen_languages(config.languages)
    sources: list[Source] = []
    for language in languages if config.dump != "none" else []:
        try:
            sources += dump_sources(fetcher, config.dumps_mirror, language, config.dump)
        except MissingError as error:
            missing.append(str(error))
    days = [parse_day(day) for day in config.days]
    if config.random_days:
        last = parse_day(config.last_day) if config.last_day else datetime.now(UTC).date() - timedelta(7)
        days += draw_days(config.seed, config.random_days, parse_day(config.first_day), last)
    sources += page_view_sources(config.pageviews_mirror, days, config.hours or range(24))
    return sources + (list(wordnet_sources(config.wordnet_mirror, languages)) if config.wordnet else [])


if __name__ == "__main__":
    launch(run)
