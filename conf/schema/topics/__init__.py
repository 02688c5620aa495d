"""The settings of each topic.

`runs.py` declares those of a run as a whole, `texts.py` those of what is read, `entries.py` those of entry lists,
matching and balancing, `images.py` those of downloads and shards.
"""

from conf.schema.topics.entries import (
    DEFAULT_TAIL_SHARE,
    MAX_ENTRY_CHARACTERS,
    BalanceConfig,
    MatchingConfig,
    MetadataConfig,
    check_concept_goals,
)
from conf.schema.topics.images import DownloadConfig, FiltersConfig, OnnxConfig
from conf.schema.topics.runs import PricesConfig, RatesConfig, SparkConfig
from conf.schema.topics.texts import LanguageConfig, SourceConfig, TextConfig, UrlsConfig
