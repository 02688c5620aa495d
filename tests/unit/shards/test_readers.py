"""Who reads a set of shards: one set for each reason why a reader cannot, or leaves something out."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curation.shards.check import check_shard, plan_checks
from curation.shards.readers import DEMANDS, IMAGES, Reading, SetFolder, readings
from curation.shards.sample_json import SampleForm
from curation.shards.traits import MAX_NAMES, Traits
from tests.unit.shards.conftest import MakeSet
from tests.unit.shards.test_check import rewrite
from tests.unit.shards.test_write import NEWEST_FORM

ALL = "reads all 20 samples"
OLD_TEXTS = "cannot read the set: it takes strings, and texts[] of the json is object"
SMALL = "00002.tar holds 4 samples: a worker that gets it alone fills no batch of more"
MAIN = "; captions in the json: --json-text-key 'text'"
NO_PAIRS = "cannot read the set: it takes [key, text] pairs in texts of the json, whose kind is "


def told(folder: Path) -> dict[str, str]:
    """The line of each reader about a set of 20 samples in three shards."""
    tasks, _ = plan_checks(f"{folder}/shards")
    outputs = [check_shard(task).outputs[0] for task in tasks]
    traits = Traits.of_shards(output["traits"] for output in outputs)
    names = [path.name for path in (folder / "shards").iterdir()]
    found = readings(traits, SetFolder({output["tar"]: output["traits"]["samples"] for output in outputs}, names))
    return {reading.reader: str(reading).removeprefix(f"{reading.reader} ") for reading in found}


@pytest.mark.parametrize(
    ("form", "odd"),
    [
        (NEWEST_FORM, {"MetaCLIP's loader": f"{NO_PAIRS}string"}),
        (SampleForm(1), {"MetaCLIP's loader": f"{NO_PAIRS}object", "RayGen": OLD_TEXTS}),
    ],
    ids=["new form", "old form"],
)
def test_a_set_of_jpegs_is_for_all_but_the_loaders_of_other_json(
    small_set: MakeSet, tmp_path: Path, form: SampleForm, odd: dict[str, str]
) -> None:
    openclip = {"OpenCLIP 3.3.0": f"{ALL}: {SMALL}", "OpenCLIP (main)": f"{ALL}: {SMALL}{MAIN}"}
    usual = dict.fromkeys(DEMANDS, ALL) | openclip
    assert told(small_set(tmp_path, form)) == usual | odd


def of_samples(change: Callable[[int, dict, dict[str, bytes]], Any], only: int | None = None) -> Callable[[Path], None]:
    """A change of the samples (their number in the shard, json and members) of each shard, or of one."""

    def do(folder: Path) -> None:
        for shard, path in enumerate(sorted((folder / "shards").glob("*.tar"))):
            if only in (None, shard):
                rewrite(path, changed)

    def changed(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        out = []
        for number in range(0, len(members), 3):
            uid = members[number][0].split(".")[0]
            parts = {name.split(".", 1)[1]: data for name, data in members[number : number + 3]}
            meta = json.loads(parts["json"])
            change(number // 3, meta, parts)
            parts = {name: json.dumps(meta).encode() if name == "json" else data for name, data in parts.items()}
            out += [(f"{uid}.{name}", data) for name, data in parts.items()]
        return out

    return do


def as_png(parts: dict[str, bytes]) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(parts.pop("jpg"))).save(out, "PNG")
    parts["png"] = out.getvalue()


def png_at(numbers: tuple[int, ...]) -> Callable:
    return of_samples(lambda number, _, parts: as_png(parts) if number in numbers else None)


def score(value: Any, first: int, kind: Any = 0.5) -> Callable:
    """`lang_score` of the first samples of the first shard is `value`, of all others `kind`."""

    def change(number: int, meta: dict, _: dict) -> None:
        for text in meta["matched_texts"]:
            text["lang_score"] = value if number < first else kind

    return of_samples(change, only=0)


def without_file(*names: str) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        for name in names:
            path = folder / "shards" / name
            path.unlink() if path.is_file() else path.rename(folder / "elsewhere")

    return do


STREAM = f"{ALL}: as a stream only, for "
ONE_EXTENSION = "(jpg 14, png 6; download.formats=jpg stores jpg only)"
NO_TXT = of_samples(lambda number, _, parts: parts.pop("txt") if number == 7 else None)


@pytest.mark.parametrize(
    ("change", "reader", "line"),
    [
        pytest.param(
            png_at((0, 3)), "Hugging Face datasets 5",
            "cannot read the set: its first samples have other members each (jpg json txt / json png txt)",
            id="datasets: formats among the first",
        ),
        pytest.param(
            png_at((5, 7)), "Hugging Face datasets 5",
            "reads 16 of 20 samples: others have other members (json png txt) than the first (jpg json txt), which it "
            "leaves out",
            id="datasets: formats later",
        ),
        pytest.param(
            score(None, 5), "Hugging Face datasets 5",
            f"{STREAM}matched_texts[].lang_score of the json is null or empty in the first samples",
            id="datasets: null in the first",
        ),
        pytest.param(
            of_samples(lambda number, meta, _: meta.update(entries=["kite"]) if number > 5 else None),
            "Hugging Face datasets 5",
            f"{STREAM}entries[] of the json is null or empty in the first samples",
            id="datasets: empty in the first",
        ),
        pytest.param(
            score(1, 1), "Hugging Face datasets 5",
            "cannot read the set: matched_texts[].lang_score of the json is of several kinds in its first samples "
            "(float, integer)",
            id="datasets: integers and floats",
        ),
        pytest.param(
            of_samples(lambda number, meta, _: meta.update(lang=[]) if number > 5 else None),
            "Hugging Face datasets 5",
            "cannot read the set: lang of the json has several kinds (list, string)",
            id="datasets: another kind later",
        ),
        pytest.param(
            of_samples(lambda number, meta, _: meta.update(more=1) if number < 3 else None),
            "Hugging Face datasets 5",
            f"{ALL}: older versions refuse it, for some samples lack more in the json",
            id="datasets: other keys",
        ),
        pytest.param(
            png_at((0, 3)), "RayGen",
            "cannot read the set: it refuses members of the kind png; download.formats=jpg stores jpg only",
            id="RayGen: png",
        ),
        pytest.param(
            of_samples(lambda number, _, parts: parts.update(note=b"x") if number == 1 else None), "RayGen",
            "cannot read the set: it refuses members of the kind note", id="RayGen: other members",
        ),
        pytest.param(
            of_samples(lambda _, meta, __: meta.update(text=7)), "RayGen",
            "cannot read the set: it takes strings, and text of the json is integer", id="RayGen: text no string",
        ),
        pytest.param(
            png_at((1, 2)), "NeMo Curator",
            f"reads 14 of 20 samples: it takes JPEG images named jpg only {ONE_EXTENSION}", id="NeMo: png",
        ),
        pytest.param(
            png_at(tuple(range(9))), "NeMo Curator",
            "cannot read the set: it takes JPEG images named jpg only (png 20; download.formats=jpg stores jpg only)",
            id="NeMo: no jpg",
        ),
        pytest.param(
            png_at((1, 2)), "clip-retrieval",
            f"reads 14 of 20 samples: it takes one extension of images {ONE_EXTENSION}",
            id="clip-retrieval: two extensions",
        ),
        pytest.param(
            png_at(tuple(range(1, 9))), "clip-retrieval",
            "reads 17 of 20 samples: with wds_image_key=png; it takes one extension of images (jpg 3, png 17; "
            "download.formats=jpg stores jpg only)",
            id="clip-retrieval: mostly png",
        ),
        pytest.param(png_at((1, 2)), "NVIDIA DALI", f"{ALL}: with ext=jpg;png", id="DALI: two extensions"),
        pytest.param(
            without_file("00001.idx"), "NVIDIA DALI",
            f"{ALL}: 1 tars without an index, which it reads once more to make one", id="DALI: no index",
        ),
        pytest.param(
            without_file("00001.tar.idx"), "Megatron-Energon 7",
            "cannot read the set: 1 tars have no index, such as 00001.tar.idx: run `energon prepare`",
            id="Energon: no index",
        ),
        pytest.param(
            without_file(".nv-meta"), "Megatron-Energon 7",
            "cannot read the set: there is no .nv-meta: run `energon prepare`, or write the shards again",
            id="Energon: no folder",
        ),
        *(
            pytest.param(NO_TXT, name, f"reads 18 of 20 samples: 2 without txt{more}", id=f"{name}: no txt")
            for name, more in (("OpenCLIP 3.3.0", f"; {SMALL}"), ("OpenCLIP (main)", f"; {SMALL}{MAIN}"),
                               ("Megatron-Energon 7", ""), ("NVIDIA DALI", ""), ("clip-retrieval", ""))
        ),
        pytest.param(
            of_samples(lambda *given: given[2].pop("jpg") if given[0] == 7 else None), "OpenCLIP 3.3.0",
            f"reads 18 of 20 samples: 2 without jpg or png or jpeg or webp; {SMALL}", id="OpenCLIP: no image",
        ),
        pytest.param(
            without_file("sizes.json"), "OpenCLIP 3.3.0",
            f"{ALL}: there is no sizes.json: give --train-num-samples; {SMALL}", id="OpenCLIP: no sizes",
        ),
        pytest.param(
            of_samples(lambda number, meta, _: meta.update(caption_b="", caption_a="a bird" if number else "")),
            "OpenCLIP (main)", f"{ALL}: {SMALL}; captions in the json: --json-text-key 'text;caption_a;caption_b'",
            id="OpenCLIP: joined captions",
        ),
        pytest.param(
            of_samples(lambda _, meta, __: meta.update(text=None, caption=" ")), "OpenCLIP (main)",
            f"{ALL}: {SMALL}; no key of the json is a text in all samples", id="OpenCLIP: no text in the json",
        ),
        pytest.param(
            of_samples(lambda _, meta, __: meta.update(texts=[["alt", text] for text in meta["texts"]])),
            "MetaCLIP's loader", ALL, id="MetaCLIP: pairs",
        ),
        pytest.param(
            of_samples(lambda _, __, parts: parts.pop("json")), "MetaCLIP's loader", f"{NO_PAIRS}missing",
            id="MetaCLIP: no json",
        ),
    ],
)  # fmt: skip
def test_each_reason_has_a_line(
    small_set: MakeSet, tmp_path: Path, change: Callable[[Path], None], reader: str, line: str
) -> None:
    change(folder := small_set(tmp_path))
    assert told(folder)[reader] == line


def test_every_reader_has_a_line_and_an_empty_set_none() -> None:
    assert readings(Traits(), SetFolder({}, [])) == []
    traits = Traits()
    traits.count({"__key__": "a", "cls": b"1"})
    found = readings(traits, SetFolder({"a.tar": 1}, []))
    assert [reading.reader for reading in found] == list(DEMANDS)
    assert all(reading.samples == 0 and reading.reason for reading in found if reading.reader[:7] != "Hugging")


def test_readings_say_how_many_samples() -> None:
    assert str(Reading("x", 2000, 2000)) == "x reads all 2,000 samples"
    assert str(Reading("x", 1, 2000, "why")) == "x reads 1 of 2,000 samples: why"


def test_traits_merge_and_stay_small_whatever_the_samples_hold() -> None:
    whole, shards = Traits(), []
    for shard in range(3):
        part = Traits()
        for number in range(7):
            nested = {f"k{shard}{number}{k}" * 99: [[[[["x"]]]]] for k in range(300)}
            values = {"json": json.dumps(nested).encode(), f"e{shard}{number}" * 99: b"", IMAGES[number % 4]: b"x"}
            for each in (part, whole):
                each.count({"__key__": "k", "__url__": "u", **values})
        shards.append(json.loads(json.dumps(part.to_json())))
    total = Traits.of_shards(shards)
    assert (total.samples, total.first, total.first_values) == (21, whole.first, whole.first_values)
    for counts in (total.members, total.values, whole.members, whole.values):
        assert len(counts) <= MAX_NAMES
    assert len(json.dumps(shards)) < 1_000_000


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[" * 100_000, b"7", b"\xff"], ids=["none", "open", "nest", "number", "bytes"]
)
def test_a_json_that_is_none_has_no_values(data: bytes) -> None:
    traits = Traits()
    traits.count({"__key__": "k", "json": data, "jpg": b"x"})
    assert not traits.values
