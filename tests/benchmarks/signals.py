"""Core-seconds of each signal for a thousand images, against decoding the same images alone: `make bench NAME=signals`.

A signal's figure holds the decoding, as a run with this signal alone would; `all` decodes once for all of them. Sides
take turns, and each figure is the smallest of the rounds. Signals whose package (extra `signals`) is not
installed are left out, and the output says so. `task_mb` is the peak of the resident memory of one process with all
models. The last line is one JSON object. Arguments: images=200 side=512 rounds=3
"""

import json
import resource
import sys
import time
from collections.abc import Sequence

from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.images.decoding import decode_image
from curation.signals.model import Model
from curation.signals.score import SignalSettings, open_models, score_each
from tests.benchmarks.shard_inputs import pictures

SIDES = {
    "faces": SignalSettings((Signal.faces,), 1, None),
    "faces, 2 x 2 tiles": SignalSettings((Signal.faces,), 2, None),
    "nsfw": SignalSettings((Signal.nsfw,), 1, None),
    "nsfw, embedding": SignalSettings((Signal.nsfw, Signal.embedding), 1, None),
    "text": SignalSettings((Signal.text,), 1, None),
    "all": SignalSettings((Signal.faces, Signal.nsfw, Signal.embedding, Signal.text), 1, None),
}


def seconds_of(bodies: Sequence[bytes], models: Sequence[Model], side: int) -> float:
    """Return the CPU seconds of decoding the images, and of scoring them where there are models."""
    start = time.process_time()
    if models:
        rows = sum(1 for _ in score_each(((str(k), body) for k, body in enumerate(bodies)), models, Receipt("bench")))
    else:
        rows = sum(decode_image(body, side).width > 0 for body in bodies)
    seconds = time.process_time() - start
    if rows != len(bodies):
        raise AssertionError(f"{rows} of {len(bodies)} images were scored")
    return seconds


def main(images: int = 200, side: int = 512, rounds: int = 3) -> None:
    """Measure each side in turn, and print a table and the JSON object."""
    bodies = list(pictures(images, side, 95))
    models: dict[str, Sequence[Model]] = {"decoding": ()}
    for name, settings in SIDES.items():
        try:
            models[name] = open_models(settings)
        except HeadtailError as error:
            print(f"{name} is left out: {error}")
    best = dict.fromkeys(models, float("inf"))
    for _ in range(rounds):
        for name, used in models.items():
            best[name] = min(best[name], seconds_of(bodies, used, side))
    found = {name: round(seconds / images * 1000, 2) for name, seconds in best.items()}
    for name, seconds in found.items():
        print(f"{name:20} {seconds:8.2f} core-seconds a thousand images, {seconds / found['decoding']:.1f} x decoding")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"core_seconds_per_thousand": found, "images": images, "side": side, "task_mb": peak}))


if __name__ == "__main__":
    main(**{name: int(value) for name, value in (argument.split("=") for argument in sys.argv[1:])})
