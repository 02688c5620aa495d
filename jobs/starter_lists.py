"""Make entry lists to begin with, within seconds and without downloads, from WordNet and wordfreq."""

from headtail.start import launch
from conf.schema.jobs import StarterListsConfig
from jobs.outputs import writing
from metadata.lists.inputs import fetched
from metadata.lists.starter import STAGE, starter_inputs, write_starter_lists


@writing(STAGE, lambda config: [config.entry_lists])
def run(config: StarterListsConfig) -> None:
    """Write the lists of all languages, unless the same packages have made them."""
    inputs = starter_inputs(config.languages, [*config.wordnet, *fetched(config.sources, "wordnet")])
    write_starter_lists(config.entry_lists, inputs)


if __name__ == "__main__":
    launch(run)
