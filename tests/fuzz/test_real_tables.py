"""Real word nets, published tables of captions, and texts in many languages, whole."""

from pathlib import Path

import pytest

from curation.extraction.language import DEFAULT_MODEL, load_model, path_of_model
from curation.sources.caption_tables import TableColumns
from metadata.sources.wordnet import list_wordnets, read_names
from tests import real_texts
from tests.conftest import SHARED, needs_shared
from tests.unit.extraction.settings import table_columns
from tests.unit.extraction.test_language_model import assert_equal_to_library
from tests.unit.sources.test_caption_tables import extract

pytestmark = needs_shared


def test_real_tab_files() -> None:
    found = list_wordnets([str(SHARED / "wordnet")])
    assert set(found) == {"ar", "zh", "fr", "it", "ja", "th"}
    read = {lang: read_names(lang, [file.path for file in files], first_only=True) for lang, files in found.items()}
    for lang, names in read.items():
        names.receipt.check()
        assert len(names.counts) > 2000, lang
        assert not any(set(name) & set("\t\n_\u200e") for name in names.counts)
    assert "œuvre" in read["fr"].counts


def test_default_model_equals_the_library_on_real_texts() -> None:
    texts = [text for sentences in real_texts.sentences().values() for text in sentences[:20]]
    captions = real_texts.lines(SHARED / "languages" / "wit-captions-11-half.tsv.gz")
    texts += [line.split("\t")[1] for line in captions[::9]] + real_texts.wat_texts() + real_texts.captions()[::20]
    assert_equal_to_library(load_model(DEFAULT_MODEL), path_of_model(DEFAULT_MODEL), texts, (5,))


@pytest.mark.parametrize(
    ("name", "columns", "candidates", "pairs", "images"),
    [
        pytest.param(
            "laion-10000.parquet", table_columns(url="URL", texts=(("alt", "TEXT"),)), 10_000, 9_999, 9_998, id="LAION"
        ),
        pytest.param("cc3m-validation.tsv", table_columns(names=("text", "url")), 15_833, 15_833, 15_833, id="CC3M"),
        pytest.param("coco-val2017.tsv.gz", table_columns(names=("text", "url")), 25_014, 25_008, 5_000, id="COCO"),
    ],
)
def test_published_tables(
    tmp_path: Path, name: str, columns: TableColumns, candidates: int, pairs: int, images: int
) -> None:
    (tmp_path / name).symlink_to(SHARED / "captions" / name)
    receipt, rows = extract(tmp_path / name, columns)
    assert (receipt.rows_in, len(rows), len({row["uid"] for row in rows})) == (candidates, pairs, images)
    assert len({(row["uid"], row["text"]) for row in rows}) == pairs
