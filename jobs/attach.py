"""Attach captions, reinforcements or embeddings to finished shards, in companion tars beside them."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import AttachConfig
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.leases import writing
from curation.core.outputs import check_writable
from curation.core.parts import Part
from curation.core.progress import Stage, say
from curation.core.receipts import merge_receipts
from curation.core.storage import exists, join, remove
from curation.shards.array_attachments import array_files
from curation.shards.companion_set import begin, companion_folder, is_done, publish, recipe_of
from curation.shards.companions import (
    CompanionTask,
    DealRowsTask,
    DealSamplesTask,
    deal_rows,
    deal_samples,
    write_companion,
)
from curation.shards.join_text import join_text
from curation.shards.joined import JoinedFiles, run_join
from curation.shards.keyed_join import count_buckets
from curation.shards.shard_set import ShardSet
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks

NAME = "attach"


@writing(NAME, lambda config: [companion_folder(config.shards, config.name)])
def run(config: AttachConfig) -> None:
    """Write companion tars of the same names, numbers and order as the shards; no image is read."""
    (part,) = ShardSet(config.shards).require("write_shards")
    folder = companion_folder(config.shards, config.name)
    files, inputs = files_of(config.data, config.array)
    recipe = recipe_of(part, inputs, config.array)
    if is_done(folder, recipe, config.overwrite):
        say(NAME, f"is done: {folder}")
        return
    check_writable([folder])
    work = begin(folder, recipe)
    stage = Stage(NAME, f"{counted(len(files), 'files')} to {counted(len(part.files), 'shards')} in {folder}")
    spark = open_session(NAME, **vars(config.spark))
    buckets = count_buckets(2 * part.receipt.rows_out)
    steps = join(work, "join-2")  # that of older versions was another one
    samples, rows = join(steps, "samples"), join(steps, "rows")
    run_each = partial(run_tasks, spark, folder=folder)
    remove(samples)  # of a stopped run; what is finished of rows, joins and tars stays
    deals = [
        DealSamplesTask(path, number, join(samples, f"{number:06d}"), buckets) for number, path in enumerate(part.files)
    ]
    run_each(deal_samples, deals)
    given = [
        DealRowsTask(
            path, metadata, join(rows, f"{number:06d}"), join(steps, "dealt", f"{number:06d}.json"), buckets,
            config.array,
        )
        for number, (path, metadata) in enumerate(files)
    ]  # fmt: skip
    dealt = merge_receipts(NAME, run_each(deal_rows, given))
    fitted, joined = run_join(run_each, samples, rows, steps, buckets, len(part.files))
    receipts = run_each(write_companion, plan_companions(part, folder, joined, work))
    total = merge_receipts(NAME, receipts)
    counts = {
        "rows": dealt.rows_in, "faulty_rows": dealt.drops["faulty_row"], "fit_no_image": fitted.drops["fits_no_image"],
        "same_key": fitted.drops["same_key"], "joined_by_both_keys": total.facts["joined_by_both_keys"],
        "samples": total.rows_in, "samples_with": total.rows_out, "samples_without": total.drops["without"],
    }  # fmt: skip
    if not total.rows_out and not config.allow_empty:
        raise HeadtailError(
            f"data: none of {counted(dealt.rows_in, 'rows')} fits an image of {config.shards} "
            f"({dealt.drops['faulty_row']:,} faulty): are uid, sha256 or url those of its side-cars? "
            "allow_empty=true accepts this"
        )
    publish(folder, recipe, receipts, counts)
    stage.end(total)
    say(NAME, f"{folder}: {join_text(counts, 'a row')}")


def plan_companions(part: Part, folder: str, joined: JoinedFiles, work: str) -> list[CompanionTask]:
    """Return a task for the companion of each shard, in order."""
    tasks = []
    for number, (entry, sidecar) in enumerate(zip(part.manifest["files"], part.files, strict=True)):
        receipt = join(work, "written", f"{entry['tar']}.json")
        tasks.append(CompanionTask(join(folder, entry["tar"]), sidecar, joined.of(number), receipt))
    return tasks


def files_of(data: list[str], array: str = "") -> tuple[list[tuple[str, str]], list[dict]]:
    """Return the files to attach, each with the file of its keys or "", and all of them as inputs of a recipe.

    With `array`, that of `.npz` files is attached.
    """
    found: list[tuple[str, str]] = []
    inputs: list[dict] = []
    for path in data:
        if array:
            arrays = list_files([path], (".parquet", ".npz"))
            found += [(file.path, file.table) for file in array_files(arrays, array)]
        elif exists(join(path, "img_emb")):
            arrays = list_files([join(path, "img_emb")], (".npy",))
            inputs += [vars(file) for file in list_files([join(path, "metadata")], (".parquet",))]
            for file in arrays:
                number = file.path.rsplit("_", 1)[-1].removesuffix(".npy")
                found.append((file.path, join(path, "metadata", f"metadata_{number}.parquet")))
        else:
            arrays = list_files([path], (".parquet", ".tar"))
            if odd := [file.path for file in arrays if not file.path.endswith((".parquet", ".tar"))]:
                raise HeadtailError(f"data: {odd[0]} is no Parquet file, no tar and no folder of clip-retrieval")
            found += [(file.path, "") for file in arrays]
        inputs += [vars(file) for file in arrays]
    return found, inputs


if __name__ == "__main__":
    launch(run)
