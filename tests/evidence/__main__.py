"""The steps of the evidence: `python -m tests.evidence STEP key=value ...` (docs/evidence.md).

fetch      fetch the packages and make the material: drawings, names, pictures of the exam
web        make the pages
curate     curate them, once for each arm
train      train OpenCLIP on each arm and seed, and examine every model
table      print the table, draw the figure: both go to the folder `out`
languages  curate a web in all languages, and print a table of them
retrieval  curate a web in English only, in all languages with one t, and with t per language; train and examine each
           in ten languages, print the tables
all        fetch, web, curate, train, table

Each step starts where it was left, and does again only what has other sizes than before.
"""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from curation.core.errors import HeadtailError
from tests.evidence.arms import command_line, curate_arms
from tests.evidence.many_languages import curate_languages
from tests.evidence.material import Material, from_packages, read_material
from tests.evidence.outcome import chart, counts_table, table
from tests.evidence.retrieval import retrieve
from tests.evidence.sizes import Sizes, parse
from tests.evidence.sketches import make_sketches
from tests.evidence.trainings import train_and_examine
from tests.evidence.web import make_web

CACHE = Path("build/evidence/packages")
STEPS = ("fetch", "web", "curate", "train", "table", "languages", "retrieval", "all")


def material_of(sizes: Sizes) -> Material:
    """Make the material that the sizes name, unless it is there."""
    folder = Path("build/evidence") / f"material-{sizes.material}"
    if (folder / "concepts.json").exists():
        return read_material(folder)
    if sizes.material == "npm":
        return from_packages(folder, CACHE)
    if sizes.material == "sketches":
        return make_sketches(folder)
    raise HeadtailError(f"material={sizes.material}: expected npm or sketches")


def curate(given: list[str]) -> None:
    """Run `headtail curate` as a user does; a failed run ends this program."""
    done = subprocess.run([*command_line(given), "spark.master=local[2]"], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def run(step: str, sizes: Sizes) -> None:
    """Do a step."""
    material = material_of(sizes)
    if step == "fetch":
        print(f"{len(material.concepts):,} concepts, {len(material.languages)} languages, drawn by {material.vendors}")
        print((material.folder / "NOTICE.md").read_text("utf-8"), end="")
    if step in ("web", "all"):
        print(json.dumps(make_web(material, sizes, sizes.out, sizes.port)["truth"]))
    if step in ("curate", "all"):
        print(counts_table(curate_arms(material, sizes, curate)))
    if step in ("train", "table", "all"):
        results = train_and_examine(material, sizes)
    if step in ("table", "all"):
        told = table(json.loads((sizes.out / "arms.json").read_text("utf-8")), results)
        (sizes.out / "table.md").write_text(told + "\n", "utf-8")
        (sizes.out / "figure.svg").write_text(chart(results), "utf-8")
        print(told)
    if step == "languages":
        told = curate_languages(material, sizes, curate)
        (sizes.out / "languages.md").write_text(told + "\n", "utf-8")
        print(told)
    if step == "retrieval":
        told = retrieve(material, sizes, curate)
        (sizes.out / "retrieval.md").write_text(told + "\n", "utf-8")
        print(told)


def main(arguments: list[str]) -> None:
    """Read the command line."""
    if not arguments or arguments[0] not in STEPS:
        settings = "\n".join(f"{each.name:14} {each.metadata['help']} ({each.default})" for each in fields(Sizes))
        sys.exit(f"{__doc__}\n{settings}")
    try:
        run(arguments[0], parse(arguments[1:]))
    except HeadtailError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
