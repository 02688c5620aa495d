"""Balance a stream in a real PyTorch loader, and with Hugging Face datasets: `make check-training`.

Exit code 0 only if workers, however they start, yield what one process yields.
"""

import os
import sys
from collections.abc import Iterator

import numpy as np

import headtail

SAMPLES, T, EPOCHS, WORKERS = 400, 100, 3, 2
TEXTS = ["a dog"] * SAMPLES + ["a cat", "no entry"]
URLS = [f"https://example.org/{number}.jpg" for number in range(SAMPLES + 2)]
ENTRIES = headtail.EntryList(["dog", "cat"])


def balancer() -> headtail.Balancer:
    """A filter that keeps a quarter of the samples, and the one of the tail."""
    return headtail.Balancer(ENTRIES, {"en": np.array([SAMPLES, 1])}, T, seed=3)


class Divided:
    """The samples, divided among the workers of a loader."""

    def __iter__(self) -> Iterator[dict]:
        from torch.utils.data import get_worker_info

        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for number in range(first, len(URLS), step):
            yield {"text": TEXTS[number], "url": URLS[number]}


def check_loader(start: str, persistent: bool) -> None:
    """Compare the epochs of a DataLoader with those of this process."""
    from torch.utils.data import DataLoader, IterableDataset

    alone, shared = (headtail.BalancedDataset(Divided(), balancer()) for _ in range(2))
    assert isinstance(shared, IterableDataset)
    loader = DataLoader(
        shared, batch_size=8, num_workers=WORKERS, multiprocessing_context=start, persistent_workers=persistent
    )
    expected = [sorted(sample["url"] for sample in alone) for _ in range(EPOCHS)]
    found = [sorted(url for batch in loader for url in batch["url"]) for _ in range(EPOCHS)]
    print(f"samples in {EPOCHS} epochs, workers by {start}, persistent {persistent}: {[len(each) for each in found]}")
    if found != expected or len({tuple(each) for each in found}) < EPOCHS:
        sys.exit(f"expected other samples: {[len(each) for each in expected]}")


def check_datasets() -> None:
    """Compare what `datasets` keeps, whole and as a stream, with the balanced table."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    from datasets import Dataset

    dataset = Dataset.from_dict({"text": TEXTS, "url": URLS})
    expected = headtail.match(dataset, ENTRIES).balance(T, seed=3)["url"].to_pylist()
    kept = dataset.filter(balancer(), batched=True)["url"][:]
    streamed = [row["url"] for row in dataset.to_iterable_dataset().filter(balancer(), batched=True)]
    told = dataset.map(balancer().annotate, batched=True)
    marked = [row["url"] for row in told if row["kept"]]
    print(f"samples that datasets keeps: {len(kept)}")
    if not expected == kept == streamed == marked:
        sys.exit(f"expected {len(expected)} samples, got {len(kept)}, streamed {len(streamed)}, marked {len(marked)}")


if __name__ == "__main__":
    for start in ("fork", "spawn"):
        for persistent in (False, True):
            check_loader(start, persistent)
    check_datasets()
