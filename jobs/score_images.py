"""Score the downloaded images by models: faces, NSFW, embeddings, or a model of yours."""

from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from headtail.start import launch
from conf.schema.jobs import ScoreImagesConfig
from curation.core.amounts import counted
from curation.core.choices import Signal
from curation.core.errors import HeadtailError
from curation.core.outcomes import refuse_nothing
from curation.core.outputs import check_writable
from curation.core.parts import sum_receipts
from curation.core.progress import Amount, Stage, say
from curation.core.storage import join, remove
from curation.images.downloads import Downloads
from curation.signals.onnx import CPU, OnnxSettings, check_columns
from curation.signals.presets import presets_text
from curation.signals.score import SignalSettings, open_models, score_images, signals_schema
from curation.signals.signals_table import STAGE, SignalsTable, plan_scoring, signals_recipe
from curation.spark.session import open_session
from curation.spark.tasks import run_tasks
from jobs.outputs import writing
from jobs.written_images import only_written, written_images

WORK = ".work"
"""The folder in the table in which images are selected for `only_written`."""


@writing(STAGE, lambda config: [config.image_signals])
def run(config: ScoreImagesConfig) -> None:
    """Write `image_signals`: a part for each generation of downloads that has none."""
    settings = signal_settings(config)
    models = open_models(replace(settings, provider=CPU))  # the driver's machine may lack the workers' hardware
    downloads = Downloads(config.downloads)
    generations = {part.outcome()["id"]: part for part in downloads.require("download_images")}
    identities = [model.identity for model in models]
    schema = signals_schema(models)
    table, columns = SignalsTable(config.image_signals, schema), schema.names
    only = only_written(config, columns)
    plans = table.plan(signals_recipe(settings, identities, downloads, only.recipe if only else None), config.overwrite)
    if not plans:
        remove(join(table.path, WORK))  # of a run that was stopped at its very end
        say(STAGE, f"is done: {counted(sum_receipts(table.parts()).rows_out, 'images')} in {table.path}")
        say_presets(table, columns)
        return
    downloads.check_images()
    check_writable([table.path])
    spark = open_session(STAGE, **vars(config.spark))
    work = join(table.path, WORK)
    remove(work)  # of a stopped run, maybe with other scores
    written = written_images(spark, config, downloads, work, only) if only else None
    for number, recipe in plans:
        generation = generations[recipe.inputs[0]["id"]]
        images = generation.receipt.rows_out
        lists = counted(len(generation.files), "lists")
        stage = Stage(STAGE, f"{lists} of {counted(images, 'images')} for {', '.join(settings.signals)}")
        folder = table.begin_or_resume(number, recipe)
        tasks = plan_scoring(generation, folder, written)
        score = partial(score_images, settings=settings, identities=identities)
        receipts = run_tasks(spark, score, tasks, folder, amount=Amount(images, "images"))
        stage.end(table.commit(number, recipe, receipts, stage.seconds).receipt)
    remove(work)
    say_presets(table, columns)
    refuse_nothing(sum_receipts(table.parts()), "image", "see download_status for the errors", config.allow_empty)


def say_presets(table: SignalsTable, columns: list[str]) -> None:
    """Say what each named threshold would leave out of the scored images."""
    if text := presets_text(sum_receipts(table.parts()), columns):
        say(STAGE, text)


def columns_of(config: ScoreImagesConfig) -> list[pa.Field]:
    """Return the columns of the table beside uid. Raises HeadtailError for a model that cannot be run here."""
    return list(signals_schema(open_models(replace(signal_settings(config), provider=CPU))))[1:]


def signal_settings(config: ScoreImagesConfig) -> SignalSettings:
    """Return the settings of the tasks. Raises HeadtailError if no signal is asked for."""
    if not config.signals:
        raise HeadtailError(f"signals is empty: name some of {', '.join(Signal)}, such as signals=[faces]")
    check_columns("onnx.outputs", list(config.onnx.outputs))
    lists = {"mean": tuple(config.onnx.mean), "scale": tuple(config.onnx.scale)}
    given: dict[str, Any] = {**vars(config.onnx), **lists, "outputs": tuple(config.onnx.outputs.items())}
    onnx = OnnxSettings(**given) if config.onnx.model else None
    signals = tuple(signal for signal in Signal if signal in config.signals)
    tiles = config.face_tiles if Signal.faces in signals else 1
    return SignalSettings(signals, tiles, onnx, tuple(sorted(config.signal_models.items())), config.provider)


if __name__ == "__main__":
    launch(run)
