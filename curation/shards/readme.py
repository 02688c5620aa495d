"""The README beside a set of shards: their contents, and the commands that train on them."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from curation.core.parts import Part
from curation.core.storage import is_local, join
from curation.shards.sample_json import BLURRED, CAPTION, ENTRY_WORDS, version_of

CAPTIONS = "captions"
"""Key of the counts of joined captions in the manifest of a set."""
MAX_SHOWN = 120
WORKERS, BATCH = 4, 256
"""At most so many workers and samples of a batch are in the command for OpenCLIP."""
TEMPLATE = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: "*.tar"
---

# {samples:,} image-text samples in {shards:,} WebDataset shards

Written by headtail; `_manifest.json` holds settings, counts by reason and the SHA-256 of every tar.

| file | content |
|---|---|
| `{first}.tar` ... `{last}.tar` | samples: `<uid>.json`, `<uid>.txt` (the caption), `<uid>.{extensions}` |
| `{first}.parquet` ... | a row for each sample of the tar of that name, in its order |
| `sizes.json` | samples of each tar: OpenCLIP reads it |
| `{first}.idx` ... | where the members of the tar lie: NVIDIA DALI reads it as `index_paths` |
| `{first}.tar.idx` ..., `.nv-meta/` | the same for Megatron-Energon, which needs no `energon prepare` |

The samples are in a random order that the seed fixes, so the first shards, however many, are a random sample.
{keys}
{captions}
The commands are for the folder of this README.

## OpenCLIP

```sh
{command}
```

Add `--siglip` for the sigmoid loss. OpenCLIP needs at least as many shards as workers x GPUs, and drops what does not
fill a batch of a worker{small}.
{json}
Several sets are named together, with `::` between them. The factors say how often a shard of each is drawn, and
`--train-num-samples` is the length of an epoch:

```sh
--train-data '{pattern}::/data/other/{{00000..00041}}.tar' --train-data-upsampling-factors 1::2 --dataset-resampled
```

## Hugging Face datasets

```python
from datasets import load_dataset

samples = load_dataset(".", split="train", streaming=True)  # the head of this file names the tars
```

## webdataset

```python
import webdataset as wds

samples = wds.WebDataset("{pattern}").decode("pil").to_tuple("jpg;png;webp", "txt", "json")
```

Images that are not here, by reason: {drops}.
"""


JSON = {
    1: """Versions of its trainer that take captions from the json find them with `--json-text-key text`.
""",
    2: """Versions of its trainer that take captions from the json find them with `--json-text-key text`; where captions
were joined, `--json-text-key 'text;caption_<name>' --json-text-key-probs 0.85 0.15` takes them for 15% of the samples.
""",
}
"""How OpenCLIP takes captions from the json, by its version."""
KEYS = {
    1: """The json holds `text` (the caption again), `lang`, `url`, `keep_probability`, all matched `texts` with their
languages and entry ids, sizes in pixels, and the `sha256` of the image as it was sent. Balancing left out the texts
whose `kept` is false: training on them would undo the balance.""",
    2: """The json of every sample has the same keys:

| key | content |
|---|---|
| `caption`, `text` | the caption again, as in the txt |
| `texts` | the texts that balancing kept, the caption among them: draw from these |
| `matched_texts` | all texts that hold an entry of the metadata, each with `text`, `text_key`, `lang`, `lang_score`, \
`entry_ids`, `keep_probability` and `kept`. Balancing left out those whose `kept` is false: training on them would \
undo the balance |
| `entries` | {entries} |
| `caption_<name>` | where captions were joined: that of this image, "" if it has none |
| `uid`, `url`, `lang`, `keep_probability` | of the image, and of its caption |
| `width`, `height` | of the image here, in pixels |
| `original_width`, `original_height`, `sha256` | of the image as it was sent |""",
}
"""The json of a sample as a README explains it, by version."""
ENTRIES = {
    True: "the words of the entries that the caption holds",
    False: "an empty list: the words of the entries were not at hand when the shards were written",
}
"""The key `entries`, by whether there were words."""


def shard_readme(part: Part) -> str:
    """Return the README of a complete set of shards; it names no folder above them, since it is published with them."""
    sizes = {entry["tar"]: entry["rows"] for entry in part.manifest["files"]}
    names = [tar.removesuffix(".tar") for tar in sizes]
    first, last = (names[0], names[-1]) if names else ("none", "none")
    drops = ", ".join(f"{reason} {count:,}" for reason, count in part.manifest["drops"].items())
    return TEMPLATE.format(
        samples=part.manifest["rows_out"],
        shards=len(names),
        first=first,
        last=last,
        extensions="jpg, png or webp",
        pattern=tar_pattern("", names),
        command=openclip_command("", sizes, " \\\n    "),
        small=f": {small}" if (small := small_shard(sizes)) else "",
        json=JSON[version_of(part.manifest)],
        drops=drops or "none",
        captions=_captions(part.manifest.get(CAPTIONS, {}), part.manifest["settings"].get("syn_json", False)),
        keys=KEYS[version_of(part.manifest)].format(entries=ENTRIES[part.manifest.get(ENTRY_WORDS, False)])
        + _faces(part.manifest),
    )


