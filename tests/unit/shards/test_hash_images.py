"""Which finished tables of hash_images stay, and which are made again."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conf.compose import compose_config
from conf.schema.jobs import HashImagesConfig
from curation.core.errors import HeadtailError
from curation.core.tables import Table
from curation.shards.perceptual_hash import IMAGEHASH, QUICK
from curation.signals.embedding import EMBEDDING_SIZE
from jobs import hash_images
from tests.http_server import draw


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the images of one benchmark; the job runs without Spark and without a model."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1.png").write_bytes(draw(1, "PNG"))
    model = SimpleNamespace(identity=SimpleNamespace(name="model"))
    monkeypatch.setattr(hash_images, "embedding_model", lambda: model)
    monkeypatch.setattr(hash_images, "embed_image", lambda _: np.ones(EMBEDDING_SIZE, np.float16))
    monkeypatch.setattr(hash_images, "open_session", lambda *_, **__: None)
    monkeypatch.setattr(hash_images, "run_tasks", lambda _, function, tasks, __: list(map(function, tasks)))
    return tmp_path


def hashed(folder: Path, *settings: str) -> dict[str, Any]:
    """Run the job; returns the settings of the table."""
    given = [f"output={folder}/run", f"images.b={folder}/images", *settings]
    hash_images.run(compose_config("hash_images", HashImagesConfig, given))
    (part,) = Table(f"{folder}/run/benchmark_images").parts()
    return part.manifest["settings"]


def test_a_table_of_older_hashes_stays_until_it_is_overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(hash_images, "VERSIONS", (IMAGEHASH,))
        assert hashed(folder)["hash_version"] == IMAGEHASH
    assert hashed(folder)["hash_version"] == IMAGEHASH
    assert hashed(folder, "overwrite=true")["hash_version"] == QUICK


def test_embeddings_are_not_lost_silently(folder: Path) -> None:
    assert "embedding_model" in hashed(folder, "embeddings=true")
    with pytest.raises(HeadtailError, match="has embeddings: set embeddings=true to keep them, overwrite=true to make"):
        hashed(folder)
    assert "embedding_model" in hashed(folder, "embeddings=true")
    assert "embedding_model" not in hashed(folder, "overwrite=true")
