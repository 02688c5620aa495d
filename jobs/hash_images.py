"""Hash the images of benchmarks, so that write_shards can leave them out."""

from functools import partial

from headtail.start import launch
from conf.schema.jobs import HashImagesConfig
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.input_files import list_files
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import sum_receipts
from curation.core.progress import Stage, say
from curation.core.recipes import Recipe
from curation.core.tables import Table
from curation.shards.benchmark_files import SUFFIXES, Embedder, hash_files, plan_hashing
from curation.shards.benchmark_images import BENCHMARK_IMAGES, EMBEDDING_COLUMN
from curation.shards.perceptual_hash import VERSIONS
from curation.signals.embedding import EMBEDDING, embed_image, embedding_model
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.outputs import writing

NAME = "hash_images"
EMBEDDINGS = "embedding_model"
"""The setting in the recipe of a table with embeddings."""


@writing(NAME, lambda config: [config.benchmark_images])
def run(config: HashImagesConfig) -> None:
    """Write `benchmark_images`, unless it exists and was made from these files.

    Raises HeadtailError if a table with embeddings would become one without, and `overwrite` is false.
    """
    if not config.images:
        raise HeadtailError("images is empty: give the images of a benchmark, images.imagenet=/data/imagenet/val")
    files = {name: list_files([path], SUFFIXES) for name, path in sorted(config.images.items())}
    embedder = Embedder(embed_image, EMBEDDING) if config.embeddings else None
    table = Table(config.benchmark_images, BENCHMARK_IMAGES, (EMBEDDING_COLUMN,))
    inputs = [vars(info) for listed in files.values() for info in listed]
    counts = {name: len(listed) for name, listed in files.items()}
    more = {EMBEDDINGS: vars(embedding_model().identity)} if embedder else {}
    recipes = [Recipe(NAME, 1, {"images": counts, "hash_version": version, **more}, inputs) for version in VERSIONS]
    recipe = recipes[-1]
    accepted = [recipe] if config.overwrite else recipes  # a table of before stays
    if done := next(filter(None, map(table.done, accepted)), None):
        say(NAME, f"is done: {counted(done.receipt.rows_out, 'images')} in {table.path}")
        return
    if not embedder and not config.overwrite and any(EMBEDDINGS in part.manifest["settings"] for part in table.parts()):
        raise HeadtailError(
            f"{table.path} has embeddings: set embeddings=true to keep them, overwrite=true to make the table without "
            "them, or another path"
        )
    check_writable([table.path])
    stage = Stage(NAME, f"{counted(len(inputs), 'files')} of {counted(len(files), 'benchmarks')}")
    spark = open_session(NAME, **vars(config.spark))
    folder = table.begin(0)
    receipts = run_tasks(spark, partial(hash_files, embedder=embedder), plan_hashing(files, folder), folder)
    part = table.commit(0, recipe, receipts, stage.seconds)
    stage.end(part.receipt)
    refuse_nothing(sum_receipts([part]), "image", "see the reasons above", config.allow_empty)


if __name__ == "__main__":
    launch(run)
