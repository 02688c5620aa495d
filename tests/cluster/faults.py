"""Machines with faults, on a cluster: `python -m tests.cluster.faults` (as root, archive= of `make pack`).

Each fault is given to both workers of a cluster, or to one, by mounts and a network of its own. The job goes on or ends
with one line; started again without the fault, it ends with the bytes of a run that met none. The last line of output
is one JSON object: what each job said last, and whether the bytes are the same.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.cluster import HOST, Cluster, free_port
from tests.cluster.job import Job
from tests.cluster.kills import CUT
from tests.cluster.outcome import leftovers, outcome
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings

NETWORK, HERE, THERE = "headtail", "10.233.0.1", "10.233.0.2"
FAULTS = ("unseen", "unseen_by_one", "read_only", "full", "cut_off", "one_cut_off", "executor_lost", "no_archive")


def mounting(command: str) -> list[str]:
    """Return what runs a worker in a view of the files of its own, changed by a shell command first."""
    return ["unshare", "--mount", "sh", "-c", f'{command} && exec "$@"', "sh"]


@contextmanager
def network() -> Iterator[Sequence[str]]:
    """A network of its own, which reaches HERE, but nothing at 127.0.0.1; yields what runs a command in it."""
    inside = ["ip", "netns", "exec", NETWORK]
    setup = (
        ["ip", "netns", "add", NETWORK],
        ["ip", "link", "add", "headtail0", "type", "veth", "peer", "name", "headtail1", "netns", NETWORK],
        ["ip", "address", "add", f"{HERE}/24", "dev", "headtail0"],
        ["ip", "link", "set", "headtail0", "up"],
        [*inside, "ip", "address", "add", f"{THERE}/24", "dev", "headtail1"],
        [*inside, "ip", "link", "set", "headtail1", "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
    )
    try:
        for command in setup:
            subprocess.run(command, check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "delete", NETWORK], check=False)


def meet(fault: str, folder: Path, archive: Path, port: int, expected: dict) -> dict:
    """Start the job on a cluster with a fault, then without one; returns what happened."""
    output, crawl = folder / fault / "shared" / "run", folder / "crawl"
    output.mkdir(parents=True)
    job = [*settings(crawl, output), *CUT]
    with ExitStack() as stack:
        if fault == "full":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(output)], check=True)
            stack.callback(subprocess.run, ["umount", str(output)], check=False)
        host = HERE if fault == "one_cut_off" else HOST
        within = stack.enter_context(network()) if fault == "one_cut_off" else ()
        if fault.startswith("unseen"):
            within = mounting(f"mount -t tmpfs tmpfs {output.parent}")
        elif fault == "read_only":
            within = mounting(f"mount --bind {output} {output} && mount -o remount,ro,bind {output}")
        cluster = stack.enter_context(Cluster(folder / fault / "cluster", archive, 0, host))
        if "one" in fault.split("_"):
            cluster.start_worker(within, THERE if host == HERE else None)
            cluster.start_worker()
        else:
            cluster.start_worker(within)
            cluster.start_worker(within)
        cluster.wait_for_workers(2)
        if fault != "cut_off":
            stack.enter_context(ImageHost(crawl, port))
        tries = {"spark.task.maxFailures": "4"}
        if fault == "executor_lost":
            tries = {"spark.task.maxFailures": "1", "spark.excludeOnFailure.enabled": "false"}
        run = Job(cluster.submit("curate", *job, conf=tries, archived=fault != "no_archive"))
        if fault == "executor_lost" and run.starts("match_pairs"):
            while not all(map(cluster.executors, cluster.workers)):
                time.sleep(0.1)
            time.sleep(0.5)  # for their tasks to begin
            for worker in cluster.workers:
                cluster.kill_executor(worker)
        code = run.end()
        if "Traceback" in run.said:
            raise AssertionError(run.said)
        told = {"exit_code": code, "said": run.told[-1] if code else "", "lines": len(run.lines)}
        print(fault, json.dumps(told), file=sys.stderr, flush=True)
        if code and fault == "full":
            subprocess.run(["mount", "-o", "remount,size=64m", str(output)], check=True)
        if code:
            command = [sys.executable, "-m", "jobs.curate", *job, LOCAL]
            if fault == "cut_off":
                stack.enter_context(ImageHost(crawl, port))
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return told | {"same_bytes": outcome(output) == expected, "leftovers": leftovers(output)}


def main(archive: str = "dist/headtail-env.tar.gz", faults: str = ",".join(FAULTS)) -> int:
    """Meet each fault; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="headtail-faults-") as scratch:
        folder, port = Path(scratch), free_port()
        make_sample(folder / "crawl", port=port, scale=0.25)
        with ImageHost(folder / "crawl", port):
            command = [sys.executable, "-m", "jobs.curate", *settings(folder / "crawl", folder / "local"), *CUT, LOCAL]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        expected = outcome(folder / "local")
        found = {fault: meet(fault, folder, Path(archive).resolve(), port, expected) for fault in faults.split(",")}
    print(json.dumps(found))
    return 0 if all(one["same_bytes"] and not one["leftovers"] for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main(**dict(argument.split("=", 1) for argument in sys.argv[1:])))
