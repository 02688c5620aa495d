"""Online balancing: a stage of a `webdataset` pipeline that draws again in every epoch.

Shards that are written with a large t hold most images of the head, each with all its matched texts. Each time a sample
passes, this stage draws one of its texts and whether the sample is kept, with the probabilities that balance_pairs
writes (`entry_probabilities/<lang>.npy`). Over many epochs the model sees all of the head, a part at a time. The module
needs numpy and webdataset only. It draws before samples are decoded, so images that are not kept cost nothing.

With OpenCLIP 3.3.0: in `open_clip_train/data.py`, function `get_wds_dataset`, put the stage before the decoding:

    pipeline.extend([
        wds.select(filter_no_caption_or_no_image),
        OnlineBalance("run/entry_probabilities", seed=args.seed, epoch=shared_epoch),
        wds.decode("pilrgb", handler=log_and_continue),
        ...

and set `--train-num-samples` to the number of samples that are kept in an epoch, which is `expected_samples` of a
forecast at the t of the probabilities. On the main branch of OpenCLIP, `wds.rename(..., keep=False)` drops the json:
there the stage stands right behind the shuffle of the samples (docs/balancing.md).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from json import dumps
from math import fsum
from typing import Any

import numpy as np
from webdataset.handlers import reraise_exception
from webdataset.pipeline import PipelineStage
from webdataset.utils import pytorch_worker_info

from curation.balancing.sample_texts import caption_of, matched_texts, read_json
from curation.balancing.uid_mask import UID, UidMask
from curation.balancing.worker_state import Positions, WorkerCounts

ALT_TEXT, REPEATED = "alt_text", "repeated"
REPEATS = "repeats"
_OUTCOMES = ("samples", "masked", "not_kept", "faulty", ALT_TEXT)


class OnlineBalance(PipelineStage):
    """Draws a text of each sample, and keeps the sample with the text's probability.

    `folder` holds `<lang>.npy` (float32, by entry id; ids beyond the end have probability 1). With `unit=pair` each
    text is drawn on its own, and one of the kept texts is used. With `unit=image` one text is taken, and the sample is
    drawn with its probability. Texts that balance_pairs dropped (`kept` false in the sample's json) are not used. A
    text that it kept with keep_probability P is kept here with min(1, p / P), so both draws together keep it with p.

    `captions` are keys of the json and their weights, such as {"caption_altogether": 0.15}. Once a sample is kept, one
    of them takes the place of its text with its weight; with the weight that is left the alt-text stays. It stays, too,
    where the caption that was drawn is missing or empty. `mask` limits the loader to a subset: a `UidMask`, or what
    makes one. Neither changes which of the other samples are kept. `counts` tells what became of the samples.

    If the folder has `repeats/<lang>.npy` (`balance.max_repeats`), a sample that is kept is yielded as often as the
    largest number of its text's entries says: 2.3 means twice, and with probability 0.3 a third time. Put a shuffle
    behind the stage then: the uses of a sample follow each other.

    Each draw is a hash of `seed`, the epoch, the sample's uid, and, but for captions, the rank, the worker, and the
    text: it repeats with these, in whatever order samples come. `epoch` is an object with `get_value` (OpenCLIP's
    SharedEpoch), or the number of the first epoch. From a number, each worker counts its own epochs, even if a loader
    starts new workers in each epoch. `state_dict` and `load_state_dict` resume within an epoch. Raises ValueError where
    an argument is out of its range.
    """

    def __init__(
        self,
        folder: str,
        unit: str = "pair",
        seed: int = 0,
        epoch: Any = 0,
        handler: Callable[[Exception], bool] = reraise_exception,
        captions: Mapping[str, float] | None = None,
        mask: UidMask | str | Iterable[str] | None = None,
    ) -> None:
        if unit not in ("pair", "image"):
            raise ValueError(f"unit must be pair or image, got {unit!r}")
        names = sorted(os.listdir(folder))
        self.langs = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
        if not self.langs:
            raise ValueError(f"{folder} holds no entry probabilities (<lang>.npy)")
        self.folder, self.unit, self.seed, self.epoch, self.handler = folder, unit, seed, epoch, handler
        self.captions = _checked_captions(captions or {})
        self.mask = mask if mask is None or isinstance(mask, UidMask) else UidMask(mask)
        self._positions = Positions()
        if not hasattr(epoch, "get_value"):
            self._positions.set_epoch(int(epoch))
        self.repeats = os.path.join(folder, REPEATS) if REPEATS in os.listdir(folder) else None
        self._counts = WorkerCounts(
            [*_OUTCOMES, *([REPEATED] if self.repeats else []), *self.captions, *map(_missing, self.captions)]
        )
        self._opened: dict[str, np.ndarray] = {}

    def run(self, src: Iterable[dict]) -> Iterator[dict]:
        """Yield the samples that are kept, with the drawn text in their `txt` and `json`.

        In `json` it stands as `text` and `caption`; `entries` is empty where it is not the text of the shards.
        """
        rank, _, worker, workers = pytorch_worker_info()
        shared = int(self.epoch.get_value()) if hasattr(self.epoch, "get_value") else None
        epoch, skipped = self._positions.begin(worker, workers, shared)
        place = (epoch, rank, worker)
        for sample in src:
            try:
                outcome, drawn, copies = self._draw(sample, place)
            except Exception as error:
                outcome, drawn, copies = ["faulty"], None, 0
                if not self.handler(error):
                    return
            if skipped:  # a state may lie between two copies of a sample
                passed = min(skipped, copies)
                skipped, copies = skipped - passed, copies - passed
                outcome = []
            else:
                outcome = ["samples", *outcome, *[REPEATED] * (copies - 1)]
            for name in outcome:
                self._counts.add(worker, name)
            for _ in range(copies):
                assert drawn is not None
                self._positions.count(worker)
                yield dict(drawn)
        self._positions.end(worker, skipped)

    def counts(self) -> dict[str, int]:
        """Return what became of the samples so far, of all workers and epochs of this process's loader.

        `samples` = `masked` + `not_kept` + `faulty` + `alt_text` + those of each caption. `<caption>_missing` are those
        of `alt_text` that were to have the caption, and had none. `repeated` are further uses of samples, if texts are
        repeated: they are not among `samples`.
        """
        return self._counts.total()

    def state_dict(self) -> dict[str, Any]:
        """Return how many samples have been yielded in this epoch: in a worker its own, else those of all workers.

        In the process of the trainer, workers are ahead of it by what they have prefetched. `position_after` tells the
        state from the batches that the trainer has had.
        """
        _, _, worker, workers = pytorch_worker_info()
        return self._positions.state(worker if workers > 1 else None, workers)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next epoch go on after a state of `state_dict` or `position_after`.

        Samples that had been yielded are read and drawn, and passed over. Raises ValueError for what is no state.
        """
        self._positions.load(state)

    def _draw(self, sample: dict, place: tuple[int, int, int]) -> tuple[list[str], dict | None, int]:
        """Return what becomes of a sample, and the sample with its drawn text and how often it is used.

        A sample that is not kept is None, and used 0 times.
        """
        uid = str(sample.get("__key__", "")).rsplit("/", 1)[-1]
        described = None
        if not UID.fullmatch(uid):  # the key of a set that was packed anew
            described = read_json(sample)
            uid = str(described.get("uid", uid))
        if self.mask is not None and uid not in self.mask:
            return ["masked"], None, 0
        if described is None:
            described = read_json(sample)
        text = self._keep(sample, described, uid, place)
        if text is None:
            return ["not_kept"], None, 0
        repeats = self._repeats(text)
        copies = int(repeats)
        if repeats > copies and self._uniform("repeat", *place, uid) < repeats - copies:
            copies += 1
        outcome, words = self._text_or_caption(described, text["text"], self._uniform("caption", place[0], uid))
        if described.get("text") != text["text"] and "entries" in described:
            described["entries"] = []
        described |= {"caption": words, "text": words, "lang": text["lang"]}
        return outcome, {**sample, "txt": words.encode(), "json": dumps(described, ensure_ascii=False).encode()}, copies

    def _keep(self, sample: dict, described: dict, uid: str, place: tuple[int, int, int]) -> dict | None:
        """Return the text that is used, None if the sample is not kept; raises ValueError if it has no texts."""
        texts = matched_texts(described)
        if not texts:
            raise ValueError(f"the json of sample {sample.get('__key__')} has no matched texts")
        if self.unit == "image":
            texts = [texts[int(self._uniform("choose text", *place, uid) * len(texts))]]
        kept = []
        for text in texts:
            p = self.keep_probability(text)
            if p >= 1.0 or self._uniform("keep", *place, uid, text["lang"], text["text"]) < p:
                kept.append(text)
        return kept[int(self._uniform("choose kept", *place, uid) * len(kept))] if kept else None

    def _text_or_caption(self, described: dict, text: str, u: float) -> tuple[list[str], str]:
        """Return the text that the model reads, a caption if u is below its share, and what to count."""
        for name, end in self.captions.items():
            if u < end:
                caption = caption_of(described, name)
                return ([name], caption) if caption else ([ALT_TEXT, _missing(name)], text)
        return [ALT_TEXT], text

    def _uniform(self, purpose: str, *keys: Any) -> float:
        """Return a number in [0, 1) that depends on the seed, the purpose and the keys alone."""
        data = "\0".join((str(self.seed), purpose, *map(str, keys)))
        digest = blake2b(data.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return (int.from_bytes(digest, "little") >> 11) * 2.0**-53

    def keep_probability(self, text: dict) -> float:
        """Return the probability of keeping a text here, given that balance_pairs kept it."""
        probabilities = self._probabilities(text["lang"])
        ids = np.asarray(text["entry_ids"])
        ids = ids[ids < len(probabilities)]
        tail = len(ids) < len(text["entry_ids"])
        p = 1.0 if tail else 1.0 - float(np.prod(1.0 - probabilities[ids].astype(np.float64)))
        return min(1.0, p / text.get("keep_probability", 1.0))

    def _repeats(self, text: dict) -> float:
        """Return how often a sample is used that is kept with a text: the largest number of the text's entries."""
        if self.repeats is None:
            return 1.0
        repeats = self._array(self.repeats, text["lang"])
        ids = np.asarray(text["entry_ids"])
        return float(repeats[ids[ids < len(repeats)]].max(initial=1.0))

    def _probabilities(self, lang: str) -> np.ndarray:
        return self._array(self.folder, lang)

    def _array(self, folder: str, lang: str) -> np.ndarray:
        path = os.path.join(folder, f"{lang}.npy")
        if path not in self._opened:
            if lang not in self.langs:
                raise ValueError(f"{self.folder} has no {lang}.npy: the languages are {', '.join(self.langs)}")
            # As a plain array: numpy runs Python for each access to a memmap.
            self._opened[path] = np.asarray(np.load(path, mmap_mode="r"))
        return self._opened[path]


def _checked_captions(captions: Mapping[str, float]) -> dict[str, float]:
    """Return the name of each caption with the end of its share of [0, 1); raises ValueError for impossible weights."""
    ends: dict[str, float] = {}
    for name in sorted(captions):
        weight = captions[name]
        if not isinstance(weight, int | float) or not 0 < weight <= 1:
            raise ValueError(f"captions: the weight of {name} must be above 0 and at most 1, got {weight!r}")
        ends[name] = fsum(captions[each] for each in (*ends, name))
    if ends and max(ends.values()) > 1 + 1e-9:
        raise ValueError(f"captions: the weights add up to {max(ends.values()):g}, expected at most 1")
    names = [*_OUTCOMES, REPEATED, *ends, *map(_missing, ends)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"captions: {', '.join(twice)} is the name of one of the counts: give the key another name")
    return ends


def _missing(name: str) -> str:
    return f"{name}_missing"
