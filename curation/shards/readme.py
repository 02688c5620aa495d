"""The README beside a set of shards: what they hold and the commands that train on them."""

import shlex
from collections.abc import Mapping

from curation.core.storage import join
from curation.core.tables import Part

TEMPLATE = """# {samples:,} image-text samples in {shards:,} WebDataset shards

Written by headtail; `_manifest.json` holds settings, counts by reason and the SHA-256 of every tar.

| file | what it is |
|---|---|
| `{first}.tar` ... `{last}.tar` | samples: `<uid>.json`, `<uid>.txt` (the caption), `<uid>.{extensions}` |
| `{first}.parquet` ... | a row for each sample of the tar of that name, in its order |
| `sizes.json` | samples of each tar: OpenCLIP reads it |

The samples stand in a random order that the seed fixes, so any number of shards from the first on is a random sample.
The json holds `text` (the caption again), `lang`, `url`, `keep_probability`, all matched `texts` with their languages
and entry ids, sizes in pixels, and the `sha256` of the image as it was found.

## OpenCLIP

```sh
python -m open_clip_train.main --model ViT-B-32 --dataset-type webdataset \\
    --train-data '{pattern}' --train-num-samples {samples} \\
    --batch-size 256 --workers {workers} --epochs 1
```

Add `--siglip` for the sigmoid loss. OpenCLIP wants at least as many shards as workers x GPUs. Versions of its trainer
that take captions from the json find them with `--json-text-key text`.

## Hugging Face datasets

```python
from datasets import load_dataset

samples = load_dataset("webdataset", data_files={{"train": "{glob}"}}, split="train", streaming=True)
```

## webdataset

```python
import webdataset as wds

samples = wds.WebDataset("{pattern}").decode("pil").to_tuple("jpg;png;webp", "txt", "json")
```

What became of the images that are not here: {drops}.
"""


def shard_readme(part: Part) -> str:
    """Return the README of a complete set of shards."""
    names = [entry["tar"].removesuffix(".tar") for entry in part.manifest["files"]]
    first, last = (names[0], names[-1]) if names else ("none", "none")
    drops = ", ".join(f"{reason} {count:,}" for reason, count in part.manifest["drops"].items())
    return TEMPLATE.format(
        samples=part.manifest["rows_out"],
        shards=len(names),
        first=first,
        last=last,
        extensions="jpg, png or webp",
        pattern=f"{part.path}/{{{first}..{last}}}.tar" if len(names) > 1 else f"{part.path}/{first}.tar",
        glob=f"{part.path}/*.tar",
        workers=max(1, min(4, len(names))),
        drops=drops or "there are none",
    )


def openclip_command(folder: str, sizes: Mapping[str, int]) -> str:
    """Return the command that trains OpenCLIP on the shards of a folder; `sizes` is its sizes.json.

    >>> openclip_command("/s", {"00000.tar": 10, "00001.tar": 7}).split("--train-data ")[1]
    "'/s/{00000..00001}.tar' --train-num-samples 17 --dataset-type webdataset --model ViT-B-32"
    """
    names = sorted(name.removesuffix(".tar") for name in sizes)
    span = f"{{{names[0]}..{names[-1]}}}" if len(names) > 1 else names[0]
    return (
        f"python -m open_clip_train.main --train-data {shlex.quote(join(folder, f'{span}.tar'))} "
        f"--train-num-samples {sum(sizes.values())} --dataset-type webdataset --model ViT-B-32"
    )
