"""The sample curated on a cluster, from the packed archive alone."""

import subprocess
from pathlib import Path

from tests.cluster.cluster import Cluster, session
from tests.cluster.kills import CUT, Kill
from tests.cluster.kills import curate as curate_through
from tests.cluster.outcome import leftovers, outcome
from tests.jobs.conftest import Sample

SYSTEM = ("/usr/lib/", "/lib/", "/dev/", "/etc/")


def mapped_files(cluster: Cluster) -> set[str]:
    """Files that the Python processes of the workers hold in memory: programs, libraries, entry lists."""
    found = set()
    for worker in cluster.workers:
        for pid, command in session(worker.process.pid):
            if Path(command.split(" ")[0]).name.startswith("python"):
                try:
                    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
                except OSError:
                    continue
                found |= {line.split(maxsplit=5)[5] for line in lines if "/" in line}
    return found


def test_a_cluster_makes_the_bytes_of_a_local_run_from_the_archive_alone(
    cluster: Cluster, sample: Sample, finished: Path, tmp_path: Path
) -> None:
    job = cluster.submit("curate", *sample.settings(tmp_path / "run"))
    mapped: set[str] = set()
    while True:
        try:
            told, _ = job.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            mapped |= mapped_files(cluster)
    assert job.returncode == 0, told
    assert outcome(tmp_path / "run") == outcome(finished)
    assert leftovers(tmp_path / "run") == []
    # Two executors were at work, each with its own copy of the archive, and with nothing of this environment.
    for worker in cluster.workers:
        own = [path for path in mapped if path.startswith(f"{worker.folder}/")]
        assert any("/env/python/bin/python" in path for path in own)
        assert any("/env/packages/numba/" in path for path in own)
    allowed = (*SYSTEM, *(f"{worker.folder}/" for worker in cluster.workers), f"{sample.folder}/", f"{tmp_path}/")
    assert [path for path in mapped if not path.startswith(allowed)] == []


def test_whoever_is_killed_the_bytes_are_the_same(
    cluster: Cluster, sample: Sample, finished: Path, tmp_path: Path
) -> None:
    """`python -m tests.cluster.kills` kills more, at random."""
    kills = [
        Kill("extract_pairs", "executor", 0, 1.0),
        Kill("match_pairs", "driver", 0, 1.0),
        Kill("download_images", "worker", 0, 0.5),
    ]
    happened = curate_through(cluster, [*sample.settings(tmp_path / "run"), CUT[1]], kills)
    assert [happened[victim] for victim in ("executor", "driver", "worker")] == [1, 1, 1]
    undisturbed, disturbed = outcome(finished), outcome(tmp_path / "run")
    lists = [key for key in undisturbed | disturbed if key.startswith("lists ")]  # cut otherwise
    assert {**disturbed, **dict.fromkeys(lists)} == {**undisturbed, **dict.fromkeys(lists)}
    assert leftovers(tmp_path / "run") == []
