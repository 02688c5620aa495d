"""extract_pairs as a job: a sample of rows is the same however the files are cut into parts."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ExtractPairsConfig
from curation.core.attempts import failure_of_given_up
from curation.core.errors import HeadtailError
from curation.core.receipts import Receipt
from curation.core.tables import Table
from curation.extraction.extract import ExtractTask, extract_file
from curation.extraction.settings import ExtractionSettings
from jobs import extract_pairs

pytestmark = pytest.mark.usefixtures("spark")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 700 rows in seven files of three formats, and an empty one."""
    folder = tmp_path_factory.mktemp("table")
    for number in range(7):
        rows = [{"url": f"http://h.org/{number}/{row}.jpg", "text": f"kite {row}"} for row in range(40 + number * 20)]
        if number % 3 == 0:
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{number}.parquet", row_group_size=30)
        elif number % 3 == 1:
            (folder / f"{number}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        else:
            lines = "".join(f"{row['url']}\t{row['text']}\n" for row in rows)
            (folder / f"{number}.tsv").write_text("url\ttext\n" + lines)
    (folder / "7.tsv").write_text("url\ttext\n")
    return folder


def extract(folder: Path, output: Path, *settings: str) -> list[str]:
    given = [
        f"output={output}",
        "source=table",
        f"source.paths={folder}",
        "language.model=none",
        "languages=en",
        "seed=0",
    ]
    extract_pairs.run(compose_config("extract_pairs", ExtractPairsConfig, [*given, *settings]))
    return [url for path in Table(f"{output}/pairs").files() for url in pq.read_table(path)["url"].to_pylist()]


def test_a_sample_of_rows(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = extract(folder, tmp_path / "a", "source.limit=100")
    assert len(found) == len(set(found)) == 100
    assert len({url.split("/")[3] for url in found}) > 4
    capsys.readouterr()
    assert extract(folder, tmp_path / "a", "source.limit=100") == found
    assert "count_rows" not in capsys.readouterr().err
    assert extract(folder, tmp_path / "b", "source.limit=100", "files_per_part=1") == found
    assert set(found) < set(extract(folder, tmp_path / "c", "source.limit=300"))
    assert set(found) != set(extract(folder, tmp_path / "d", "source.limit=100", "seed=1"))
    assert len(extract(folder, tmp_path / "e", "source.limit=3")) == 3
    assert len(Table(f"{tmp_path}/e/pairs").parts()[0].inputs()) <= 4  # files without a row of the sample are not read
    assert len(extract(folder, tmp_path / "f", "source.limit=5000")) == 700
    manifest = tmp_path / "f/pairs/_rows/part-00000/_manifest.json"
    counted = json.loads(manifest.read_text())
    lost = {"counts": [0, *counted["counts"][1:]], "failures": [failure_of_given_up(f"{folder}/0.parquet")]}
    manifest.write_text(json.dumps(counted | lost))
    for retry, first in (("false", 0), ("true", 40)):
        extract(folder, tmp_path / "f", "source.limit=5000", f"retry_failed_files={retry}")
        assert json.loads(manifest.read_text())["counts"][0] == first
    with pytest.raises(HeadtailError, match=r"source.limit was 100, is 200\): set overwrite=true"):
        extract(folder, tmp_path / "a", "source.limit=200")
    assert len(extract(folder, tmp_path / "a", "source.limit=200", "overwrite=true")) == 200


def test_a_corrected_path_does_not_leave_both_data_sets(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    wrong, right = f"source.paths={folder}/0.parquet", f"source.paths={folder}/7.tsv,{folder}/1.jsonl"
    assert len(extract(folder, tmp_path / "run", wrong)) == 40
    told = r"run/pairs holds 1 input, 1 of which this call does not name, such as .*0.parquet: .*add=true .* add 2 more"
    with pytest.raises(HeadtailError, match=told):
        extract(folder, tmp_path / "run", right)
    capsys.readouterr()
    assert len(extract(folder, tmp_path / "run", right, "add=true")) == 100
    assert f"adds 2 files to the 1 in {tmp_path}/run/pairs" in capsys.readouterr().err
    assert len(extract(folder, tmp_path / "run", right, "overwrite=true")) == 60
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.txt").touch()
    with pytest.raises(HeadtailError, match=r"mine is not empty and holds nothing of headtail, but a.txt"):
        extract(folder, tmp_path / "mine", right)
    with pytest.raises(HeadtailError, match=r"names no file ending in .* but 2 in tables of headtail: name the folder"):
        extract(tmp_path, tmp_path / "other")


def test_a_file_that_ends_its_process_is_met_again_only_if_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    met = tmp_path / "met"
    met.touch()

    def deadly(task: ExtractTask, settings: ExtractionSettings, seed: int) -> Receipt:
        if task.input.endswith("1.jsonl"):
            with open(met, "a") as file:
                file.write("x")
            os._exit(1)
        return extract_file(task, settings, seed)

    with monkeypatch.context() as patch:
        patch.setattr(extract_pairs, "extract_file", deadly)
        with pytest.raises(HeadtailError, match=r"1 of 8 inputs .*given up: 2 attempts"):
            extract(folder, tmp_path / "run")
        assert len(extract(folder, tmp_path / "run", "max_failed_share=0.2")) == 700 - 60
    assert "gave up 1 file" in capsys.readouterr().err
    assert met.read_text() == "xx"
    assert len(extract(folder, tmp_path / "run", "retry_failed_files=true")) == 700
    assert len(extract(folder, tmp_path / "run")) == 700
