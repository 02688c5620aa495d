"""The README beside the sets of shards of data experts: how each expert is trained, after MoDE."""

from collections.abc import Mapping, Sequence

from curation.shards.readme import BATCH, WORKERS, tar_pattern

COMMON_EPOCHS, EPOCHS = 27, 32
"""An expert goes on with a common model that was trained for so many epochs, until so many."""
OTHERS = 0.02
"""How often a shard of other clusters is drawn, against one of the expert's own."""
TEMPLATE = """# {samples:,} image-text samples of {count:,} clusters, a set of shards each

Written by headtail, `write_shards by=coarse`. Each folder is a set of its own, with a README and `sizes.json`.

| set | samples | shards | entries that its images have more often than others |
|---|---|---|---|
{rows}

## Data experts

Each set trains a data expert (MoDE, arXiv 2404.16030): a common model is trained on all sets for {common} of {epochs}
epochs, then a copy of it on each set, with {share:.0%} of the samples of the others. The commands are for the folder of
this README; model, batch and workers are yours to choose.
`common.pt` is the checkpoint of the common model after epoch {common}, as OpenCLIP has written it.

The common model (stop it after epoch {common}):

```sh
{all_sets}
```
{experts}
`headtail expert_weights` computes how much each expert counts in a task.
"""
EXPERT = """
Expert {number}:

```sh
{command}
```
"""


def expert_readme(sizes: Sequence[Mapping[str, int]], names: Sequence[Sequence[str]], folders: Sequence[str]) -> str:
    """Return the README; `sizes` are the sizes.json of each set, `names` the entries that name its cluster."""
    samples = [sum(mine.values()) for mine in sizes]
    kept = [number for number, count in enumerate(samples) if count]
    rows = [
        f"| `{folders[number]}` | {samples[number]:,} | {len(sizes[number]):,} | {_shown(words)} |"
        for number, words in enumerate(names)
    ]
    patterns = [tar_pattern(folders[number], _stems(sizes[number])) for number in range(len(sizes))]
    experts = []
    for number in kept:
        others = [each for each in kept if each != number]
        data, more = f"'{patterns[number]}'", ""
        if others:
            data = f"'{patterns[number]}::{_together([patterns[each] for each in others])}'"
            more = f"--train-data-upsampling-factors 1::{OTHERS} "
        epoch = samples[number] + round(OTHERS * sum(samples[each] for each in others))
        command = _command(data, f"{more}--dataset-resampled --resume common.pt", epoch)
        experts.append(EXPERT.format(number=number, command=command))
    together = f"'{_together([patterns[number] for number in kept])}'"
    return TEMPLATE.format(
        samples=sum(samples),
        count=len(sizes),
        rows="\n".join(rows),
        common=COMMON_EPOCHS,
        epochs=EPOCHS,
        share=OTHERS,
        all_sets=_command(together, "--dataset-resampled", sum(samples)),
        experts="".join(experts),
    )


def _command(data: str, more: str, samples: int) -> str:
    return " \\\n    ".join(
        (
            f"python -m open_clip_train.main --train-data {data}",
            f"{more} --train-num-samples {samples}",
            "--dataset-type webdataset --model ViT-B-32",
            f"--batch-size {min(BATCH, max(samples, 1))} --workers {WORKERS} --epochs {EPOCHS}",
        )
    )


def _stems(sizes: Mapping[str, int]) -> list[str]:
    return sorted(name.removesuffix(".tar") for name in sizes)


def _together(patterns: Sequence[str]) -> str:
    """Return one pattern that stands for the tars of several.

    >>> _together(["a/{00000..00003}.tar", "b/00000.tar"]), _together(["a/00000.tar"])
    ('{a/{00000..00003},b/00000}.tar', 'a/00000.tar')
    """
    stems = [pattern.removesuffix(".tar") for pattern in patterns]
    return f"{{{','.join(stems)}}}.tar" if len(stems) > 1 else "".join(patterns)


def _shown(words: Sequence[str]) -> str:
    """Return words of others as a cell of a table in Markdown can hold them."""
    plain = ("".join(letter for letter in word if letter.isprintable() and letter not in "`|") for word in words)
    return ", ".join(f"`{word[:60]}`" for word in plain if word.strip())
