"""A folder of companion tars beside a set of shards: its place, manifest and recipe."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from curation.core import storage
from curation.core.credentials import cut_input
from curation.core.errors import HeadtailError
from curation.core.own_tables import MANIFEST
from curation.core.parts import Part
from curation.core.receipts import Receipt
from curation.shards.public_places import without_folders

STAGE = "attach"
FOLDER = "captions"
LOGIC_VERSION = 1
_TAR = re.compile(r"\d{5,}\.tar")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def companion_folder(shards: str, name: str) -> str:
    """Return the folder of the companion tars of a name; raises HeadtailError for a name that is none."""
    if not NAME.fullmatch(name):
        raise HeadtailError(f"name={name[:100]} must be 1 to 64 of a-z, 0-9, - and _, and begin with a letter or digit")
    return storage.join(shards, FOLDER, name)


def recipe_of(part: Part, inputs: Sequence[dict], array: str = "") -> dict[str, Any]:
    """Return what decides the companion tars: the shards, the attached files, and the array of `.npz` files."""
    shards = {entry["tar"]: entry["tar_sha256"] for entry in part.manifest["files"]}
    recipe: dict[str, Any] = {"stage": STAGE, "logic_version": LOGIC_VERSION, "shards": shards}
    recipe |= {"array": array} if array else {}  # recipes of before have none
    whole = json.dumps({**recipe, "inputs": list(inputs)}, sort_keys=True)
    cut = without_folders([cut_input(dict(entry)) for entry in inputs])
    return {"id": hashlib.sha256(whole.encode()).hexdigest()[:32], **recipe, "inputs": cut}


def is_done(folder: str, recipe: dict[str, Any], overwrite: bool) -> bool:
    """Return whether the companions of this recipe are complete.

    Raises HeadtailError if the folder holds others, unless `overwrite`.
    """
    path = storage.join(folder, MANIFEST)
    try:
        found = storage.read_json_if_there(path)
        if found is None:
            return False
        complete, other = found["complete"], found["id"] != recipe["id"]
        changed = "other shards" if found["shards"] != recipe["shards"] else "other files"
    except (ValueError, KeyError, TypeError) as error:
        raise HeadtailError(f"{path} is damaged ({error}): delete {folder} to attach again") from error
    if other and complete and not overwrite:
        raise HeadtailError(f"{folder} was made from {changed}: set overwrite=true to make it again, or another name")
    return bool(complete and not other)


def begin(folder: str, recipe: dict[str, Any]) -> str:
    """Mark the folder as one of ours that is incomplete, and return the work folder.

    What other recipes left goes first, tars included: old and new ones are never beside each other. With a manifest
    from the start, the tars are no inputs of a run that reads the folder of shards.
    """
    path = storage.join(folder, MANIFEST)
    work = storage.join(folder, f".work-{recipe['id']}")
    if (storage.read_json_if_there(path) or {}).get("id") == recipe["id"]:
        return work
    storage.write_json(path, {**recipe, "id": "", "complete": False})
    for name in storage.list_folder(folder):
        if name.startswith(".work-") or _TAR.fullmatch(name):
            storage.remove(storage.join(folder, name))
    storage.write_json(path, {**recipe, "complete": False})
    return work


def publish(folder: str, recipe: dict[str, Any], receipts: Sequence[Receipt], counts: dict[str, int]) -> None:
    """Write the manifest with the counts and the SHA-256 of each tar, and delete the work folder."""
    outputs = [output for receipt in receipts for output in receipt.outputs]
    files = [{**output, "path": output["path"].rsplit("/", 1)[-1]} for output in outputs]
    manifest = {**recipe, "complete": True, "counts": counts, "files": files}
    storage.write_json(storage.join(folder, MANIFEST), manifest)
    storage.remove(storage.join(folder, f".work-{recipe['id']}"))
