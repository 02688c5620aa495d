"""From files of vectors to clusters: the keyed sample, the hierarchy and its files, assigning, resuming."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.compose import compose_config
from conf.schema.jobs import ClusterImagesConfig
from curation.clusters.assign import AssignTask, Given, assign_clusters
from curation.clusters.clusters_table import ClustersTable
from curation.clusters.fit import Fit
from curation.clusters.hierarchy import CENTRES, HIERARCHY, Hierarchy, make_hierarchy, read_hierarchy, write_hierarchy
from curation.clusters.sample import Draw, Sample, SampleTask, count_source, draw_sample, gather
from curation.clusters.sources import Source
from curation.clusters.vector_files import list_vectors, open_vector_files
from curation.core.errors import HeadtailError
from curation.core.recipes import Recipe
from curation.core.whole_vectors import nearest, whole_units
from jobs.cluster_sources import find_centres, sources_of
from tests.unit.clusters.test_fit import heaps

UNITS, HEAP = heaps([120, 80, 60, 40, 30, 20], 12)
READ, _ = whole_units(UNITS)
UIDS = [f"{number * 7919 % 2**32:08x}{number:016x}" for number in range(len(UNITS))]


def sources(folder: Path, files: int) -> list[Source]:
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(UNITS)), files)):
        uids = [UIDS[row] for row in rows]
        lists = UNITS[rows].astype(np.float64).tolist()
        pq.write_table(pa.table({"uid": uids, "v": lists}), folder / f"{number}.parquet")
    return [Source(file=file) for file in open_vector_files(list_vectors([str(folder)]), "")]


def drawn(folder: Path, files: int, wanted: int, share: float, seed: int = 3) -> Sample:
    tasks = [
        SampleTask(each, f"{folder}/s-{files}/{place}")
        for place, each in enumerate(sources(folder / f"{files}", files))
    ]
    assert sum(count_source(task).rows_in for task in tasks) == len(UNITS)
    for task in tasks:
        draw_sample(task, Draw(seed, share), None).check()
    return gather([task.output for task in tasks], wanted)


def hierarchy() -> Hierarchy:
    return replace(make_hierarchy(UNITS, Fit(12, 10, True), Fit(3, 10, True), 0), facts={"from": "embeddings"})


def test_the_sample_is_keyed_whatever_the_files(tmp_path: Path) -> None:
    one, seven = (drawn(tmp_path, files, 100, 0.6) for files in (1, 7))
    assert len(one.uids) == 100
    assert one.uids.equals(seven.uids)
    assert np.array_equal(one.units, seven.units)
    assert np.array_equal(one.units, READ[[UIDS.index(uid) for uid in one.uids.to_pylist()]])
    assert not drawn(tmp_path, 3, 100, 0.6, seed=4).uids.equals(one.uids)
    assert sorted(drawn(tmp_path, 2, 1000, 1.0).uids.to_pylist()) == sorted(UIDS)


def test_coarse_clusters_are_numbered_by_size() -> None:
    found = hierarchy()
    assert len(found.centres) == len(found.coarse) == 12
    assert set(found.coarse) == {0, 1, 2}
    sizes = Counter[int]()
    labels, _ = nearest(UNITS, found.centres)
    assert np.array_equal(np.bincount(labels, minlength=12), found.sizes)
    for coarse, size in zip(found.coarse, found.sizes, strict=True):
        sizes[coarse] += size
    assert sizes[0] >= sizes[1] >= sizes[2] > 0


def test_the_hierarchy_comes_back_and_its_files_belong_together(tmp_path: Path) -> None:
    made = hierarchy()
    write_hierarchy(str(tmp_path), made, [["a", "b"], *([] for _ in range(11))])
    found = read_hierarchy(str(tmp_path))
    assert np.array_equal(found.centres, made.centres)
    assert (found.coarse, found.sizes, found.id) == (made.coarse, made.sizes, made.id)
    assert found.facts["from"] == "embeddings"
    assert (tmp_path / "names.txt").read_text().splitlines()[:2] == ["0: a, b", "1:"]
    centres = np.load(tmp_path / CENTRES)
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-3)
    write_hierarchy(str(tmp_path), made, [[] for _ in range(12)])
    np.save(tmp_path / CENTRES, centres[::-1])
    with pytest.raises(HeadtailError, match=r"is not of the centers\.npy beside it"):
        read_hierarchy(str(tmp_path))


def test_damaged_hierarchies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HeadtailError, match="holds no clusters: run cluster_images"):
        read_hierarchy(str(tmp_path))
    write_hierarchy(str(tmp_path), hierarchy(), [[] for _ in range(12)])
    whole = json.loads((tmp_path / HIERARCHY).read_text())
    for key, value in {"coarse_of_fine": [99] * 12, "sample_sizes": [1], "id": None}.items():
        (tmp_path / HIERARCHY).write_text(json.dumps(whole | {key: value}))
        with pytest.raises(HeadtailError, match=r"damaged|is not of the"):
            read_hierarchy(str(tmp_path))
    (tmp_path / HIERARCHY).write_text(json.dumps(whole))
    (tmp_path / CENTRES).write_bytes((tmp_path / CENTRES).read_bytes()[:150])
    with pytest.raises(HeadtailError, match="damaged"):
        read_hierarchy(str(tmp_path))


def test_each_image_gets_its_clusters_once(tmp_path: Path) -> None:
    made = hierarchy()
    write_hierarchy(str(tmp_path / "c"), made, [[] for _ in range(12)])
    (source,) = sources(tmp_path / "in", 1)
    task = AssignTask(source, f"{tmp_path}/c/part-00000/00000.parquet", f"{tmp_path}/c/part-00000/_00000.json")
    given = Given(str(tmp_path / "c"), made.id, None)
    receipt = assign_clusters(task, given)
    rows = pq.read_table(task.output).to_pydict()
    labels, distances = nearest(READ, made.centres)
    assert rows["uid"] == UIDS
    assert rows["fine"] == labels.tolist()
    assert rows["coarse"] == [made.coarse[label] for label in labels]
    assert rows["distance"] == distances.tolist()
    assert rows["concept_ids"] == [[label] for label in labels]
    assert receipt.facts == Counter(f"coarse {made.coarse[label]}" for label in labels)
    before = Path(task.output).stat().st_mtime_ns
    assert assign_clusters(task, given).facts == receipt.facts
    assert Path(task.output).stat().st_mtime_ns == before
    with pytest.raises(HeadtailError, match="holds other clusters"):
        assign_clusters(replace(task, receipt=f"{tmp_path}/none"), replace(given, id="0" * 32))


def test_vectors_of_another_encoder_are_refused(tmp_path: Path) -> None:
    made = hierarchy()
    write_hierarchy(str(tmp_path / "c"), made, [[] for _ in range(12)])
    pq.write_table(pa.table({"uid": UIDS[:1], "v": [[1.0, 2.0]]}), tmp_path / "a.parquet")
    (file,) = open_vector_files(list_vectors([str(tmp_path / "a.parquet")]), "")
    with pytest.raises(HeadtailError, match=r"vectors of 2 numbers, the centres in .* have 12"):
        assign_clusters(
            AssignTask(Source(file=file), f"{tmp_path}/o", f"{tmp_path}/r"), Given(str(tmp_path / "c"), made.id, None)
        )


def test_given_centres_of_another_encoder_are_refused_before_they_name_clusters(tmp_path: Path) -> None:
    write_hierarchy(f"{tmp_path}/other", hierarchy(), [[] for _ in range(12)])
    pq.write_table(pa.table({"uid": UIDS[:1], "v": [[1.0, 2.0]]}), tmp_path / "a.parquet")
    given = [f"output={tmp_path}/run", f"embeddings=[{tmp_path}/a.parquet]", f"centers={tmp_path}/other"]
    config = compose_config("cluster_images", ClusterImagesConfig, given)
    found = sources_of(config)
    table = ClustersTable(config.clusters)
    with pytest.raises(HeadtailError, match=r"vectors of 2 numbers, and centers=.*other has 12: give those of one"):
        find_centres(config, found, table, found.recipe, lambda task, tasks: [task(each) for each in tasks])
    assert not Path(config.clusters, HIERARCHY).exists()


def test_a_stopped_part_goes_on_with_its_recipe_alone(tmp_path: Path) -> None:
    table = ClustersTable(str(tmp_path / "clusters"))
    recipe = Recipe("cluster_images", 1, {"fine": 4})
    folder = table.begin_or_resume(0, recipe)
    assert not table.has_centres_of(recipe)
    write_hierarchy(table.path, replace(hierarchy(), facts={"recipe": recipe.id}), [[] for _ in range(12)])
    assert table.has_centres_of(recipe)
    (Path(folder) / "00000.parquet").write_bytes(b"")
    (tmp_path / "clusters/.work/names").mkdir(parents=True)
    assert table.begin_or_resume(0, recipe) == folder
    assert (Path(folder) / "00000.parquet").exists()
    assert not (tmp_path / "clusters/.work").exists()
    other = Recipe("cluster_images", 1, {"fine": 5})
    table.begin_or_resume(0, other)
    assert not (Path(folder) / "00000.parquet").exists()
    assert not table.has_centres_of(other)
    table.commit(0, other, [], 0, centres="made before")
    with pytest.raises(HeadtailError, match=r"was made with the centres made before, and .* holds now: set overwrite"):
        table.check_centres("now")


@pytest.mark.parametrize("fault", ["damaged", "gone", "others"])
def test_clusters_are_made_again_where_their_centres_are_not_there(fault: str, tmp_path: Path) -> None:
    table, made = ClustersTable(str(tmp_path)), hierarchy()
    recipe = Recipe("cluster_images", 1, {}, [{"path": "a"}])
    table.begin_or_resume(0, recipe)
    made = replace(made, facts={"recipe": recipe.id})
    write_hierarchy(table.path, made, [[] for _ in range(12)])
    table.commit(0, recipe, [], 0, centres=made.id)
    calls: list[str] = []
    table.remove_without_centres(recipe, lambda: calls.append("check"))
    assert (len(table.parts()), calls) == (1, [])
    if fault == "damaged":
        (tmp_path / CENTRES).write_bytes((tmp_path / CENTRES).read_bytes()[:-9])
    elif fault == "gone":
        (tmp_path / HIERARCHY).unlink()
    else:
        others = replace(made, centres=made.centres[::-1], facts={})
        write_hierarchy(table.path, others, [[] for _ in range(12)])
    with pytest.raises(HeadtailError, match="would replace it"):
        table.remove_without_centres(replace(recipe, stage="score_images"), lambda: None)
    assert not table.has_centres_of(recipe)
    table.remove_without_centres(recipe, lambda: calls.append("check"))
    assert (table.parts(), calls) == ([], ["check"])


def test_inputs_that_are_not_named_are_kept_by_no_setting(tmp_path: Path) -> None:
    table = ClustersTable(str(tmp_path))
    recipe = Recipe("cluster_images", 1, {}, [{"path": "a"}, {"path": "b"}])
    table.begin_or_resume(0, recipe)
    table.commit(0, recipe, [], 0)
    with pytest.raises(HeadtailError, match="such as b: set overwrite=true to make the table from the named inputs"):
        table.plan_parts(replace(recipe, inputs=[{"path": "a"}]), 1, False)


def test_vectors_of_two_encoders_are_no_sample(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uid": UIDS[:2], "v": [[1.0, 2.0]] * 2}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"uid": UIDS[2:4], "v": [[1.0, 2.0, 3.0]] * 2}), tmp_path / "b.parquet")
    files = open_vector_files(list_vectors([str(tmp_path)]), "")
    tasks = [SampleTask(Source(file=file), f"{tmp_path}/s/{number}") for number, file in enumerate(files)]
    for task in tasks:
        draw_sample(task, Draw(0, 1.0), None)
    with pytest.raises(HeadtailError, match=r"vectors of \d and of \d numbers: give those of one encoder"):
        gather([task.output for task in tasks], 10)
