"""The passes of a report over the tables of its run: tasks, in their order, and the numbers that they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import pyarrow as pa

from curation.balancing.counts import CountFiles
from curation.balancing.entry_table import EntryNumbers
from curation.balancing.forecast import forecast_buckets
from curation.balancing.forecast_table import Rates
from curation.balancing.targets import EntryTargets
from curation.core.amounts import counted
from curation.core.errors import HeadtailError
from curation.core.parquet_sink import write_rows
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
from curation.report.unseen import WANTED, Unseen, find_samples, find_statuses, plan_statuses
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
    `entries`, None where the report does not write it. `removals` are lists of images of which nothing is shown, beside
    those of the run.
    """

    run: Runner
    tables: RunTables
    store: EntryStore
    seed: int
    work: str
    listed: EntriesPlan | None
    removals: tuple[str, ...] = ()

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
        wanted = wanted_entries(tables.counts, thresholds, self.seed, self.lists_of_removals, targets)
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

    def pool(self, max_tasks: int) -> dict[str, list[PoolText]]:
        """Return kept texts by language, as examples of entries for the search."""
        look = partial(read_pool, seed=self.seed, removals=self.lists_of_removals)
        receipts = self.run(look, plan_pool(self.tables.parts["balance_pairs"]))
        return merge_pool(self.shown([output for receipt in receipts for output in receipt.outputs], max_tasks))

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
            run(partial(count_shards, seed=seed, removals=self.lists_of_removals), tasks.shards),
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
        texts = self.shown([output for receipt in curated for output in receipt.outputs], max_tasks)
        kept_texts, tail_texts = merge_texts(texts)
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
        if self.unseen is None:
            return []
        candidates = smallest(self.unseen.without(examples), LOOKED_UP)
        return self.unseen.without(candidates, self.statuses([each.uid for each in candidates], max_tasks))

    def shown(self, texts: Sequence[Values], max_tasks: int) -> list[Values]:
        """Return the texts of kept images that may be seen; samples were not dropped for what they show."""
        uids, unseen = sorted({text["uid"] for text in texts}), self.unseen
        if unseen is None:
            found = self.samples_among(uids, max_tasks)
        else:
            statuses = self.statuses(uids, max_tasks)
            found = set(uids) - unseen.hidden(uids, statuses)
            if unseen.arrived:
                listed = replace(unseen, arrived=False).hidden(uids, statuses)
                found |= self.samples_among(uids, max_tasks) - listed
        return [text for text in texts if text["uid"] in found]

    def samples_among(self, uids: Sequence[str], max_tasks: int) -> set[str]:
        """Return those of some images that are samples in the shards."""
        path = join(self.work, "wanted.parquet")
        write_rows(path, pa.table([uids], WANTED))
        receipts = self.run(partial(find_samples, wanted=path), self.tables.plan(max_tasks, self.work).shards)
        return {output["uid"] for receipt in receipts for output in receipt.outputs}

    def statuses(self, uids: Sequence[str], max_tasks: int) -> list[Values]:
        """Return uid, status and sha256 of each attempt to fetch some images."""
        receipts = self.run(find_statuses, plan_statuses(self.tables.downloads, uids, max_tasks))
        return [output for receipt in receipts for output in receipt.outputs]

    @cached_property
    def unseen(self) -> Unseen | None:
        """The images that must not be seen; None, and a line says so, where a removal list cannot be read any more."""
        try:
            return Unseen.of_tables(self.tables.parts["extract_pairs"], self.tables.shards, self.removals)
        except (HeadtailError, OSError) as error:
            say(STAGE, f"shows no examples of what was dropped, and texts of samples alone: {error}")
            return None

    @property
    def lists_of_removals(self) -> tuple[str, ...]:
        """The removal lists of the run and those that are given, as far as they can be read."""
        mine = (*self.removals, *self.tables.shards.removal_lists())
        return self.unseen.lists if self.unseen else mine

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