def _faces(manifest: Mapping[str, Any]) -> str:
    """Return what a reader of blurred images has to know, for a set that has them."""
    if manifest["settings"].get("faces") != "blur":
        return ""
    images, faces = (manifest["facts"].get(name, 0) for name in ("blurred_images", BLURRED))
    return (
        f"\n\nFaces were blurred where a detector had found them: {faces:,} in {images:,} images, on the day on which "
        f"the set was written. `{BLURRED}` in the json and the side-car says how many are blurred in the image. "
        "`sha256` stays that of the image as it was sent, so removal lists and tables of others still find the image."
    )


def _captions(counts: Mapping[str, Mapping[str, Any]], syn_json: bool) -> str:
    """Return a line for each name of joined captions; models and prompts are texts of others.

    The samples are those that were written: some may have been removed since.
    """
    lines = []
    for name, mine in counts.items():
        samples = mine["samples_with"] + mine["samples_without"]
        line = f"- `{CAPTION}{name}`: {mine['samples_with']:,} of {samples:,} samples."
        for kind in ("models", "prompts"):
            notes = [f"`{_plain(text)}` ({count:,} rows)" for text, count in mine.get(kind, {}).items()]
            line += f" {kind.capitalize()}: {', '.join(notes)}." if notes else ""
        lines.append(f"{line}\n")
    head = "\nCaptions that were joined to the images (the numbers are of the day on which the set was written):\n\n"
    member = '\n`<uid>.syn.json` holds all of them, `[""]` where there are none.\n' if syn_json else ""
    return f"{head}{''.join(lines)}{member}" if lines else ""


def _plain(text: str) -> str:
    """Return a text of others as a code span of a README can hold it."""
    shown = "".join(letter for letter in " ".join(text.split()) if letter.isprintable()).replace("`", "'")
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."


def tar_pattern(folder: str, names: Sequence[str]) -> str:
    """Return the pattern that stands for all tars of a set, from the sorted names of its shards.

    >>> tar_pattern("/s", ["00000", "00001"])
    '/s/{00000..00001}.tar'
    """
    span = f"{{{names[0]}..{names[-1]}}}" if len(names) > 1 else "".join(names) or "none"
    return join(folder, f"{span}.tar")


def openclip_command(folder: str, sizes: Mapping[str, int], separator: str = " ") -> str:
    """Return the command that trains OpenCLIP on the shards of a folder; `sizes` is its sizes.json.

    Without a folder the command is for the folder of the shards. Workers and batch are those of `loader_of`.

    >>> openclip_command("/s", {"00000.tar": 10, "00001.tar": 7}).split("main ")[1].split(" --dataset-type")[0]
    "--train-data '/s/{00000..00001}.tar' --train-num-samples 17"
    >>> openclip_command("/s", {"00000.tar": 10, "00001.tar": 7}).split("ViT-B-32 ")[1]
    '--batch-size 16 --workers 1 --epochs 1'
    """
    names = sorted(name.removesuffix(".tar") for name in sizes)
    workers, batch = loader_of(sizes)
    return separator.join(
        (
            "python -m open_clip_train.main",
            f"--train-data {shlex.quote(tar_pattern(folder, names))} --train-num-samples {sum(sizes.values())}",
            "--dataset-type webdataset --model ViT-B-32",
            f"--batch-size {batch} --workers {workers} --epochs 1",
        )
    )


def command_anywhere(folder: str, sizes: Mapping[str, int]) -> str:
    """Return the command with the whole path of a folder, so that it runs wherever it is started."""
    return openclip_command(os.path.abspath(folder) if is_local(folder) else folder, sizes)


def loader_of(sizes: Mapping[str, int]) -> tuple[int, int]:
    """Return workers and batch size with which OpenCLIP trains on shards of these sizes: the largest batch up to BATCH.

    OpenCLIP refuses fewer shards than workers. It deals the shards out in random order, and a worker drops what does
    not fill a batch, so the smallest shards that a worker may get must fill one.

    >>> loader_of(dict.fromkeys("abcdefgh", 10_000)), loader_of({"a": 10_000, "b": 10_000, "c": 7})
    ((4, 256), (1, 256))
    """
    ascending = sorted(sizes.values())
    fewest = {workers: sum(ascending[: len(sizes) // workers]) for workers in range(1, min(WORKERS, len(sizes)) + 1)}
    options = [(min(BATCH, 1 << max(least.bit_length() - 1, 0)), workers) for workers, least in fewest.items()]
    batch, workers = max(options, default=(1, 1))
    return workers, batch


def small_shard(sizes: Mapping[str, int]) -> str:
    """Return a remark about the smallest shard, where it could not fill a batch; empty: each can.

    >>> small_shard({"00000.tar": 100, "00001.tar": 9}), small_shard({"00000.tar": 300, "00001.tar": 256})
    ('00001.tar holds 9 samples: a worker that gets it alone fills no batch of more', '')
    """
    least, name = min(((samples, tar) for tar, samples in sizes.items()), default=(BATCH, ""))
    if least >= BATCH or len(sizes) == 1:
        return ""
    return f"{name} holds {least:,} samples: a worker that gets it alone fills no batch of more"
