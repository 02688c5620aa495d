"""The sample's curation on an object store with faults: `python -m tests.cluster.store_faults`.

The store is a server of its own at 127.0.0.1 (tests/faulty_store.py). The job reads from it and writes to it, and goes
on through what the store does; where it ends, it ends with one line, and goes on when it is started again. Either way
it ends with the bytes of a run that met no fault. The last line of output is one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.cluster import free_port
from tests.cluster.kills import CUT
from tests.cluster.outcome import leftovers, outcome
from tests.faulty_store import Faults, FaultyStore, store_found_in
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, changed, settings

NEVER = 1_000_000
FAULTS: Mapping[str, Faults] = {
    "none": Faults(),
    "slow_down": Faults(slow_down=0.05),
    "broken": Faults(broken_upload=0.05, broken_download=0.05, internal_error=0.02),
    "half_done": Faults(lost_answer=0.1, refused_delete=0.5),
    "expiring": Faults(expire_after=500, renewed_after=3),
    "slow": Faults(upload_seconds=0.2),
    "all": Faults(
        slow_down=0.01, broken_upload=0.02, broken_download=0.02, internal_error=0.01, lost_answer=0.02,
        refused_delete=0.2, expire_after=1000, renewed_after=3,
    ),
    "down": Faults(down_after=400),
    "expired": Faults(expire_after=400, renewed_after=NEVER),
}  # fmt: skip
"""`down` and `expired` end the job; the next start meets no fault."""


def curate(store: FaultyStore, crawl: Path, name: str) -> tuple[int, str]:
    """Run the job; returns its exit code and what it said."""
    places = [
        f"output=s3://bucket/{name}",
        "source.paths=s3://bucket/crawl/wat",
        "entry_lists=s3://bucket/crawl/entries",
    ]
    job = [*changed(settings(crawl, Path(name)), places), *CUT, LOCAL]
    cache = {"XDG_CACHE_HOME": str(crawl.parent / name)}  # entry lists are copied anew
    command = [sys.executable, "-m", "jobs.curate", *job]
    done = subprocess.run(
        command, env={**os.environ, **store.environment, **cache}, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


def meet(name: str, store: FaultyStore, crawl: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the job through faults, and again without if it has ended; returns what happened, and its outcome."""
    store.begin(FAULTS[name])
    start = time.monotonic()
    code, said = curate(store, crawl, name)
    lines = said.splitlines()
    told = {
        "exit_code": code,
        "seconds": round(time.monotonic() - start),
        "said": lines[-1] if code else "",
        "requests": dict(store.requests),
        "received_bytes": store.received,
        "sent_bytes": store.sent,
        "faults": dict(store.failed),
        "lines_about_faults": sum(line.startswith("store ") for line in lines),
        "first_line": next((line for line in lines if line.startswith("store ")), ""),
    }
    print(name, json.dumps(told), file=sys.stderr, flush=True)
    if "Traceback" in said:
        raise AssertionError(said)
    store.begin(Faults())
    if code:
        code, said = curate(store, crawl, name)
        if code:
            raise AssertionError(said)
    copy = crawl.parent / "copies" / name
    with store_found_in(store) as fs:
        fs.get(f"bucket/{name}/", f"{copy}/", recursive=True)
        uploads = len(fs.list_multipart_uploads("bucket"))
    return told | {"leftovers": leftovers(copy), "unfinished_uploads": uploads}, outcome(copy)


def main(faults: str = ",".join(FAULTS)) -> int:
    """Meet each fault; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="headtail-store-") as scratch:
        crawl, port = Path(scratch) / "crawl", free_port()
        make_sample(crawl, port=port, scale=0.25)
        with FaultyStore(Path(scratch)) as store, ImageHost(crawl, port):
            with store_found_in(store) as fs:
                fs.mkdir("bucket")
                fs.put(f"{crawl}/wat/", "bucket/crawl/wat/", recursive=True)
                fs.put(f"{crawl}/entries/", "bucket/crawl/entries/", recursive=True)
            found: dict[str, Any] = {}
            outcomes: dict[str, Any] = {}
            for name in dict.fromkeys(("none", *faults.split(","))):
                found[name], outcomes[name] = meet(name, store, crawl)
                found[name]["same_bytes"] = outcomes[name] == outcomes["none"]
                print(name, found[name]["same_bytes"], found[name]["leftovers"], file=sys.stderr, flush=True)
    print(json.dumps(found))
    return 0 if all(one["same_bytes"] and not one["leftovers"] for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(**dict(argument.split("=", 1) for argument in sys.argv[1:])))
