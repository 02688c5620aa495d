"""Online balancing: a stage of a `webdataset` pipeline that draws again in every epoch.

Shards that are written with a large t hold most images of the head, each with all its matched texts. Each time a sample
passes, this stage draws one of its texts and whether the sample is kept, with the probabilities that balance_pairs
writes (`entry_probabilities/<lang>.npy`). Over many epochs the model sees all of the head, a part at a time. The module
needs numpy and webdataset only. It draws before samples are decoded, so images that are not kept cost nothing.

With OpenCLIP: in `open_clip_train/data.py`, function `get_wds_dataset`, put the stage before the decoding:

    pipeline.extend([
        wds.select(filter_no_caption_or_no_image),
        OnlineBalance("run/entry_probabilities", seed=args.seed, epoch=shared_epoch),
        wds.decode("pilrgb", handler=log_and_continue),
        ...

and set `--train-num-samples` to the number of samples that are kept in an epoch, which is `expected_samples` of a
forecast at the t of the probabilities.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from webdataset.handlers import reraise_exception
from webdataset.pipeline import PipelineStage
from webdataset.utils import pytorch_worker_info

MAX_WORKERS = 4096


class OnlineBalance(PipelineStage):
    """Draws a text of each sample, and keeps the sample with the text's probability.

    `folder` holds `<lang>.npy` (float32, by entry id; ids beyond the end have probability 1). With `unit=pair` each
    text is drawn on its own, and one of the kept texts is used. With `unit=image` one text is taken, and the sample is
    drawn with its probability. Texts that balance_pairs dropped (`kept` false in the sample's json) are not used. A
    text that it kept with keep_probability P is kept here with min(1, p / P), so both draws together keep it with p.

    Draws are seeded by `seed`, the epoch, the rank and the worker, and repeat with them. `epoch` is an object with
    `get_value` (OpenCLIP's SharedEpoch), or the number of the first epoch. From a number, each worker counts its own
    epochs, even if a loader starts new workers in each epoch.
    """

    def __init__(
        self,
        folder: str,
        unit: str = "pair",
        seed: int = 0,
        epoch: Any = 0,
        handler: Callable[[Exception], bool] = reraise_exception,
    ) -> None:
        if unit not in ("pair", "image"):
            raise ValueError(f"unit must be pair or image, got {unit!r}")
        names = sorted(os.listdir(folder))
        self.langs = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
        if not self.langs:
            raise ValueError(f"{folder} holds no entry probabilities (<lang>.npy)")
        self.folder, self.unit, self.seed, self.epoch, self.handler = folder, unit, seed, epoch, handler
        # Shared memory, because a loader may fork its workers from this object again in each epoch.
        self._epochs = multiprocessing.Array("q", MAX_WORKERS, lock=False)
        self._opened: dict[str, np.ndarray] = {}

    def run(self, src: Iterable[dict]) -> Iterator[dict]:
        """Yield the samples that are kept, with the drawn text in their `txt` and `json`."""
        rank, _, worker, _ = pytorch_worker_info()
        rng = np.random.default_rng([self.seed, self._begin_epoch(worker), rank, worker])
        for sample in src:
            try:
                drawn = self.draw(sample, rng)
            except Exception as error:
                if self.handler(error):
                    continue
                break
            if drawn is not None:
                yield drawn

    def _begin_epoch(self, worker: int) -> int:
        if hasattr(self.epoch, "get_value"):
            return int(self.epoch.get_value())
        count = self._epochs[worker]
        self._epochs[worker] = count + 1
        return int(self.epoch) + count

    def draw(self, sample: dict, rng: np.random.Generator) -> dict | None:
        """Return the sample with its drawn text, or None if it is not kept; raises ValueError if it has no texts."""
        if "json" not in sample:
            raise ValueError(f"sample {sample.get('__key__')} has no json")
        described = sample["json"]
        described = dict(described) if isinstance(described, dict) else json.loads(described)
        # Older shards have the matched texts as `texts`.
        matched = described.get("matched_texts", described.get("texts", ()))
        texts = [text for text in matched if text.get("kept", True)]
        if not texts:
            raise ValueError(f"the json of sample {sample.get('__key__')} has no matched texts")
        if self.unit == "image":
            texts = [texts[int(rng.integers(len(texts)))]]
        shares = np.array([self.keep_probability(text) for text in texts])
        kept = np.flatnonzero(rng.random(len(texts)) < shares)
        if not len(kept):
            return None
        text = texts[int(kept[int(rng.integers(len(kept)))])]
        if described.get("text") != text["text"] and "entries" in described:
            described["entries"] = []  # words of another text
        described |= {"text": text["text"], "lang": text["lang"]}
        if "caption" in described:
            described["caption"] = text["text"]
        return {**sample, "txt": text["text"].encode(), "json": json.dumps(described, ensure_ascii=False).encode()}

    def keep_probability(self, text: dict) -> float:
        """Return the probability of keeping a text here, given that balance_pairs kept it."""
        probabilities = self._probabilities(text["lang"])
        ids = np.asarray(text["entry_ids"])
        ids = ids[ids < len(probabilities)]
        tail = len(ids) < len(text["entry_ids"])
        p = 1.0 if tail else 1.0 - float(np.prod(1.0 - probabilities[ids].astype(np.float64)))
        return min(1.0, p / text.get("keep_probability", 1.0))

    def _probabilities(self, lang: str) -> np.ndarray:
        if lang not in self._opened:
            if lang not in self.langs:
                raise ValueError(f"{self.folder} has no {lang}.npy: the languages are {', '.join(self.langs)}")
            self._opened[lang] = np.load(os.path.join(self.folder, f"{lang}.npy"), mmap_mode="r")
        return self._opened[lang]
