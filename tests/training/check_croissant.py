"""Read croissant.json beside a folder of shards with `mlcroissant`: `make check-training`.

Exit code 0 only if it is valid without a warning and gives every sample, its image, its json and its row of the
side-car, with the columns of scores. The set is copied, and its card made from the report beside it, so that the folder
stays as it is.
"""

import json
import logging
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.core.parts import Part
from curation.report.card_facts import CardFacts, Licence, read_report, scores_of
from curation.report.croissant import DESCRIPTIONS, RECORDS, croissant

NAME = "croissant.json"


def main() -> None:
    """Check a copy of the folder that the first argument names."""
    shards = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(shards, f"{scratch}/shards"))
        # The reader keeps what it has extracted, and finds it again by the name of the tar alone.
        os.environ["CROISSANT_CACHE"] = f"{scratch}/cache"
        part = Part.read(str(folder))
        report = read_report(str(shards.parent / "report"), part)
        facts = CardFacts(
            "Shards", Licence.of("cc-by-4.0", ""), part, report, ("CC-MAIN-2024-51",), "me", "https://a.test",
            scores_of(part),
        )  # fmt: skip
        (folder / NAME).write_text(json.dumps(croissant(facts)))
        check(folder)


def check(folder: Path) -> None:
    """Compare what the reader gives with the side-cars and the tars' images."""
    import mlcroissant

    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    dataset = mlcroissant.Dataset(str(folder / NAME))
    issues = dataset.metadata.ctx.issues
    agree("errors and warnings of the description", [*issues.errors, *issues.warnings, *warnings], [])
    agree("terms of responsible AI that are read", bool(dataset.metadata.data_collection), True)
    found = {text(record[f"{RECORDS}/uid"]): record for record in dataset.records(RECORDS)}
    rows = {row["uid"]: row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file).to_pylist()}
    agree("records", len(found), len(rows))
    agree("uids", found.keys(), rows.keys())
    for uid, row in rows.items():
        record = found[uid]
        for name in row.keys() - {"uid"}:
            agree(f"{name} of {uid}", plain(record[f"{RECORDS}/{name}"]), row[name], tell=False)
        image = record[f"{RECORDS}/image"]
        agree(f"size of {uid}", image.size, (row["width"], row["height"]), tell=False)
    agree("records whose columns and image are those of the set", len(rows), len(found))
    described = {text(each[f"{DESCRIPTIONS}/uid"]): each for each in dataset.records(DESCRIPTIONS)}
    found_json = {uid: text(each[f"{DESCRIPTIONS}/json"]) for uid, each in described.items()}
    agree("records whose json is that of the tar", found_json, json_of(folder))
    refuse_changed(folder)


def json_of(folder: Path) -> dict[str, str]:
    """The json of each sample, out of the tars."""
    found = {}
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as tar:
            members = ((member.name.partition("."), member) for member in tar)
            found |= {uid: tar.extractfile(each).read().decode() for (uid, _, kind), each in members if kind == "json"}
    return found


def refuse_changed(folder: Path) -> None:
    """Check that a tar that has changed is found by its SHA-256."""
    import mlcroissant

    tar = min(folder.glob("*.tar"))
    tar.write_bytes(tar.read_bytes() + bytes(512))
    try:
        list(mlcroissant.Dataset(str(folder / NAME)).records(RECORDS))
    except Exception as error:  # the reader's own class wraps whatever happened
        agree("a changed tar is refused by its hash", "Hash" in f"{error} {error.__cause__}", True)
    else:
        sys.exit("a changed tar was read as if nothing had happened")


def plain(value: Any) -> Any:
    """Return a value as Parquet's reader gives it: lists of Python's numbers, and None for what is missing."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [plain(each) for each in value] if isinstance(value, list) else text(value)


def text(value: Any) -> Any:
    """Return a value with bytes as text: the reader gives texts as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def agree(what: str, found: Any, expected: Any, tell: bool = True) -> None:
    """Print a figure; end with exit code 1 where it is not the expected one."""
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, got {found!r}")
    if tell:
        print(f"{what}: {found if not hasattr(found, '__len__') or isinstance(found, str) else len(found)}", flush=True)


if __name__ == "__main__":
    main()
