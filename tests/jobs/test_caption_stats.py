"""The job caption_stats over a run: what it says of alt-texts is what the run says of them."""

import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import CaptionStatsConfig
from curation.core.errors import HeadtailError
from jobs import caption_stats
from tests.jobs.conftest import Sample


def run(*overrides: str) -> None:
    caption_stats.run(compose_config("caption_stats", CaptionStatsConfig, list(overrides)))


def samples_of(run: Path) -> list[dict]:
    """The json of each sample."""
    found: list[dict] = []
    for path in sorted((run / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            found += [json.loads(tar.extractfile(name).read()) for name in tar.getnames() if name.endswith(".json")]
    return found


def test_alt_texts_match_what_the_run_matched(
    finished: Path, sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = samples_of(finished)
    given = samples[::2]
    table = {"uid": [each["uid"] for each in given], "caption": [each["text"] + " Photo." for each in given]}
    pq.write_table(pa.table(table), tmp_path / "captions.parquet")
    settings = (f"output={finished}", f"entry_lists={sample.folder / 'entries'}", f"stats={tmp_path}/stats.json")
    run(*settings, f"captions={tmp_path}/captions.parquet")
    written = (tmp_path / "stats.json").read_bytes()
    told = json.loads(written)["compared"]["captions"]
    assert told["rows_and_images"]["rows"] == told["rows_and_images"]["images_with"] == len(given)
    assert told["rows_and_images"]["images_without"] == len(samples) - len(given)
    languages = told["languages"]
    assert {lang: values["images"] for lang, values in languages.items()} == {
        lang: sum(each["lang"] == lang for each in given) for lang in {each["lang"] for each in given}
    }
    for lang, values in languages.items():
        ids = [
            text["entry_ids"]
            for each in given
            for text in each.get("matched_texts", each["texts"])
            if each["lang"] == lang and text["text"] == each["text"]
        ]
        bands = values["bands"]
        assert sum(band["matches_by_alt_texts"] for band in bands) == sum(map(len, ids))
        assert sum(band["matches_by_both"] for band in bands) == sum(map(len, ids))  # captions only add a word
        assert sum(band["entries_by_alt_texts"] for band in bands) == len({each for some in ids for each in some})
        # The run has counted all of these texts.
        assert bands[0]["entries_by_alt_texts"] == 0
    printed, said = capsys.readouterr()
    assert "captions, en: " in printed
    assert f"captions: {len(given)} of {len(samples)} images have a caption; {len(given)} rows\n" in said
    assert f"and {len(languages) - 5} more languages" in printed
    run(*settings, f"captions={tmp_path}/captions.parquet")
    assert (tmp_path / "stats.json").read_bytes() == written
    with pytest.raises(HeadtailError, match=r"stats=.*sizes\.json is a file that caption_stats has not written"):
        run(*settings, f"captions={tmp_path}/captions.parquet", f"stats={finished}/shards/sizes.json")
    with pytest.raises(HeadtailError, match=r"the json of the samples must have caption_<name>"):
        run(*settings)
    with pytest.raises(HeadtailError, match="give the entry lists that match_pairs had"):
        run(*settings[:1], f"entry_lists={sample.folder / 'entries' / 'en.json'}")
