"""A store that does not answer is told in a line: no file is damaged for that, and no report does without it."""

from collections.abc import Callable

import pytest

from curation.balancing.entry_table import Words
from curation.core.errors import HeadtailError
from curation.core.parts import Part
from curation.core.store_faults import StoreError
from curation.report.dropped import DroppedTask, read_kept_examples
from curation.report.examples import PairsTask, pair_examples

READERS: dict[str, Callable[[], object]] = {
    "examples of texts": lambda: pair_examples(PairsTask("s3://bucket/pairs.parquet"), None, (), 0),
    "examples of extraction": lambda: read_kept_examples(DroppedTask(["s3://bucket/pairs.json"])),
    "words of entries": lambda: list(Words("", (), "", Part("s3://bucket/part", {"files": [{"path": "a.parquet"}]}))),
}


def refuse(path: str) -> None:
    raise StoreError(f"{path}: 503")


@pytest.mark.parametrize("name", READERS)
def test_an_outage_is_no_damaged_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("storage", "table_reader"):
        monkeypatch.setattr(f"curation.core.{module}.open_input", refuse)
    with pytest.raises(HeadtailError, match=r"^s3://bucket/\S+: 503: start again when the store answers"):
        READERS[name]()
