"""A stream of samples that is balanced while it is read: an IterableDataset of PyTorch, where PyTorch is installed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from curation.balancing.worker_state import Positions
from curation.core.errors import HeadtailError
from headtail.balancer import Balancer
from headtail.goals import check_number

try:
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError:  # without PyTorch it is a plain iterable, which draws alike
    IterableDataset = object

    def get_worker_info() -> Any:
        """Return None: this is no worker of a loader."""
        return None


@contextmanager
def _as_error() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise HeadtailError(str(error)) from error


class BalancedDataset(IterableDataset):
    """The samples of an iterable that a `Balancer` keeps, drawn anew in each epoch.

    `samples` are mappings, such as {"text": ..., "url": ..., "image": ...}; the balancer names their columns. Over many
    epochs a model sees all of the head, a part at a time. With `redraw=False` every epoch keeps the same samples, those
    of `Matches.balance`. A draw depends on the seed, the epoch, the uid and the text alone, and not on workers: split
    `samples` among these as without balancing. `buffer` samples are matched at once.

    Each pass of a worker is an epoch, counted from 0, even if the loader starts new workers for it; `set_epoch` sets
    the number of the next one. `state_dict` and `load_state_dict` resume within an epoch. Raises HeadtailError where a
    sample lacks a column.

    >>> import numpy as np
    >>> from headtail import EntryList
    >>> balancer = Balancer(EntryList(["dog", "cat"]), {"en": np.array([4, 1])}, t=2, uid="key")
    >>> stream = BalancedDataset([{"text": "a dog", "key": "1"}, {"text": "a cat", "key": "2"}], balancer)
    >>> [[sample["key"] for sample in stream] for epoch in range(4)]
    [['1', '2'], ['1', '2'], ['2'], ['2']]
    """

    def __init__(
        self, samples: Iterable[Mapping[Any, Any]], balancer: Balancer, *, redraw: bool = True, buffer: int = 256
    ) -> None:
        check_number("buffer", buffer, 1, 1 << 24)
        self.samples, self.balancer, self.redraw, self.buffer = samples, balancer, redraw, int(buffer)
        self._positions = Positions()

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch, for all workers."""
        check_number("epoch", epoch, 0, 1 << 62)
        self._positions.set_epoch(int(epoch))

    def state_dict(self) -> dict[str, Any]:
        """Return how many samples have been yielded in this epoch: in a worker its own, else those of all workers.

        In the process of the trainer, workers are ahead of it by what they have prefetched. `position_after` tells the
        state from the batches that the trainer has had.
        """
        info = get_worker_info()
        return self._positions.state(info.id, info.num_workers) if info else self._positions.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next epoch go on after a state of `state_dict` or `position_after`.

        Samples that had been yielded are read and drawn, and passed over: `samples` must come in the same order, and
        to the same number of workers. Raises HeadtailError for what is no state.
        """
        with _as_error():
            self._positions.load(state)

    def __iter__(self) -> Iterator[Mapping[Any, Any]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        with _as_error():
            epoch, skipped = self._positions.begin(worker, workers)
        for sample in self._balanced(epoch):
            if skipped:
                skipped -= 1
                continue
            self._positions.count(worker)
            yield sample
        with _as_error():
            self._positions.end(worker, skipped)

    def _balanced(self, epoch: int) -> Iterator[Mapping[Any, Any]]:
        waiting: list[Mapping[Any, Any]] = []
        for sample in self.samples:
            waiting.append(sample)
            if len(waiting) == self.buffer:
                yield from self._kept(waiting, epoch)
                waiting = []
        if waiting:
            yield from self._kept(waiting, epoch)

    def _kept(self, samples: Sequence[Mapping[Any, Any]], epoch: int) -> Iterator[Mapping[Any, Any]]:
        names = self.balancer.columns(samples[0])
        if missing := next((name for name in names for sample in samples if name not in sample), None):
            raise HeadtailError(f"a sample has no {missing!r}: each needs {', '.join(map(repr, names))}")
        batch = {name: [sample[name] for sample in samples] for name in names}
        kept = self.balancer.keep(batch, epoch if self.redraw else None)
        return (sample for sample, keep in zip(samples, kept, strict=True) if keep)
