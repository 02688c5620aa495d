"""Run the parts that arguments name, or all, and print one JSON object last.

Arguments: parts=plan,growth,shuffle,skew,workers archives=100000 texts=100000000 shuffle_rows=1400000
shuffle_buckets=64 icon_texts=2000000 megabytes=150 rows=800000 rounds=2
folder=(where temporary files go; growth needs 10 GB)
"""

import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.scale import growth, plan, shuffle, skew, workers

PARTS = {
    "plan": lambda folder, given: plan.measure(folder, int(given.get("archives", 100_000))),
    "growth": lambda folder, given: growth.measure(folder, int(given.get("texts", 100_000_000))),
    "shuffle": lambda folder, given: shuffle.measure(
        folder, int(given.get("shuffle_rows", 1_400_000)), int(given.get("shuffle_buckets", 64))
    ),
    "skew": lambda folder, given: skew.measure(folder, int(given.get("icon_texts", 2_000_000))),
    "workers": lambda folder, given: workers.measure(
        folder, int(given.get("megabytes", 150)), int(given.get("rows", 800_000)), int(given.get("rounds", 2))
    ),
}


def main() -> None:
    """Run each part in a temporary folder of its own."""
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    found: dict[str, float] = {}
    for name in given.get("parts", ",".join(PARTS)).split(","):
        with tempfile.TemporaryDirectory(dir=given.get("folder"), prefix=f"headtail-{name}-") as folder:
            figures = PARTS[name](Path(folder), given)
        print(f"{name}: {figures}", flush=True)
        found |= figures
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
