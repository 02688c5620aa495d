"""Where the seed of a run comes from, and where it does not go."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.core import seeds
from curation.core.errors import HeadtailError
from curation.core.progress import forget_later, say_kept
from curation.core.recipes import Recipe
from curation.core.seeds import FILE, forgotten_if_refused, is_drawn, run_seed
from curation.core.tables import Table


def kept(run: Path) -> int | None:
    return json.loads((run / FILE).read_text())["seed"] if (run / FILE).exists() else None


def write(run: Path, table: str, settings: dict[str, Any], **facts: Any) -> str:
    made = Table(str(run / table))
    made.begin(0)
    made.commit(0, Recipe(table, 1, settings), [], 0.0, **facts)
    return made.path


def test_a_new_run_draws_64_bits_keeps_them_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget_later()  # what an earlier test has left unsaid
    found = [run_seed(str(tmp_path / f"{k}"), None) for k in range(64)]
    assert len(set(found)) == 64
    assert all(map(is_drawn, found))
    # A bit that is the same in 64 seeds by chance: 64 / 2^63.
    assert all({seed >> bit & 1 for seed in found} == {0, 1} for bit in range(64))
    assert capsys.readouterr().err == "", "the run may still be refused"
    say_kept()
    say_kept()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 64
    assert str(tmp_path / "0" / FILE) in lines[0]
    assert not any(str(abs(seed)) in line for seed, line in zip(found, lines, strict=True))
    assert [run_seed(str(tmp_path / f"{k}"), None) for k in range(64)] == found
    assert capsys.readouterr().err == ""


def test_a_run_that_is_refused_before_it_writes_keeps_no_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(run: Path, table: str = "") -> None:
        with forgotten_if_refused(str(run)):
            run_seed(str(run), None)
            if table:
                Table(str(run / table)).begin(0)
                (run / table).mkdir()
            raise HeadtailError("no")

    for run, table, stays in (("a", "", False), ("b", "pairs", True)):
        with pytest.raises(HeadtailError, match="no"):
            refuse(tmp_path / run, table)
        assert (kept(tmp_path / run) is not None) == stays
        say_kept()
        assert bool(capsys.readouterr().err) == stays
    run_seed(str(tmp_path / "c"), None)
    with pytest.raises(HeadtailError, match="no"):
        refuse(tmp_path / "c")
    assert kept(tmp_path / "c") is not None


def test_a_given_seed_is_taken_and_kept_by_a_new_run_only(tmp_path: Path) -> None:
    assert run_seed(str(tmp_path), 5) == 5 == kept(tmp_path)
    assert run_seed(str(tmp_path), None) == 5
    assert run_seed(str(tmp_path), 7) == 7
    assert kept(tmp_path) == 5


BEGUN: dict[str, tuple[str, dict[str, Any]]] = {
    "pairs": ("pairs", {"source": "wat"}),
    "matches": ("matches", {"max_texts": 64}),
    "balanced": ("curated", {"seed": 0, "unit": "pair"}),
    "balanced with a seed given": ("curated", {"seed": 5, "unit": "pair"}),
    "lists": ("lists", {"seed": 0, "count": 4}),
}


@pytest.mark.parametrize("name", BEGUN)
def test_a_run_that_an_earlier_version_began_keeps_seed_0(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, *BEGUN[name])
    before = sorted(tmp_path.rglob("*"))
    assert run_seed(str(tmp_path), None) == 0
    assert run_seed(str(tmp_path), 5) == 5
    assert sorted(tmp_path.rglob("*")) == before
    assert capsys.readouterr().err == ""


def test_shards_alone_show_that_a_run_was_begun(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "_manifest.json").write_text('{"settings": {}, "versions": {"headtail": "0.1.0"}}')
    assert run_seed(str(tmp_path), None) == 0


@pytest.mark.parametrize("table", ["curated", "lists"])
def test_a_run_without_its_file_takes_the_drawn_seed_of_its_tables(table: str, tmp_path: Path) -> None:
    write(tmp_path, "pairs", {}, seed=None)
    write(tmp_path, table, {"seed": -9})
    assert run_seed(str(tmp_path), None) == -9 == kept(tmp_path)


def test_pairs_and_matches_of_a_run_with_a_drawn_seed_can_begin_another(tmp_path: Path) -> None:
    write(tmp_path, "pairs", {}, seed=None)
    write(tmp_path, "matches", {"max_texts": 64, "salt": 3})
    assert is_drawn(run_seed(str(tmp_path), None))


def test_a_table_elsewhere_that_a_job_adds_to_decides(tmp_path: Path) -> None:
    sampled = write(tmp_path / "old", "pairs", {"sample": {"seed": 0}})
    assert run_seed(str(tmp_path / "a"), None, [sampled]) == 0
    assert kept(tmp_path / "a") is None
    sampled = write(tmp_path / "new", "pairs", {"sample": {"seed": -4}}, seed=-4)
    assert run_seed(str(tmp_path / "b"), None, [sampled]) == -4 == kept(tmp_path / "b")


def test_tables_of_another_program_do_not_begin_a_run(tmp_path: Path) -> None:
    (tmp_path / "pairs" / "part-00000").mkdir(parents=True)
    (tmp_path / "pairs" / "part-00000" / "_manifest.json").write_text('{"id": "x", "settings": {}}')
    assert is_drawn(run_seed(str(tmp_path), None))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"seed": "abc"}', '{"seed": null}', '{"seed": 1.5}'])
def test_a_file_without_a_seed_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(HeadtailError, match=rf"{FILE} .*give seed="):
        run_seed(str(tmp_path), None)
    assert run_seed(str(tmp_path), 4) == 4


def test_a_drawn_seed_has_a_salt_and_a_given_one_none() -> None:
    assert [seeds.salt_of(seed) for seed in (0, 1, 1 << 63)] == [0, 0, 0]
    assert 0 < seeds.salt_of(-1) != seeds.salt_of(-2) > 0
