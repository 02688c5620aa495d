"""Texts matched with entries, and all that follows: counts, thresholds, forecasts, draws.

The functions are those of the jobs `match_pairs`, `count_entries` and `balance_pairs`, over a table in memory: the same
uid, text and language, entry lists, thresholds and seed give the same rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.balancing.balance import DrawnBatch, draw_batch, text_probabilities
from curation.balancing.counts import CountArrays
from curation.balancing.forecast import ALL
from curation.balancing.matched_batch import BATCH_IMAGES, MatchedBatch
from curation.core.amounts import counted
from curation.core.choices import Unit
from curation.core.errors import HeadtailError
from curation.core.schemas import PAIRS
from curation.matching.match import MATCHED
from curation.matching.merging import merge_images
from curation.report.explain import Explanation
from headtail.balancer import Balancer, explain
from headtail.columns import TEXT, Columns, columns_of, to_array
from headtail.counts import Counts
from headtail.entry_list import EntryList, Lists, lists_by_language, words_by_language
from headtail.forecast import Forecast, expector, forecast
from headtail.goals import Goal, check_seed, check_unit, find_thresholds
from headtail.rows import RowNames, match_rows, numbered, padded

MAX_TEXTS = 64
"""Texts of an image, as `matching.max_texts` of the jobs has it by default; those with the smallest hashes stay."""
_RANK_DIGITS = 12


def match(table: Any, entries: Lists, *, text: str = TEXT, url: str = "", uid: str = "", lang: str = "") -> "Matches":
    """Match the texts of a table with entries.

    `table` is a pandas DataFrame, an Arrow table, a `datasets.Dataset`, a mapping of columns, or just texts (a list, a
    Series, an array). `entries` is one list for all texts, or {lang: list}: a text is then matched with the list of its
    own language. `text`, `url`, `uid` and `lang` name columns:

    | column | is | without a name |
    |---|---|---|
    | `text` | strings; a null matches nothing | `text` |
    | `uid` | identity of the image, which keys draws; its rows are texts of one image | `uid`, or the URL's |
    | `url` | its uid is the first 24 hex digits of its SHA-224 | `url`, or the number of the row is the uid |
    | `lang` | codes of languages | `lang` if `entries` is a mapping |

    A column `lang_score` decides, as in the jobs, which language counts where an image has the same text in several.
    Raises HeadtailError where a column is missing, is not of strings, or lacks a value.

    >>> entries = {"en": EntryList(["dog"]), "de": EntryList(["Hund"], lang="de")}
    >>> found = match({"text": ["a dog", "ein Hund", "dog"], "lang": ["en", "de", "de"]}, entries)
    >>> found.words.to_pylist(), dict(found.drops)
    ([['dog'], ['Hund'], []], {'unmatched': 1})
    """
    return Matches(
        columns_of(table), lists_by_language(entries), RowNames(text, url, uid, lang), isinstance(entries, Mapping)
    )


class Matches:
    """The rows of a table with the entries that their texts hold; made by `headtail.match`.

    `ids` are n lists of int32: the sorted ids of the entries of each row's text, empty where it holds none. `drops`
    counts rows that are not drawn, by reason: `unmatched`, `no_metadata` (its language has no list), `same_text` (an
    earlier row has the same uid and text) and `max_texts` (its image has more than 64 texts).
    """

    def __init__(self, columns: Columns, lists: Mapping[str, EntryList], names: RowNames, by_language: bool) -> None:
        self._columns, self.lists, self.names, self._by_language = columns, lists, names, by_language
        rows = names.read(columns, by_language)
        self.ids, langs, self.drops = match_rows(rows, lists)
        self._langs = langs
        uids = numbered(len(rows.texts)) if rows.uids is None else rows.uids
        scores = _scores(columns)
        self._batches, self._places = _images(rows.texts, uids, langs, scores, self.ids, self.drops)
        self.drops = +self.drops

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        drops = "".join(f", {reason} {count:,}" for reason, count in self.drops.items())
        texts, images = counted(self.texts, "texts"), counted(self.images, "images")
        return f"Matches({counted(len(self), 'rows')}: {texts} of {images}{drops})"

    @property
    def images(self) -> int:
        """The number of images with a matched text."""
        return sum(matched.images for matched in self._batches)

    @property
    def texts(self) -> int:
        """The number of matched texts, repeated ones of an image left out."""
        return sum(matched.texts for matched in self._batches)

    @property
    def words(self) -> pa.ListArray:
        """The entries of each row's text: n lists of strings."""
        return words_by_language(self.ids, self._langs, self.lists)

    @cached_property
    def counts(self) -> Counts:
        """The counts of the entries in these texts."""
        counts = CountArrays()
        for matched in self._batches:
            counts.add(matched)
        return Counts(dict(counts.items()), self.lists)

    def thresholds(
        self,
        *,
        t: float | Mapping[str, float] | None = None,
        tail_share: float | None = None,
        target_images: float | None = None,
        reference: str = "",
        others: str = Goal.others,
        unit: str = Unit.pair,
        seed: int = 0,
    ) -> dict[str, float]:
        """Return the threshold t of each language, in texts, as `Counts.thresholds` does.

        With `target_images` it is the t at which so many images are expected, to 0.1%, or to the nearest below a jump.
        The order of an image's texts, which `seed` decides, has a part in that of several languages. Raises
        HeadtailError where the target is more than the images that match.
        """
        goal = Goal(t, tail_share, target_images, reference, others)
        expect = expector(self._batches, self.counts, check_unit(unit), check_seed(seed))
        return find_thresholds(goal, self.counts.distributions, lambda ts: expect(ts)[ALL].images)

    def forecast(
        self,
        ts: Iterable[float] = (),
        *,
        reference: str = "",
        others: str = Goal.others,
        unit: str = Unit.pair,
        seed: int = 0,
    ) -> Forecast:
        """Return what thresholds of the reference language would keep; without `ts` at 1, 2, 5, 10, ...

        Raises HeadtailError where a t is not above 0.
        """
        if not isinstance(ts, Iterable):
            raise HeadtailError(f"ts must be a list of thresholds, got {ts!r}")
        grid = list(ts)
        for t in grid:
            Goal(t).check()
        distributions = self.counts.distributions
        rule = Goal(reference=reference, others=others).rule(distributions)
        expect = expector(self._batches, self.counts, check_unit(unit), check_seed(seed))
        return forecast(distributions, rule, expect, self.images, [float(t) for t in grid])

    def balance(
        self,
        t: float | Mapping[str, float] | None = None,
        *,
        tail_share: float | None = None,
        target_images: float | None = None,
        reference: str = "",
        others: str = Goal.others,
        unit: str = Unit.pair,
        seed: int = 0,
    ) -> Any:
        """Return the rows that are kept, one for each image, in the order of the table, with `keep_probability`.

        It is a DataFrame for a DataFrame, else an Arrow table. Give one of `t`, `tail_share` and `target_images`; see
        `thresholds`. Every row is drawn by a hash of (seed, uid, text): a larger t keeps all that a smaller one keeps,
        and the order of rows does not count. `unit="pair"` (Demystifying CLIP Data) draws each text, and takes one of
        the kept; `unit="image"` (Meta CLIP 2) draws the image with one of its texts. `keep_probability` is the image's.
        Whoever knows the seed can foretell the draws: of a set that is published keep it secret (docs/balancing.md).

        >>> found = match(["a dog", "a cat", "dog", "dogs", "two dog"], EntryList(["dog", "cat"]))
        >>> found.balance(t=1, seed=6).to_pydict()
        {'text': ['a dog', 'a cat'], 'keep_probability': [0.33333333333333326, 1.0]}
        """
        goal = Goal(t, tail_share, target_images, reference, others)
        places, probabilities = [np.empty(0, np.int64)], [np.empty(0)]
        for rows, drawn in self._draws(goal, unit, seed):
            images = np.flatnonzero(drawn.chosen >= 0)
            places.append(rows[drawn.chosen[images]])
            probabilities.append(drawn.image_probabilities[images])
        chosen = np.concatenate(places)
        order = np.argsort(chosen)
        shares = np.concatenate(probabilities)[order]
        return self._columns.take(chosen[order], {"keep_probability": pa.array(shares)})

    def draw(
        self,
        t: float | Mapping[str, float] | None = None,
        *,
        tail_share: float | None = None,
        target_images: float | None = None,
        reference: str = "",
        others: str = Goal.others,
        unit: str = Unit.pair,
        seed: int = 0,
    ) -> Any:
        """Return all rows with the outcome of `balance`: the columns entry_ids, keep_probability, kept and chosen.

        `keep_probability` is the text's, null for a row of `drops`. `kept` tells whether the text was drawn, `chosen`
        whether it is the text of its image in `balance`.
        """
        goal = Goal(t, tail_share, target_images, reference, others)
        shares, kept, chosen = np.full(len(self), np.nan), np.zeros(len(self), bool), np.zeros(len(self), bool)
        for rows, drawn in self._draws(goal, unit, seed):
            shares[rows], kept[rows] = drawn.probabilities, drawn.kept
            chosen[rows[drawn.chosen[drawn.chosen >= 0]]] = True
        columns = {
            "entry_ids": self.ids,
            "keep_probability": pa.array(shares, mask=np.isnan(shares)),
            "kept": pa.array(kept),
            "chosen": pa.array(chosen),
        }
        return self._columns.take(None, columns)

    def balancer(self, t: float | Mapping[str, float], seed: int = 0) -> Balancer:
        """Return a filter for streams with these entries, counts and names of columns."""
        names = vars(self.names)
        lists = self.lists if self._by_language else next(iter(self.lists.values()))
        return Balancer(lists, self.counts, self.thresholds(t=t), seed, **names)

    def explain(self, text: str, lang: str = "", t: float | Mapping[str, float] | None = None) -> Explanation:
        """Return why a text is kept: its entries, their counts here and, with a `t`, their probabilities.

        >>> found = match(["a dog", "a cat", "dog", "dogs"], EntryList(["dog", "cat"]))
        >>> print(found.explain("a dog and a cat", t=1))
        text              a dog and a cat
        language          en
        t                 1: entries with fewer matches are the tail
          id  entry  count  entry_probability
          1   cat    1      1
          0   dog    2      0.5
        keep_probability  1: each entry is drawn once, one success keeps the text
        """
        return explain(text, lang, self.lists, self.counts, {} if t is None else self.thresholds(t=t))

    def _draws(self, goal: Goal, unit: str, seed: int) -> Iterator[tuple[np.ndarray, DrawnBatch]]:
        """Yield (row of each text, draw) of each batch of images."""
        wanted, number = check_unit(unit), check_seed(seed)
        expect = expector(self._batches, self.counts, wanted, number)
        goal.check()
        if not self._batches:
            return
        t = find_thresholds(goal, self.counts.distributions, lambda ts: expect(ts)[ALL].images)
        for matched, rows in zip(self._batches, self._places, strict=True):
            yield rows, draw_batch(matched, text_probabilities(matched, self.counts, t), wanted, number)


