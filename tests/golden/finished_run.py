"""Runs that were finished by commit 0452625, kept to show that later versions find them done.

`python -m tests.golden.finished_run` makes finished_run.tar.gz again, with the code that it is started with: run it in
a checkout of the commit that is to be remembered, never to make a test pass. The archive holds what the runs left
behind but for images and shards. A run that is done reads only the size and the time of most inputs.
"""

import fcntl
import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.compose import compose_config
from conf.schema.jobs import BuildMetadataConfig, CurateConfig, ExtractPairsConfig
from curation.core.progress import say
from curation.spark.session import close_session
from jobs import build_metadata, curate, extract_pairs
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings

ARCHIVE = Path(__file__).with_name("finished_run.tar.gz")
MADE_IN = Path("/tmp/headtail-finished-run")
"""The recipes of entry lists and of sampled rows hold the absolute paths of their inputs."""
PORT = 8767
TIME = 1_700_000_000
"""Time of change of every input, seconds."""
SESSION = (LOCAL, "spark.driver_memory=1g")
INPUTS = "inputs.json"
INPUT_FOLDERS = ("crawl/wat", "captions", "warc/")

CAPTIONS = "".join(f"https://example.org/{number}.jpg\ta red kite {number}\n" for number in range(20))
PAGE = b'<html><img src="a.jpg" alt="a red kite"></html>'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
RECORD = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://h.org/\r\nContent-Length: "
    + str(len(HEAD + PAGE)).encode() + b"\r\n\r\n" + HEAD + PAGE + b"\r\n\r\n"
)  # fmt: skip
DUMP = (
    "<mediawiki><siteinfo><dbname>ltgwiki</dbname></siteinfo><page><title>Kite</title><ns>0</ns>"
    "<revision><text>A red kite and a red kite.</text></revision></page></mediawiki>\n"
)


def write_inputs(folder: Path) -> None:
    """Write the inputs that need no image host."""
    for name, data in {
        "captions/a.tsv": CAPTIONS.encode(),
        "warc/a.warc": RECORD,
        "dumps/ltgwiki-20260101-pages-articles.xml": DUMP.encode(),
        "pageviews/pageviews-20260101-000000": b"ltg Kite 100 0\n",
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(data)


def set_times(folder: Path) -> None:
    """Give all files of a folder the same time of change."""
    for path in folder.rglob("*"):
        os.utime(path, (TIME, TIME))


def run_all() -> None:
    """Run each job over the inputs of the working folder, or find it done."""
    folder = Path()
    crawl = [each for each in settings(folder / "crawl", folder / "run") if not each.startswith("output=")]
    lists = f"entry_lists={folder}/crawl/entries"
    first = [f"{name}={folder}/run/{name}" for name in ("pairs", "matches", "entry_counts")]
    second = ["seed=5", "balance.t=3", "balance.headroom=0.7", "balance.unit=image", "filters.near_duplicates=true"]
    hosts = "urls.allow_private_hosts=127.0.0.1/32"
    shards = [
        lists,
        hosts,
        "source=webdataset",
        f"source.paths={folder}/run/shards",
        "download.resize=original",
        "buckets=2",
    ]
    for name, given in {"run": crawl, "second": [*crawl, *first, *second], "webdataset": shards}.items():
        say("run", name)
        set_times(folder / "run" / "shards")
        curate.run(compose_config("curate", CurateConfig, [f"output={folder}/{name}", *SESSION, *given]))
    table = ["source=table", f"source.paths={folder}/captions", "source.names=url,text", "source.limit=7"]
    for name, given in {"table": table, "warc-run": ["source=warc", f"source.paths={folder}/warc"]}.items():
        say("run", name)
        config = compose_config("extract_pairs", ExtractPairsConfig, [f"output={folder}/{name}", *SESSION, *given])
        extract_pairs.run(config)
    say("run", "lists")
    given = [f"dumps={folder}/dumps", f"pageviews={folder}/pageviews", "languages=ltg", "metadata=small"]
    config = compose_config("build_metadata", BuildMetadataConfig, [f"output={folder}/lists", *SESSION, *given])
    build_metadata.run(config)


def keep(folder: Path) -> bytes:
    """Return the archive of what the runs left behind, and of the inputs' sizes."""
    sizes = {}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if not path.is_file() or name.startswith(("crawl/images", "crawl/_", "crawl/b", "crawl/entries/.")):
                continue
            if name.startswith(INPUT_FOLDERS) or path.suffix == ".tar":
                sizes[name] = path.stat().st_size
            elif path.name == "report.json":
                add(archive, name, json.dumps({"run": json.loads(path.read_text())["run"]}).encode())
            elif path.suffix != ".npy" and path.name != "index.html":
                add(archive, name, path.read_bytes())
        add(archive, INPUTS, json.dumps(sizes, indent=1).encode())
    return gzip.compress(buffer.getvalue(), mtime=0)


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file without owner and time."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


@contextmanager
def laid_out() -> Iterator[Path]:
    """Lay the runs out where they were made, with inputs of the same sizes and times; one process at a time."""
    with open(MADE_IN.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(MADE_IN, ignore_errors=True)
        lay_out(MADE_IN)
        yield MADE_IN
        shutil.rmtree(MADE_IN)


def lay_out(folder: Path) -> None:
    """Unpack the archive into a folder, and make the inputs that it names."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    for name, size in json.loads((folder / INPUTS).read_text()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, size)
    for run in ("run", "second", "webdataset"):
        (folder / run / "report" / "index.html").touch()
    set_times(folder)


def main() -> None:
    """Make the runs, and the archive of what they left behind."""
    shutil.rmtree(MADE_IN, ignore_errors=True)
    make_sample(MADE_IN / "crawl", PORT, 0.06)
    write_inputs(MADE_IN)
    set_times(MADE_IN)
    os.chdir(MADE_IN)  # relative paths: the manifests of downloads are hashed with the paths in them
    with ImageHost(MADE_IN / "crawl", PORT):
        run_all()
    close_session()
    ARCHIVE.write_bytes(keep(MADE_IN))
    shutil.rmtree(MADE_IN)


if __name__ == "__main__":
    main()
