"""Examples of what a run dropped: by reason, the ones with the smallest keyed draws, so the same seed shows the same.

Not shown are images whose owners or subjects want them unseen, and texts that a rule took out for their words (SILENT);
e-mail addresses and telephone numbers are masked in all others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.choices import Engine, Obey
from curation.core.credentials import cut_path
from curation.core.draws import draw
from curation.core.dropped import EXAMPLES
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.core.schemas import MATCHES, PAIRS
from curation.core.table_reader import open_table_file
from curation.matching.entry_store import EntryStore
from curation.matching.match import match_batch
from curation.report.personal import MAX_READ, masked_beginning

SILENT = frozenset({"removed", "opted_out", *Obey, "email", "listed_word", "private_host", "private_address", "face"})
MAX_CHARS = 300
LOOKED_UP = 40
"""Examples of a reason that each task returns, and whose images are looked up: some must not be shown."""
PAIR_FILES, PAIR_ROWS = 8, 2_000
"""Files of pairs that are looked into, and rows that are drawn from a row group of each."""


@dataclass(frozen=True)
class Example:
    """A dropped text or address, with its draw; `note` says more of the reason, `uid` is that of the image."""

    stage: str
    reason: str
    draw: float
    uid: str
    text: str = ""
    lang: str = ""
    url: str = ""
    note: str = ""

    @property
    def content(self) -> tuple[str, ...]:
        """What is shown: examples of equal content are one."""
        return self.uid, self.text, self.lang, self.url, self.note

    def value(self) -> dict[str, str]:
        """Return the example as report.json has it: masked, cut, and without the secrets of its address."""
        shown = {
            "text": masked_beginning(self.text, MAX_CHARS),
            "lang": self.lang[:MAX_CHARS],
            "url": masked_beginning(cut_path(self.url), MAX_CHARS),
            "note": self.note[:MAX_CHARS],
        }
        return {name: value for name, value in shown.items() if value}


def smallest(examples: Iterable[Example], count: int = EXAMPLES) -> list[Example]:
    """Return at most `count` of each reason that may be shown: those with the smallest draws, none twice."""
    by_reason: dict[tuple[str, str], dict[tuple[str, ...], Example]] = defaultdict(dict)
    for example in sorted(examples, key=lambda one: (one.draw, one.content)):
        if example.reason not in SILENT:
            by_reason[example.stage, example.reason].setdefault(example.content, example)
    return [example for found in by_reason.values() for example in [*found.values()][:count]]


def to_outputs(examples: Iterable[Example]) -> list[dict[str, Any]]:
    """Return the chosen examples as outputs of a receipt."""
    return [asdict(example) for example in smallest(examples, LOOKED_UP)]


def first_rows(draws: np.ndarray, rows: np.ndarray, count: int = LOOKED_UP) -> list[int]:
    """Return the `count` of some rows with the smallest draws; draws[i] is that of row i."""
    return rows[np.argsort(draws[rows], kind="stable")[:count]].tolist()


@dataclass(frozen=True)
class PairsTask:
    """A file of pairs to take examples from."""

    file: str


def plan_pairs(parts: Sequence[Part], seed: int) -> list[PairsTask]:
    """Return tasks for the PAIR_FILES files with the smallest draws, none where the pairs were cleaned."""
    files = [file for part in parts if not part.cleaned for file in part.files]
    if not files:
        return []
    names = pa.array(
        [f"{part.id}/{file.rpartition('/')[2]}" for part in parts if not part.cleaned for file in part.files]
    )
    chosen = np.argsort(draw(seed, "examples", names), kind="stable")[:PAIR_FILES]
    return [PairsTask(files[index]) for index in sorted(chosen.tolist())]


def pair_examples(task: PairsTask, store: EntryStore, languages: Sequence[str], seed: int) -> Receipt:
    """Draw rows of one row group of a file of pairs, and match them again: examples of texts without an entry.

    Rows are those drawn; outputs are examples of `no_metadata` and `unmatched`. A file that is gone or damaged is a
    failure of the receipt: nothing else of the report reads pairs.
    """
    receipt = Receipt(task.file)
    try:
        batch, draws = _draw_pairs(task.file, seed)
    except (HeadtailError, OSError, pa.ArrowException) as error:
        refuse_outage(error)
        receipt.failures.append({"file": task.file, "offset": 0, "error": str(error), "records_read": 0})
        return receipt
    matched, _, _ = match_batch(batch, store, Engine.tokens, languages)
    keys = [matched.column(name).to_pylist() for name in ("uid", "text", "lang")]
    found = set(zip(*keys, strict=True))
    examples = []
    for row, drawn in zip(batch.to_pylist(), draws.tolist(), strict=True):
        lang = row["lang"]
        if languages and lang not in languages:
            continue
        reason = "no_metadata" if lang not in store.languages else "unmatched"
        if reason == "no_metadata" or (row["uid"], row["text"], lang) not in found:
            examples.append(Example("match_pairs", reason, drawn, row["uid"], row["text"][:MAX_READ], lang))
    receipt.rows_in = receipt.rows_out = batch.num_rows
    receipt.outputs = to_outputs(examples)
    return receipt


def _draw_pairs(path: str, seed: int) -> tuple[pa.RecordBatch, np.ndarray]:
    """Return PAIR_ROWS rows of a row group of a file of pairs, and their draws."""
    with open_table_file(path, PAIRS, None) as file:
        drawn = float(draw(seed, "examples", pa.array([f"{path.rpartition('/')[2]} row group"]))[0])
        columns = ["uid", "url", "text", "text_key", "lang", "lang_score"]
        group = int(drawn * file.metadata.num_row_groups)
        rows = file.read_row_group(group, columns) if file.metadata.num_row_groups else file.read(columns)
    draws = draw(seed, "examples", *(rows[name].combine_chunks() for name in ("uid", "text")))
    order = np.argsort(draws, kind="stable")[:PAIR_ROWS]
    batches = rows.take(pa.array(order)).combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], rows.schema), draws[order]


@dataclass(frozen=True)
class TextsTask:
    """Examples whose texts are read: the files of `matches` of their bucket, and the examples as dicts."""

    files: list[str]
    examples: list[dict[str, Any]]


def plan_texts(examples: Iterable[Example], buckets: Sequence[Sequence[str]]) -> list[TextsTask]:
    """Return a task for each bucket of `matches` that holds an image of some examples."""
    by_bucket: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for example in examples:
        by_bucket[int(example.uid[:4], 16) * len(buckets) // 65536].append(asdict(example))
    return [TextsTask(list(buckets[bucket]), found) for bucket, found in sorted(by_bucket.items())]


def read_texts(task: TextsTask) -> Receipt:
    """Return the examples, each with the first text of its image. Rows are images; reads row groups that hold one."""
    wanted = {example["uid"] for example in task.examples}
    found: dict[str, dict[str, Any]] = {}
    for path in task.files:
        rows = read_rows_of(
            path, MATCHES, ["uid", *(f"texts.list.element.{name}" for name in ("text", "lang"))], wanted
        )
        for row in rows:
            text = row["texts"][0]
            found.setdefault(row["uid"], {"text": text["text"][:MAX_READ], "lang": text["lang"]})
    outputs = [example | found[example["uid"]] for example in task.examples if example["uid"] in found]
    return Receipt(task.files[0], len(outputs), len(outputs), outputs=outputs)


def read_rows_of(path: str, schema: pa.Schema, columns: list[str], uids: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows of some uids of a file that is sorted by uid; reads only the row groups that may hold one."""
    rows: list[dict[str, Any]] = []
    with open_table_file(path, schema) as file:
        place = file.schema_arrow.names.index("uid")
        for index in range(file.metadata.num_row_groups):
            bounds = file.metadata.row_group(index).column(place).statistics
            if bounds is None or not bounds.has_min_max or any(bounds.min <= uid <= bounds.max for uid in uids):
                group = file.read_row_group(index, columns=columns)
                rows += group.filter(pc.is_in(group["uid"], pa.array(sorted(uids), pa.string()))).to_pylist()
    return rows