def _scores(columns: Columns) -> pa.Array:
    """Return the column `lang_score` as `pairs` has it; null without one."""
    if "lang_score" not in columns.names:
        return pa.nulls(columns.rows(), PAIRS.field("lang_score").type)
    try:
        return to_array(columns.column("lang_score"), "lang_score").cast(PAIRS.field("lang_score").type)
    except pa.ArrowException as error:
        raise HeadtailError(f"column lang_score holds no numbers: {error}") from error


def _images(
    texts: pa.StringArray, uids: pa.StringArray, langs: pa.StringArray, scores: pa.Array, ids: pa.ListArray,
    drops: Counter[str],
) -> tuple[list[MatchedBatch], list[np.ndarray]]:  # fmt: skip
    """Return the images with their matched texts, by uid, and the row of each of their texts; adds to `drops`.

    The key of a text is the rank of its row, so merging, which keeps the smallest key, tells the row that it took.
    """
    rows = np.flatnonzero(np.diff(ids.offsets.to_numpy()))
    found = pa.table({"row": rows, "uid": uids.take(rows), "lang": langs.take(rows), "lang_score": scores.take(rows)})
    evidence = [("lang_score", "descending"), ("lang", "ascending"), ("row", "ascending")]
    by_evidence = pc.sort_indices(found, evidence).to_numpy()
    ranks = np.empty(len(rows), np.int64)
    ranks[by_evidence] = np.arange(len(rows))
    order = pc.sort_indices(found["uid"]).to_numpy()
    rows, ranks = rows[order], padded(ranks[order], _RANK_DIGITS)
    taken = {"uid": uids, "url": uids, "text": texts, "lang": langs, "lang_score": scores, "entry_ids": ids}
    columns = {name: values.take(rows) for name, values in taken.items()} | {"text_key": ranks}
    matched = pa.table([columns[name] for name in MATCHED.names], schema=MATCHED).combine_chunks()
    by_rank = found["row"].to_numpy()[by_evidence]
    batches = [
        MatchedBatch(images.slice(start, BATCH_IMAGES))
        for images in merge_images(matched.to_batches(), drops, MAX_TEXTS)
        for start in range(0, images.num_rows, BATCH_IMAGES)
    ]
    return batches, [by_rank[batch.structs.field("text_key").cast(pa.int64()).to_numpy()] for batch in batches]
