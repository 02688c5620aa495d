"""What the workers of a loader share: where each of them is in its epoch, and what they have counted.

Both lie in shared memory, because a loader may start its workers from the same object again in each epoch.
"""

import multiprocessing
from collections.abc import Mapping, Sequence
from typing import Any

MAX_WORKERS = 4096
_NEVER, _BETWEEN = -2, -1
"""Instead of a number of samples: the worker has begun no epoch yet; it is between two epochs."""


class Positions:
    """The epoch of each worker, and how many samples the worker has yielded in it.

    A state is {"workers": n, "positions": [[worker, epoch, yielded], ...]}: plain values, for JSON or a checkpoint. In
    an epoch that is resumed, a worker passes over the samples that the state says it has yielded.
    """

    def __init__(self) -> None:
        self._next = _shared(MAX_WORKERS)
        self._yielded = _shared(MAX_WORKERS)
        self._yielded[:] = [_NEVER] * MAX_WORKERS
        self._skip = _shared(MAX_WORKERS)
        self._loaded = _shared(1)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch for all workers, from its first sample on."""
        self._next[:] = [epoch] * MAX_WORKERS
        self._skip[:] = [0] * MAX_WORKERS

    def begin(self, worker: int, workers: int, epoch: int | None = None) -> tuple[int, int]:
        """Begin an epoch of a worker; return its number, and the number of samples to pass over.

        Without `epoch` the worker counts its epochs itself. Raises ValueError where the loaded state is of another
        number of workers, or of another epoch.
        """
        if any(self._skip) and workers != self._loaded[0]:
            raise ValueError(
                f"the state is of a loader with {self._loaded[0]} workers, this one has {workers}: "
                "a position can be resumed with the same number only"
            )
        skip = self._skip[worker]
        if epoch is None:
            epoch = self._next[worker]
        elif skip and epoch != self._next[worker]:
            raise ValueError(
                f"the state is of epoch {self._next[worker]}, the trainer begins epoch {epoch}: set its epoch first"
            )
        self._skip[worker] = 0
        self._next[worker] = epoch + 1
        self._yielded[worker] = skip
        return epoch, skip

    def count(self, worker: int) -> None:
        """Count a sample that the worker is about to yield."""
        self._yielded[worker] += 1

    def end(self, worker: int, missing: int) -> None:
        """End the epoch of a worker; raises ValueError where samples to pass over are missing."""
        if missing:
            raise ValueError(
                f"the state is {missing} samples beyond the end of epoch {self._next[worker] - 1} of worker {worker}: "
                "it is of other samples or settings"
            )
        self._yielded[worker] = _BETWEEN

    def state(self, worker: int | None = None, workers: int = 1) -> dict[str, Any]:
        """Return the state of a worker, or in the process of the trainer (None) that of all that have begun."""
        if worker is not None:
            return {"workers": workers, "positions": [self._position(worker)]}
        begun = max((place for place, yielded in enumerate(self._yielded) if yielded != _NEVER), default=0) + 1
        return {"workers": begun, "positions": [self._position(each) for each in range(begun)]}

    def _position(self, worker: int) -> list[int]:
        if self._yielded[worker] < 0:
            return [worker, self._next[worker], self._skip[worker]]
        return [worker, self._next[worker] - 1, self._yielded[worker]]

    def load(self, state: Mapping[str, Any]) -> None:
        """Let the next epoch of each worker go on after a state; raises ValueError for what is no state."""
        workers, positions = _checked(state)
        self._loaded[0] = workers
        if len(positions) == workers:  # the state of a whole loader: no further worker begins an earlier epoch
            self._next[:] = [max(epoch for _, epoch, _ in positions)] * MAX_WORKERS
            self._skip[:] = [0] * MAX_WORKERS
        for worker, epoch, yielded in positions:
            self._next[worker], self._skip[worker], self._yielded[worker] = epoch, yielded, _BETWEEN


class WorkerCounts:
    """Numbers that workers count, each for itself; `total` adds them up."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._places = {name: place for place, name in enumerate(self.names)}
        self._counts = _shared(MAX_WORKERS * len(self.names))

    def add(self, worker: int, name: str) -> None:
        """Count one."""
        self._counts[worker * len(self.names) + self._places[name]] += 1

    def total(self) -> dict[str, int]:
        """Return the counts of all workers together."""
        return {name: sum(self._counts[place :: len(self.names)]) for name, place in self._places.items()}


def position_after(batches: int, batch_size: int, workers: int = 0, epoch: int = 0) -> dict[str, Any]:
    """Return the state of a loader after some batches of an epoch, for `load_state_dict`.

    For PyTorch's DataLoader, which takes batches from its workers in turn: it is exact as long as none of them has come
    to the end of its samples, every batch so far is full, and nothing behind the balancing drops samples. `workers` is
    `num_workers`; 0 is the process of the trainer itself.

    >>> position_after(5, batch_size=8, workers=2, epoch=3)
    {'workers': 2, 'positions': [[0, 3, 24], [1, 3, 16]]}
    """
    count = max(1, workers)
    positions = [[each, epoch, batch_size * ((batches - each + count - 1) // count)] for each in range(count)]
    state = {"workers": count, "positions": positions}
    _checked(state)
    return state


def _checked(state: Mapping[str, Any]) -> tuple[int, list[list[int]]]:
    workers, positions = state.get("workers"), state.get("positions")
    numbers: list[Any] = [workers, *(number for each in positions or [] for number in each)]
    if not positions or any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers):
        raise ValueError(f"{str(state)[:200]} is no state of a loader: expected workers and positions, whole numbers")
    workers = int(numbers[0])
    if not 1 <= workers <= MAX_WORKERS or any(len(each) != 3 or each[0] >= workers for each in positions):
        raise ValueError(f"{str(state)[:200]} is no state of a loader: a position is a worker, its epoch and samples")
    return workers, [list(each) for each in positions or []]


def _shared(numbers: int) -> Any:
    return multiprocessing.Array("q", numbers, lock=False)
