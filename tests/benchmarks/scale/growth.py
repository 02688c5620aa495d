"""Ten times the matches: seconds of counting and balancing, and the memory they take.

Synthetic `matches` (tests/benchmarks/generate_matches.py): 3.5 ids a text over 500,000 entries, all columns, 64
buckets. Both tables are worked on in one warm session, the small one again after the large one, its faster round
counting; the forecast of a grid of thresholds runs on the large one too.
"""

import time
from pathlib import Path

from conf.compose import compose_config
from conf.schema.jobs import BalancePairsConfig
from curation.core.tables import Table
from curation.spark.session import close_session, open_session
from jobs import balance_pairs
from tests.benchmarks.balance import TAIL_SHARE, prepare, run_balance, run_count
from tests.benchmarks.memory import PeakMemory


def measure(folder: Path, texts: int) -> dict[str, float]:
    """Count, forecast and balance `texts` texts, and count and balance a tenth of them."""
    large, small = folder / "large", folder / "small"
    started = time.monotonic()
    made, tenth = prepare(large, texts), prepare(small, texts // 10)
    print(f"growth: made {made:,} and {tenth:,} texts in {time.monotonic() - started:.0f} s", flush=True)
    open_session("bench", "local[2]", "1g", {})
    run(small)
    first = run(small)
    with PeakMemory() as memory:
        whole = run(large)
        started = time.monotonic()
        forecast(large)
        forecast_seconds = time.monotonic() - started
    second = run(small)
    close_session()
    count, balance = (min(pair) for pair in zip(first, second, strict=True))
    (part,) = Table(str(large / "curated")).parts()
    return {
        "growth_texts": made,
        "growth_100m": sum(whole) / (count + balance) / (made / tenth),
        "count_seconds": whole[0],
        "balance_seconds": whole[1],
        "forecast_seconds": forecast_seconds,
        "count_seconds_tenth": count,
        "balance_seconds_tenth": balance,
        "curated_bytes_per_image": sum(file["bytes"] for file in part.manifest["files"]) / part.receipt.rows_out,
        "growth_python_driver_gib": memory.driver,
        "growth_jvm_gib": memory.jvm,
        "growth_worker_gib": memory.worker,
        "growth_peak_gib": memory.gib,
    }


def run(output: Path) -> tuple[float, float]:
    """Seconds of counting and of balancing a table anew."""
    start = time.monotonic()
    run_count(output)
    counted = time.monotonic()
    run_balance(output)
    return counted - start, time.monotonic() - counted


def forecast(output: Path) -> None:
    """What `headtail balance_pairs forecast=true` does."""
    overrides = [f"output={output}", f"balance.tail_share={TAIL_SHARE}", "forecast=true", "seed=0"]
    balance_pairs.run(compose_config("balance_pairs", BalancePairsConfig, overrides))
