"""The passes of a report over the tables of its run: tasks, in their order, and the numbers that they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from curation.balancing.counts import CountFiles
from curation.balancing.entry_table import EntryNumbers
from curation.balancing.forecast import forecast_buckets
from curation.balancing.forecast_table import Rates
from curation.balancing.targets import EntryTargets
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.progress import say
from curation.core.receipts import Receipt
from curation.core.storage import join
from curation.matching.entry_store import EntryStore
from curation.report import values
from curation.report.class_coverage import CoverageNumbers, coverage_values
from curation.report.class_lists import ClassList
from curation.report.class_lookup import find_classes, plan_classes
from curation.report.crawls import count_crawls, crawl_values, join_links, plan_crawls, plan_links, read_links
from curation.report.dropped import plan_dropped, read_kept_examples, shard_examples
from curation.report.entry_numbers import EntriesPlan, count_captions
from curation.report.examples import (
    LOOKED_UP,
    Example,
    pair_examples,
    plan_pairs,
    plan_texts,
    read_texts,
    smallest,
)
from curation.report.hosts import add_domains, count_domains, host_values
from curation.report.kept_texts import Wanted, merge_texts
from curation.report.previews import ListSummary, plan_entries, plan_previews, read_entries, read_previews
from curation.report.repeats import count_repeats, repeat_values
from curation.report.run_tables import STAGE, RunTables, RunTotals
from curation.report.search_examples import PoolText, merge_pool, plan_pool, read_pool
from curation.report.search_rows import SearchNumbers
from curation.report.shown_entries import compare_languages, head_tails, needed_entries, saved, wanted_entries
from curation.report.spread import Exchanges
from curation.report.stats import SampleDraw, count_curated, count_downloads, count_matches, count_shards
from curation.report.target_values import target_values
from curation.report.unseen import Unseen, find_statuses, plan_statuses
from curation.report.whatif import WhatIf

Runner = Callable[..., list[Receipt]]
"""`run(function, tasks, folder)` does tasks and returns their receipts in order; tasks that write name the folder."""
Values = dict[str, Any]


@dataclass(frozen=True)
class Counted:
    """The sums of all rows of the tables.

    `kept_texts` are the texts of kept images that are shown, `tail_texts` those of entries of the tail; `dropped` are
    receipts with examples of rows that were dropped, `entries` the numbers that the table `entries` got, `crawls` the
    pairs by month.
    """

    totals: RunTotals
    domains: Values
    repeats: dict[str, Values | None]
    entries: EntryNumbers | None
    kept_texts: list[Values]
    tail_texts: dict[tuple[str, int], str]
    dropped: list[Receipt]
    crawls: Values | None


@dataclass(frozen=True)
class ReportPasses:
    """The passes over the tables of a run, whose entry lists are `store`.

    `work` is the folder for files between the passes; the caller deletes it. `listed` is the plan of the table
    `entries`, None where the report does not write it.
    """

    run: Runner
    tables: RunTables
    store: EntryStore
    seed: int
    work: str
    listed: EntriesPlan | None

    def inputs(
        self,
        max_tasks: int,
        classes: Sequence[ClassList],
        languages: Sequence[str],
        shards: str,
        price_core_hour: float,
    ) -> tuple[values.ReportInputs, SearchNumbers]:
        """Do all passes but that of the forecast; return what the report shows, and the numbers of its search.

        A pass over a table has at most `max_tasks` tasks.
        `languages` are those in which names of `classes` are looked up; `shards` is the path of the shards as shown.
        """
        tables, thresholds = self.tables, self.tables.thresholds()
        targets = tables.targets()
        wanted = wanted_entries(tables.counts, thresholds, self.seed, tables.shards.removal_lists(), targets)
        counted = self.count(max_tasks, wanted)
        samples = self.samples(counted.totals.samples)
        kept = CountFiles(join(self.work, "kept-counts"))
        counts_kept = saved(counted.totals.counts_kept(), kept.folder)
        counts = compare_languages(tables.counts, counts_kept, thresholds)
        expected = CountFiles(join(self.work, "expected")) if self.listed and self.listed.balanced else None
        tails = head_tails(counts, tables.counts, kept, expected, wanted, targets)
        needed = needed_entries(counts, samples, tails, counted.kept_texts)
        shown = self.examples(counted.dropped, max_tasks)
        found = self.classes(classes, languages)
        lists = self.lists(needed, kept.folder)
        numbers = CoverageNumbers.of(tables.counts, thresholds, counted.entries, targets)
        in_shards = counted.entries.in_shards if counted.entries else None
        inputs = values.ReportInputs(
            tables.stages(),
            counted.totals,
            counts,
            thresholds,
            lists,
            samples,
            tables.second_balance(),
            tables.written(shards),
            counted.domains,
            [*tables.notes, *target_notes(targets)],
            tails,
            counted.tail_texts,
            counted.kept_texts,
            counted.repeats,
            shown,
            price_core_hour,
            coverage_values(classes, found, numbers),
            counted.crawls,
            targets=target_values(targets),
        )
        return inputs, SearchNumbers(
            tables.counts, kept, in_shards, targets, {lang: row["t"] for lang, row in thresholds.items()}
        )

    def forecast(self, cores: int, assumed: Rates) -> Values | None:
        """Return the forecast of other thresholds, in tasks for so many cores; None where there is none to make."""
        plan = WhatIf.make(self.tables)
        if plan is None:
            return None
        tasks = plan.tasks(cores, join(self.work, "forecast"))
        self.run(partial(forecast_buckets, grid=plan.grid), tasks, self.work)
        return plan.values([task.output for task in tasks], self.tables.stages(), assumed)

    def pool(self) -> dict[str, list[PoolText]]:
        """Return kept texts by language, as examples of entries for the search."""
        look = partial(read_pool, seed=self.seed, removals=tuple(self.tables.shards.removal_lists()))
        return merge_pool(self.run(look, plan_pool(self.tables.parts["balance_pairs"])))

    def count(self, max_tasks: int, wanted: Wanted) -> Counted:
        """Count the rows of all tables, and write the table `entries`; `wanted` entries get a text each."""
        run, tables, seed, work = self.run, self.tables, self.seed, self.work
        tasks, sent = tables.plan(max_tasks, work), Exchanges.of(work, tables.matched)
        balanced = self.listed.balanced if self.listed else None
        matched = partial(
            count_matches, max_texts=tables.matches.max_texts, salt=tables.matches.salt, balanced=balanced
        )
        curated = run(partial(count_curated, wanted=wanted, repeats=sent.kept), tasks.curated, work)
        dated, links = self.crawls(max_tasks)
        fetched = partial(count_downloads, seed=seed, domains=sent.domains, repeats=sent.images, links=links)
        downloads = run(partial(fetched, filters=tables.image_filters()), tasks.downloads, work)
        totals = RunTotals.of_receipts(
            run(partial(matched, repeats=sent.texts), tasks.matches, work),
            curated,
            downloads,
            run(partial(count_shards, seed=seed), tasks.shards),
            partials=[task.output for task in tasks.curated],
        )
        hosts = run(partial(count_domains, spread=sent.domains, seed=seed), tables.plan_domains(), work)
        domains = host_values(run(add_domains, sent.domains.tasks()))
        repeats = {name: repeat_values(run(count_repeats, each.tasks())) for name, each in sent.repeats()}
        entries = None
        if self.listed:
            captions = self.listed.captions([task.sidecars for task in tasks.shards], work)
            run(partial(count_captions, ranges=self.listed.ranges), captions, work)
            expected, counted = [task.output for task in tasks.matches], [task.output for task in captions]
            entries = self.listed.write(expected, counted, work)
        kept_texts, tail_texts = merge_texts([output for receipt in curated for output in receipt.outputs])
        crawls = crawl_values(dated, totals.downloads.years)
        return Counted(totals, domains, repeats, entries, kept_texts, tail_texts, [*downloads, *hosts], crawls)

    def crawls(self, max_tasks: int) -> tuple[list[Receipt], str]:
        """Count the pairs by month; return also the path of the images whose years are followed, "" for none."""
        dated = self.run(
            partial(count_crawls, seed=self.seed), plan_crawls(self.tables.parts["extract_pairs"], max_tasks)
        )
        for failure in (each for receipt in dated for each in receipt.failures):
            say(STAGE, f"has no dates of {failure['file']}: {failure['error']}")
        wanted = plan_links(dated, self.work) if self.tables.parts["download_images"] else []
        read = self.run(partial(read_links, seed=self.seed), wanted, self.work)
        for failure in (each for receipt in read for each in receipt.failures):
            say(STAGE, f"follows no links of {failure['file']}: {failure['error']}")
        return dated, join_links(wanted, join(self.work, "links.parquet"))

    def samples(self, drawn: Sequence[SampleDraw]) -> list[Values]:
        """Read the samples that are shown, in the order of their draws."""
        previews = self.run(read_previews, plan_previews(drawn))
        return values.sort_as_drawn((output for receipt in previews for output in receipt.outputs), drawn)

    def examples(self, dropped: Sequence[Receipt], max_tasks: int) -> list[Example]:
        """Return examples of what was dropped: those of `dropped`, those that jobs kept, and pairs without a match."""
        look = partial(pair_examples, store=self.store, languages=sorted(self.tables.matches.languages), seed=self.seed)
        unmatched = self.run(look, plan_pairs(self.tables.parts["extract_pairs"], self.seed))
        kept = self.run(read_kept_examples, plan_dropped(self.tables.parts["extract_pairs"], max_tasks))
        for failures in (_failures(unmatched), _failures(kept)):
            for failure in failures[:1]:
                more = f" and of {counted(len(failures) - 1, 'files')} more" if failures[1:] else ""
                say(STAGE, f"shows no examples of {failure['file']}{more}: {failure['error']}")
        every = [Example(**output) for receipt in [*dropped, *unmatched, *kept] for output in receipt.outputs]
        every += shard_examples(self.tables.parts["write_shards"])
        found = smallest(self.seen(every, max_tasks))
        without = [example for example in found if not (example.text or example.url)]
        texts = self.run(read_texts, plan_texts(without, self.tables.matches.buckets))
        with_texts = [Example(**output) for receipt in texts for output in receipt.outputs]
        return smallest([*(example for example in found if example.text or example.url), *with_texts])

    def seen(self, examples: Sequence[Example], max_tasks: int) -> list[Example]:
        """Return the examples whose images may be seen, none where a removal list cannot be read any more."""
        tables = self.tables
        try:
            unseen = Unseen.of_tables(tables.parts["extract_pairs"], tables.shards)
        except (HeadtailError, OSError) as error:
            say(STAGE, f"shows no examples of what was dropped: {error}")
            return []
        candidates = smallest(unseen.without(examples), LOOKED_UP)
        receipts = self.run(find_statuses, plan_statuses(tables.downloads, candidates, max_tasks))
        return unseen.without(candidates, [output for receipt in receipts for output in receipt.outputs])

    def classes(self, classes: Sequence[ClassList], languages: Sequence[str]) -> list[Values]:
        """Look up the names of classes in the entry lists; return a `FoundClass` as a dict for each."""
        look_up = partial(find_classes, store=self.store, counts=self.tables.counts.folder)
        receipts = self.run(look_up, plan_classes(classes, languages))
        return [output for receipt in receipts for output in receipt.outputs]

    def lists(self, needed: Sequence[tuple[str, int]], kept: str) -> dict[str, ListSummary]:
        """Read the texts of the `needed` entries, and sum up their lists; `kept` is the folder of counts kept."""
        tasks = plan_entries(self.store.languages, needed, self.tables.counts.folder, kept)
        summaries = self.run(partial(read_entries, store=self.store), tasks)
        return {output["lang"]: ListSummary(**output) for receipt in summaries for output in receipt.outputs}


def _failures(receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    return [failure for receipt in receipts for failure in receipt.failures]


def target_notes(targets: EntryTargets | None) -> list[str]:
    """Return the note that entries have targets."""
    told = "have a t or a weight of their own, by balance.targets: the t of a language is not theirs"
    entries = len(targets.of_entries()) if targets else 0
    return [f"{counted(entries, 'entries')} {told}"] if entries else []
