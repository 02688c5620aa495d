"""Write what goes with published shards: README.md, the data card, and croissant.json."""

from headtail.start import launch
from conf.schema.jobs import CardConfig
from curation.core import storage
from curation.core.outputs import check_writable
from curation.core.progress import say
from curation.core.schemas import PAIRS
from curation.core.tables import Table
from curation.report.card_facts import CardFacts, Licence, crawls_of, read_report, scores_of
from curation.report.croissant import croissant
from curation.report.data_card import data_card
from curation.shards.shard_set import CROISSANT, README, ShardSet
from jobs.outputs import writing

NAME = "card"


@writing(NAME, lambda config: [config.shards])
def run(config: CardConfig) -> None:
    """Write the card and the description of a finished set from its manifest and its report; the same give the same."""
    licence = Licence.of(config.license, config.license_link)
    (part,) = ShardSet(config.shards).require("write_shards")
    facts = CardFacts(
        config.name,
        licence,
        part,
        read_report(config.report, part),
        crawls_of(Table(config.pairs, PAIRS, None).parts()),
        config.creator,
        config.url,
        scores_of(part),
    )
    card = data_card(facts)
    check_writable([config.shards])
    storage.write_json(storage.join(config.shards, CROISSANT), croissant(facts))
    storage.write_bytes(storage.join(config.shards, README), card.encode())
    say(NAME, f"{storage.join(config.shards, README)} and {CROISSANT}: {facts.samples:,} samples, {licence.name}")


if __name__ == "__main__":
    launch(run)
