"""Examples that jobs kept of what they dropped: in files beside pairs, and as uids in the manifests of shards."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from curation.core import storage
from curation.core.dropped import EXAMPLES, DroppedRow, dropped_path, read_dropped
from curation.core.errors import HeadtailError, refuse_outage
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.report.examples import LOOKED_UP, Example, smallest, to_outputs
from curation.shards.dropped import EXAMPLES_KEY

_UID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class DroppedTask:
    """Files of examples to read."""

    files: list[str]


def plan_dropped(parts: Sequence[Part], max_tasks: int) -> list[DroppedTask]:
    """Return at most `max_tasks` tasks for the examples beside the files of pairs, which may be gone themselves."""
    files = []
    for part in parts:
        names = set(storage.list_folder(part.path))
        listed = map(dropped_path, part.files)
        files += [path for path in listed if path.rpartition("/")[2] in names]
    size = max(1, -(-len(files) // max_tasks))
    return [DroppedTask(files[start : start + size]) for start in range(0, len(files), size)]


def read_kept_examples(task: DroppedTask) -> Receipt:
    """Read the examples of extraction; the outputs are those with the smallest draws. Rows are examples.

    A damaged file is a failure of the receipt: the report does without its examples.
    """
    receipt, found = Receipt(f"examples of {len(task.files)} files"), list[Example]()
    for file in task.files:
        try:
            listed = read_dropped(file)
        except (HeadtailError, OSError) as error:
            refuse_outage(error)
            receipt.failures.append({"file": file, "offset": 0, "error": str(error), "records_read": 0})
            continue
        new = [_example(reason, row) for reason, rows in listed.items() for row in rows if row.url or row.text]
        receipt.rows_in = receipt.rows_out = receipt.rows_in + len(new)
        found = smallest([*found, *new], LOOKED_UP)
    receipt.outputs = to_outputs(found)
    return receipt


def _example(reason: str, row: DroppedRow) -> Example:
    return Example("extract_pairs", reason, **asdict(row))


def shard_examples(parts: Sequence[Part]) -> Iterator[Example]:
    """Yield the examples in the manifests of sets; their texts are to be read."""
    for part in parts:
        listed = part.manifest.get(EXAMPLES_KEY)
        for reason, uids in listed.items() if isinstance(listed, dict) else ():
            listed_uids = uids if isinstance(uids, list) else []
            known = [uid for uid in listed_uids if isinstance(uid, str) and _UID.fullmatch(uid)]
            for place, uid in enumerate(known[:EXAMPLES]):
                yield Example("write_shards", reason, place / EXAMPLES, uid)
