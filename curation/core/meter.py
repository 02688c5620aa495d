"""The measure of a step: how far it is, its rate, the time that is left, and the line that shows them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from curation.core.amounts import byte_size, counted

BYTES = "bytes"
TASKS = "tasks"
SHOWN_REASONS = 3
MAX_SAMPLES = 240
WINDOW_SECONDS = 60.0
"""The rate is that of the last minute, or of the last half of the time if that is longer."""
SETTLED_SECONDS = 3.0
"""No time left is told from a shorter measure."""
BARS = ((140, 30), (100, 14), (80, 8))
"""Columns of a terminal from which on it shows a bar, and the width of the bar."""
GAP = "  "


@dataclass(frozen=True)
class Reading:
    """How far a step is at one moment, in its unit (bytes, images, ...) and in tasks.

    `total` is None where nobody knows it. `reasons` counts what was dropped or has failed. `step` names the step
    within its stage; `note` says what its tasks do instead of their rows, such as compiling kernels.
    """

    step: str = ""
    unit: str = TASKS
    done: float = 0
    total: float | None = None
    tasks_done: int = 0
    tasks: int = 0
    reasons: Mapping[str, int] = field(default_factory=Counter)
    note: str = ""

    @property
    def starts(self) -> bool:
        """Whether its first tasks still compile or start: their pace tells nothing of that of the rows."""
        return bool(self.note) and not self.tasks_done

    @property
    def step_texts(self) -> list[str]:
        """The step with its note, and a shorter form."""
        return [f"{self.step} ({self.note})", self.note] if self.note else [self.step]

    @property
    def share(self) -> float | None:
        """The share that is done, in [0, 1]; None if it is unknown."""
        if self.total:
            return min(1.0, self.done / self.total)
        return min(1.0, self.tasks_done / self.tasks) if self.tasks else None


class Meter:
    """The rate of a step and the time that is left, from samples (seconds, done, share)."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float, float]] = []
        self._unit = ""

    def begin(self, seconds: float) -> None:
        """Measure from this moment on, unless the measure has begun: a step may wait for the one before it."""
        self._samples = self._samples or [(seconds, 0.0, 0.0)]

    def add(self, seconds: float, reading: Reading) -> None:
        """Add a sample; of many samples every second one is dropped, so their number is bounded.

        A step that goes on in another unit, as from images to the tasks of a shuffle, is measured from there on, and
        one whose tasks have started, as with the compiling of kernels, from their first rows on.
        """
        if reading.starts:
            self._samples, self._unit = [(seconds, reading.done, reading.share or 0.0)], reading.unit
            return
        if self._unit and reading.unit != self._unit:
            before = self._samples[-1][0]
            self._samples = [(before, 0.0, 0.0)] if seconds > before else []
        self._unit = reading.unit
        if not self._samples and seconds > 0:
            self._samples.append((0.0, 0.0, 0.0))
        self._samples.append((seconds, reading.done, reading.share or 0.0))
        if len(self._samples) > MAX_SAMPLES:
            last = self._samples[-1]
            self._samples = self._samples[::2]
            if self._samples[-1] != last:
                self._samples.append(last)

    def _speed(self, column: int) -> float | None:
        """Return the change of a column per second: of the window, or of the whole time if nothing moved in it."""
        if len(self._samples) < 2:
            return None
        last = self._samples[-1]
        begin = last[0] - max(WINDOW_SECONDS, last[0] / 2)
        within = next((sample for sample in self._samples if sample[0] >= begin), self._samples[0])
        for first in (within, self._samples[0]):
            if last[0] > first[0] and last[column] > first[column]:
                return (last[column] - first[column]) / (last[0] - first[0])
        return None

    @property
    def rate(self) -> float | None:
        """Units per second, None if nothing has moved yet."""
        return self._speed(1)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the step ends at its present speed, None if nothing has moved yet, or only just."""
        speed = self._speed(2)
        if speed is None:
            return None
        left, measured = max(0.0, 1.0 - self._samples[-1][2]), self._samples[-1][0] - self._samples[0][0]
        return left / speed if measured >= SETTLED_SECONDS or not left else None


def clock(seconds: float) -> str:
    """Return seconds as a clock shows them.

    >>> clock(5), clock(754.2), clock(90_000)
    ('0:05', '12:34', '25:00:00')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def amount(count: float, unit: str) -> str:
    """Return a count with its unit.

    >>> amount(12_345, "images"), amount(1e6, BYTES)
    ('12,345 images', '1 MB')
    """
    return byte_size(count) if unit == BYTES else counted(count, unit)


