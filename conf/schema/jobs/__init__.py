"""The settings of each job, a class by the name of the job: MatchPairsConfig for `match_pairs`.

Open `chain.py` first: it declares the settings of the chain of jobs, `lists.py` those of the jobs that make entry
lists, `others.py` those of all other jobs.
"""

from conf.schema.base import Settings
from conf.schema.jobs.chain import (
    BalancePairsConfig,
    CountEntriesConfig,
    CurateConfig,
    DownloadImagesConfig,
    ExtractPairsConfig,
    MatchPairsConfig,
    ReportStatsConfig,
    ScoreImagesConfig,
    WriteShardsConfig,
)
from conf.schema.jobs.lists import BuildMetadataConfig, FetchSourcesConfig, StarterListsConfig
from conf.schema.jobs.others import (
    AttachConfig,
    CaptionStatsConfig,
    CardConfig,
    CheckShardsConfig,
    CleanConfig,
    ClusterImagesConfig,
    CompareConfig,
    EstimateConfig,
    ExpertWeightsConfig,
    ExplainConfig,
    ExploreConfig,
    ExportConfig,
    HashImagesConfig,
    RemoveSamplesConfig,
    ShowConfig,
)


def config_class(job: str) -> type[Settings]:
    """Return the class of a job's settings.

    >>> config_class("write_shards").__name__
    'WriteShardsConfig'
    """
    return globals()[f"{job.title().replace('_', '')}Config"]
