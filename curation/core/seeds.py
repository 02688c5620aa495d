"""The seed of a run: given, or drawn at the first start, kept in the run's folder and never published.

Whoever knows the seed can compute every draw beforehand, and look for addresses and texts that win them. So a run draws
64 random bits where no seed is given. A drawn seed is a negative number, -2^64 to -1, and a given one usually is not:
a recipe or a manifest that holds a seed therefore tells whether it is a secret. A seed of 0 and more draws as it always
did; a drawn one also salts what no seed decided before (`salt_of`).
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from curation.core import storage
from curation.core.draws import hash_seed
from curation.core.errors import HeadtailError
from curation.core.progress import forget_later, say_later
from curation.core.tables import MANIFEST, Table

FILE = "_seed.json"
"""The file in the run's folder that holds the seed."""
OLD_SEED = 0
"""The seed of every run to which no seed was given, before seeds were drawn."""
BITS = 64
_TABLES = ("pairs", "matches", "curated", "lists", "downloads", "shards")
"""The tables that show that a run was begun. Each of their stages asks for the seed before it writes."""


def run_seed(output: str, given: int | None, continued: Iterable[str] = ()) -> int:
    """Return the seed of the run in the folder `output`; `continued` are further tables that the job adds to.

    The first of these that exists:

    1. the seed that is given; the folder of a new run keeps it;
    2. the seed that the folder keeps;
    3. a drawn seed in the manifest of a table of the run: its folder was copied without the file;
    4. 0, if an earlier version has written a table: it has begun the run;
    5. a new drawn one, which the folder keeps.

    Raises HeadtailError where the file of the folder holds no seed.
    """
    path = storage.join(output, FILE)
    kept = storage.exists(path)
    if kept and given is None:
        return _read(path)
    manifests = [] if kept else _manifests([*(storage.join(output, name) for name in _TABLES), *continued])
    if given is not None:
        if not kept and not manifests:
            storage.write_json(path, {"seed": given})
        return given
    seed = next((seed for seed in map(_recorded, manifests) if seed is not None and is_drawn(seed)), None)
    if seed is None and any(map(_is_old, manifests)):
        return OLD_SEED
    storage.write_json(path, {"seed": -1 - secrets.randbits(BITS) if seed is None else seed})
    if seed is None:
        # A run that is refused keeps no seed, and says nothing of one.
        say_later("seed", f"is drawn for this run and kept in {path}: whoever reads it can foretell the draws")
    return run_seed(output, None)  # of two jobs that start at once, both take the seed of the later one


@contextmanager
def forgotten_if_refused(output: str) -> Iterator[None]:
    """Delete the seed that a new run has drawn in the block if the run is refused before it has written a table."""
    path = storage.join(output, FILE)
    new = not storage.exists(path)
    try:
        yield
    except HeadtailError:
        if new and all(name == FILE or name.startswith(".") for name in storage.list_folder(output)):
            storage.remove(path)
            forget_later()
        raise


def is_drawn(seed: int) -> bool:
    """Return whether a seed was drawn, and is a secret."""
    return seed < 0


def salt_of(seed: int) -> int:
    """Return the salt of what is keyed only where the seed was drawn, 64 bits; 0, no salt, for a given seed.

    The seed cannot be computed from the salt.

    >>> salt_of(7), salt_of(-7) > 0
    (0, True)
    """
    return hash_seed(seed, "salt") if is_drawn(seed) else 0


def publishable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings, by dotted key, without salts and drawn seeds.

    >>> publishable({"unit": "pair", "seed": -5, "sample.seed": 5, "salt": 9})
    {'unit': 'pair', 'sample.seed': 5}
    """
    return {key: value for key, value in settings.items() if not _is_secret(key.rpartition(".")[2], value)}


def with_fingerprints(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without salts, and with a fingerprint in place of a drawn seed, from which it cannot be computed.

    >>> with_fingerprints({"unit": "pair", "seed": 5, "salt": 9, "sample": {"seed": -5}})
    {'unit': 'pair', 'seed': 5, 'sample': {'seed': 'drawn 7a20c675e0ec30ab'}}
    """
    shown: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            shown[key] = with_fingerprints(value)
        elif key != "salt":
            shown[key] = f"drawn {hash_seed(value, 'fingerprint'):016x}" if _is_secret(key, value) else value
    return shown


def _is_secret(name: str, value: Any) -> bool:
    return name == "salt" or (name == "seed" and isinstance(value, int) and is_drawn(value))


def _read(path: str) -> int:
    try:
        seed = storage.read_json(path)["seed"]
    except (ValueError, KeyError, TypeError) as error:
        raise HeadtailError(f"{path} holds no seed ({type(error).__name__}: {error}): give seed=...") from error
    if not isinstance(seed, int):
        raise HeadtailError(f"{path} must hold an integer as its seed, got {seed!r}: give seed=...")
    return seed


def _manifests(tables: Iterable[str]) -> list[dict[str, Any]]:
    """Return the manifests of the parts of tables that headtail has written, those of shards among them."""
    found = []
    for table in tables:
        found += [part.manifest for part in Table(table).parts()]
        if (manifest := storage.read_json_if_there(storage.join(table, MANIFEST))) is not None:
            found.append(manifest)
    return [manifest for manifest in found if "headtail" in manifest.get("versions", {})]


def _recorded(manifest: Mapping[str, Any]) -> int | None:
    return manifest.get("seed", manifest["settings"].get("seed"))


def _is_old(manifest: Mapping[str, Any]) -> bool:
    """Whether a part was written before seeds were drawn, or with a given seed.

    Where seeds are drawn, pairs tell their seed (null: it decided none of them), and matches have a salt.
    """
    return "seed" not in manifest and "salt" not in manifest["settings"]