def done_text(reading: Reading, of: str = " of ") -> str:
    """Return what is done, of how much; empty where there is nothing to count.

    >>> done_text(Reading("", "images", 12, 2000)), done_text(Reading("", BYTES, 5e6, None))
    ('12 of 2,000 images', '5 MB')
    """
    if reading.total is None:
        return amount(reading.done, reading.unit) if reading.unit != TASKS else ""
    done = byte_size(reading.done) if reading.unit == BYTES else f"{reading.done:,.0f}"
    return f"{done}{of}{amount(reading.total, reading.unit)}"


def reasons_text(reasons: Mapping[str, int], shown: int = SHOWN_REASONS) -> str:
    """Return how many rows were dropped, and the most frequent reasons with their counts.

    >>> reasons_text({"dns": 3, "http_404": 1200}), reasons_text({"dns": 3, "http_404": 1200}, 1)
    ('1,203 dropped (http_404 1,200, dns 3)', '1,203 dropped (http_404 1,200, ...)')
    >>> reasons_text({"dns": 3}, 0), reasons_text({})
    ('3 dropped', '')
    """
    if not reasons:
        return ""
    counted = Counter(reasons).most_common()
    told = [f"{reason} {count:,}" for reason, count in counted[:shown]]
    more = ["..."] if len(counted) > shown else []
    listed = f" ({', '.join(told + more)})" if shown else ""
    return f"{sum(reasons.values()):,} dropped{listed}"


def _rate_text(rate: float | None, unit: str, short: bool = False) -> str:
    if not rate:
        return ""
    name = "" if short else f" {unit}"
    return f"{byte_size(rate)}/s" if unit == BYTES else f"{rate:,.0f}{name}/s" if rate >= 10 else f"{rate:.1f}{name}/s"


def _left_text(seconds: float | None) -> str:
    """Return the time left; empty once all is read: the rows in work have no measure, "0:00 left" would stay."""
    return f"{clock(seconds)} left" if seconds else ""


def _tasks_text(reading: Reading) -> str:
    """Return the tasks of a step whose unit is another one; empty for a single task, whose end says it all."""
    if reading.unit == TASKS or reading.tasks < 2:
        return ""
    return f"{reading.tasks_done:,} of {reading.tasks:,} tasks"


def plain_line(seconds: float, reading: Reading, meter: Meter) -> str:
    """Return the reading as the text of one line for a log.

    >>> plain_line(754, Reading("", "images", 50, 100, reasons={"dns": 3}), Meter())
    '12:34, 50 of 100 images (50%), 3 dropped (dns 3)'
    """
    share, left, done = reading.share, meter.seconds_left, done_text(reading)
    parts = [clock(seconds), reading.step_texts[0], f"{done} ({share:.0%})" if share is not None and done else done]
    parts += [_tasks_text(reading), _rate_text(meter.rate, reading.unit), reasons_text(reading.reasons)]
    parts.append(_left_text(left))
    return ", ".join(filter(None, parts))


def living_parts(name: str, seconds: float, reading: Reading, meter: Meter, width: int) -> tuple[str, int, str]:
    """Return a line that fits a terminal: the text before the bar, the width of the bar (0: none), the text behind it.

    What matters most is placed first, so a narrow terminal shows the share, the time left and the clock alone. A text
    that does not fit may have a shorter form.
    """
    share, left = reading.share, meter.seconds_left
    before = {"name": [name], "clock": [clock(seconds)], "share": [f"{share:4.0%}" if share is not None else ""]}
    behind = {
        "done": [done_text(reading, "/")],
        "rate": [_rate_text(meter.rate, reading.unit, short=True)],
        "left": [_left_text(left)],
        "step": reading.step_texts,
        "reasons": [reasons_text(reading.reasons, shown) for shown in range(SHOWN_REASONS, -1, -1)],
        "tasks": [_tasks_text(reading)],
    }
    room = width
    bar = next((size for columns, size in BARS if width + 1 >= columns), 0) if share is not None else 0
    chosen: dict[str, str] = {}
    for key in ("share", "left", "clock", "name", "done", "rate", "bar", "reasons", "step", "tasks"):
        if key == "bar":
            # The number of dropped rows and a note are told rather than a bar.
            told = [text for text in (behind["reasons"][-1], reading.note) if text]
            bar = bar if bar + len(GAP) + sum(len(text) + len(GAP) for text in told) <= room else 0
            room -= bar + len(GAP) if bar else 0
            continue
        for text in (before | behind)[key]:
            if text and len(text) + len(GAP) * bool(chosen) <= room:
                chosen[key] = text
                room -= len(text) + len(GAP) * (len(chosen) > 1)
                break
    first, last = (GAP.join(chosen[key] for key in keys if key in chosen) for keys in (before, behind))
    return first, bar, last
