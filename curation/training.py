"""Commands that train on a folder of shards."""

import shlex
from collections.abc import Mapping

from curation.core.storage import join


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
