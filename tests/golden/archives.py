"""The counts of all real archives, as extraction has them: `python -m tests.golden.archives` writes archives.json."""

import json
import tempfile
from collections import Counter
from pathlib import Path

from curation.core.choices import ImageAddresses, SourceKind
from curation.extraction.extract import ExtractTask, extract_file
from tests.conftest import SHARED
from tests.unit.extraction.settings import ENGLISH, extraction_settings

GOLDEN = Path(__file__).with_suffix(".json")


def real_archives() -> list[Path]:
    """Every WAT, WARC and ARC of the real data."""
    return sorted(path for folder in ("wat", "warc") for path in (SHARED / folder).rglob("*.*") if path.is_file())


def counts_of(path: Path) -> dict[str, int]:
    """What one file gave, zeros left out: image_links, candidates, each drop reason, pairs, failures.

    Of WARCs, all addresses of each image are taken, as a WAT has them.
    """
    source = SourceKind.wat if path.is_relative_to(SHARED / "wat") else SourceKind.warc
    settings = extraction_settings(source=source, language=ENGLISH, image_addresses=ImageAddresses.all)
    with tempfile.TemporaryDirectory() as folder:
        receipt = extract_file(ExtractTask(str(path), f"{folder}/out.parquet"), settings)
    counts = Counter(receipt.drops)
    counts += Counter(candidates=receipt.rows_in, pairs=receipt.rows_out, failures=len(receipt.failures))
    counts += Counter({name: receipt.facts[name] for name in ("image_links", "records_read", "pages_read")})
    return {name: counts[name] for name in sorted(counts)}


if __name__ == "__main__":
    table = {str(path.relative_to(SHARED)): counts_of(path) for path in real_archives()}
    lines = [f" {json.dumps(name)}: {json.dumps(counts)}" for name, counts in table.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
