"""A run with `entry_lists=starter`: from a table of captions to a report, and again, with the lists in its folder."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CurateConfig
from curation.core.errors import HeadtailError
from curation.core.tables import Table
from jobs import curate
from tests.word_package import install_words


def run_chain(folder: Path, *settings: str) -> None:
    given = [
        f"output={folder}/run", "source=table", f"source.paths={folder}/table.parquet", "language.model=none",
        "entry_lists=starter", "download_images=false", "balance.t=1", "balance.reference=de",
        *settings,
    ]  # fmt: skip
    curate.run(compose_config("curate", CurateConfig, given))


@pytest.mark.usefixtures("spark")
def test_a_run_goes_on_with_the_lists_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"url": f"http://h.org/{row}.jpg", "text": f"Kite {row}"} for row in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "table.parquet")
    with pytest.raises(HeadtailError, match="entry_lists=starter needs languages"):
        run_chain(tmp_path)
    install_words(tmp_path, monkeypatch, {"de": ["kite"]})
    run_chain(tmp_path, "languages=de")
    (matches,) = Table(f"{tmp_path}/run/matches").parts()
    images = pa.concat_tables([pq.read_table(file) for file in matches.files])["texts"].to_pylist()
    assert len(matches.files) == matches.manifest["settings"]["buckets"] == 4
    listed = pq.read_table(tmp_path / "run" / "entry_lists" / "de.parquet")["text"].to_pylist()
    assert [[listed[entry] for text in texts for entry in text["entry_ids"][-1:]] for texts in images] == 3 * [["Kite"]]
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    manifest = json.loads((tmp_path / "run" / "entry_lists" / "_manifest.json").read_text())
    assert report["run"]["metadata"]["id"] == manifest["hash"] == matches.manifest["settings"]["metadata"]
    install_words(tmp_path, monkeypatch, {"de": ["another"]}, "4")
    capsys.readouterr()
    run_chain(tmp_path, "languages=de")
    told = capsys.readouterr().err
    assert "match_pairs      is done: 3 texts of 3 images" in told
    assert "report_stats     is done" in told
    with pytest.raises(HeadtailError, match="its matches were made with them: languages=el needs other lists"):
        run_chain(tmp_path, "languages=el")
