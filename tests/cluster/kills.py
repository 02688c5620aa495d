"""Random kills over all stages of the sample's curation on a cluster: `python -m tests.cluster.kills seed=1 kills=20`.

Executors, whole workers and drivers are killed without warning, each while a stage that was drawn is at work. A driver
that is gone is started again; what comes out must be the bytes of a run that nobody disturbed. The last line is one
JSON object. `archive=` is the archive of `make pack`.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cluster import Cluster, free_port
from tests.cluster.job import STAGES, Job
from tests.cluster.outcome import leftovers, outcome
from tests.sample.host import ImageHost
from tests.sample.make import make_sample
from tests.sample.run import LOCAL, settings

VICTIMS = ("executor", "executor", "executor", "worker", "driver")
CUT = ("files_per_part=3", "download.images_per_list=32")
"""More tasks, and more parts, than the sample would have."""
MOST_STARTS = 12


@dataclass(frozen=True)
class Kill:
    """Who is killed, and when: so many seconds after a stage has started and an executor is there."""

    stage: str
    victim: str
    which: int
    seconds: float


def draw(random_: random.Random, count: int) -> list[Kill]:
    """Return the kills of one run: at most one in each stage, in the order of stages."""
    stages = sorted(random_.sample(STAGES, min(count, len(STAGES))), key=STAGES.index)
    return [Kill(stage, random_.choice(VICTIMS), random_.randrange(2), random_.uniform(0.0, 2.5)) for stage in stages]


def curate(cluster: Cluster, job: list[str], kills: list[Kill]) -> Counter[str]:
    """Run a job to its end through all kills; returns what happened.

    Who is killed in a stage's last moments may be killed in the next one, and a stage that is done by then when the
    driver starts again is not met.
    """
    happened: Counter[str] = Counter()
    pending = list(kills)
    while happened["starts"] < MOST_STARTS:
        happened["starts"] += 1
        run = Job(cluster.submit("curate", *job))
        while stage := run.starts(*(kill.stage for kill in pending)):
            while pending[0].stage != stage:
                pending.pop(0)
            kill = pending.pop(0)
            if not _strike(cluster, run, kill):
                continue
            happened[kill.victim] += 1
            print(f"{kill.stage:16} {kill.victim} killed after {kill.seconds:.1f} s", file=sys.stderr, flush=True)
            if kill.victim == "driver":
                break
        else:
            code = run.end()
            if "Traceback" in run.said:
                raise AssertionError(run.said)
            if code == 0:
                return happened
            happened["gave_up"] += 1
            print(*run.told[-1:], sep="\n", file=sys.stderr, flush=True)
    raise AssertionError(f"not done after {MOST_STARTS} starts:\n{run.said}")


def _strike(cluster: Cluster, run: Job, kill: Kill) -> bool:
    """Kill, unless the job comes to its end before."""
    deadline = time.monotonic() + 120
    alive = [worker for worker in cluster.workers if worker.process.poll() is None]
    while not any(cluster.executors(worker) for worker in alive):
        if run.process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise TimeoutError(f"no executor came:\n{run.said}")
        time.sleep(0.05)
    time.sleep(kill.seconds)
    if run.process.poll() is not None:
        return False
    if kill.victim == "driver":
        run.kill()
    elif kill.victim == "worker":
        cluster.kill_worker(alive[kill.which % len(alive)])
        cluster.start_worker()
    else:
        busy = [worker for worker in alive if cluster.executors(worker)] or alive
        cluster.kill_executor(busy[kill.which % len(busy)])
    return True


def main(seed: int = 1, kills: int = 20, archive: str = "dist/headtail-env.tar.gz") -> int:
    """Draw the kills and live through them; returns the exit code."""
    began = time.monotonic()
    happened: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="headtail-kills-") as scratch:
        folder, port = Path(scratch), free_port()
        make_sample(folder / "crawl", port=port, scale=0.25)
        with ImageHost(folder / "crawl", port), Cluster(folder / "cluster", Path(archive).resolve()) as cluster:
            command = [sys.executable, "-m", "jobs.curate", *settings(folder / "crawl", folder / "local"), *CUT, LOCAL]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=os.environ)
            expected = outcome(folder / "local")
            random_ = random.Random(seed)
            runs, same, left = 0, 0, []
            while (met := sum(happened[victim] for victim in set(VICTIMS))) < kills:
                output = folder / f"run-{runs}"
                happened += curate(cluster, [*settings(folder / "crawl", output), *CUT], draw(random_, kills - met))
                runs += 1
                same += outcome(output) == expected
                left += leftovers(output)
    result = {
        "seed": seed,
        "kills": met,
        **{f"{victim}s_killed": happened[victim] for victim in sorted(set(VICTIMS))},
        "starts": happened["starts"],
        "jobs_that_gave_up": happened["gave_up"],
        "runs": runs,
        "runs_with_the_same_bytes": same,
        "leftovers": left,
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(result))
    return 0 if same == runs and not left else 1


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    sys.exit(main(**{key: int(value) if value.isdigit() else value for key, value in given.items()}))
