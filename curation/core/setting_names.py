"""The names by which users know the settings of a recipe, which have shorter or older names there.

The names in recipes stay as they are: they decide the ids of finished runs.
"""

from collections.abc import Mapping
from typing import Any

NAMES: Mapping[str, Mapping[str, str]] = {
    "extract_pairs": {
        "source": "source.kind",
        "entities": "source.entities",
        "crawl": "source.crawl",
        "max_file_bytes": "source.max_file_bytes",
        "image_addresses": "source.image_addresses",
        "page_metadata": "source.page_metadata",
        "rules": "the version of the rules of source.kind",
        "texts.": "text.",
        "language.languages": "languages",
        "columns.url": "source.url_column",
        "columns.csv_escape": "source.csv_escape",
        "columns.texts": "source.text_columns",
        "columns.carry": "source.carry",
        "columns.names": "source.names",
        "columns.lang": "source.lang_column",
        "lists": "the files that urls, text and language name",
        "sample.limit": "source.limit",
        "sample.seed": "seed",
        "sample.of_rows": "the number of rows in source.paths",
    },
    "count_rows": {"names": "source.names", "csv_escape": "source.csv_escape"},
    "count_articles": {"rules": "the version of the rules for wikitext"},
    "count_titles": {"min_row_views": "metadata.title_min_row_views", "any_colon": "metadata.title_any_colon"},
    "match_pairs": {
        "edges": "matching.edges",
        "max_texts": "matching.max_texts",
        "metadata": "the hash of entry_lists",
    },
    "count_entries": {"max_texts": "matching.max_texts"},
    "balance_pairs": {
        "unit": "balance.unit",
        "t": "balance.t",
        "tail_share": "balance.tail_share",
        "target_images": "balance.target_images",
        "headroom": "balance.headroom",
        "solved_t": "the solved balance.t",
        "rule.": "balance.",
        "concept_t": "balance.concept_t",
        "concept_tail_share": "balance.concept_tail_share",
        "combine": "balance.combine",
        "targets": "balance.targets",
        "host_form": "the form in which hosts are compared",
    },
    "score_images": {
        "models": "the models of signals",
        "python": "signal_models",
        "only_written.filters.": "filters.",
        "only_written.removals": "removals",
        "only_written.lists": "the lists of only_written",
        "only_written.filter": "filter by columns that are no signals",
        "only_written.scores": "scores",
        "only_written.equal_files": "whether equal files are scored",
        "only_written.exact": "only_written",
        "only_written.": "",
    },
    "cluster_images": {
        "entries": "the matches whose entries are clustered",
        "centres": "the centres that centers names",
    },
    "download_images": {
        "image.rules": "the version of the rules of download.resize=original",
        "image.": "download.",
        "max_bytes": "download.max_bytes",
        "opt_out": "download.opt_out",
        "obey": "download.obey",
    },
}
"""Stage -> the beginning of a name in its recipe -> what stands in its place; other names are those of users."""

OLD_VALUES: Mapping[str, Mapping[str, Any]] = {
    "extract_pairs": {
        "record_seconds": 60.0,
        "rules": 1,
        "image_addresses": "all",
        "page_metadata": False,
        "language.rule": "published",
        "language.unknown": "en",
        "language.merge": [],
        "columns.csv_escape": "auto",
        "columns.lang": "",
    },
    "count_rows": {"csv_escape": "auto", "rules": 1},
    "count_articles": {"rules": 1},
    "download_images": {"image.formats": "all", "image.rules": 1},
    "write_shards": {"json_version": 1, "syn_json": False, "score_columns": False, "clusters": False, "by": "none"},
}
"""Stage -> the name of a setting that its recipe leaves out at this value (recipes.added)."""


def setting_name(stage: str, name: str) -> str:
    """Return what a user calls a setting of a stage's recipe.

    >>> setting_name("download_images", "image.size"), setting_name("extract_pairs", "texts.min_chars")
    ('download.size', 'text.min_chars')
    >>> setting_name("write_shards", "filters.min_side")
    'filters.min_side'
    """
    for begin, told in NAMES.get(stage, {}).items():
        if name == begin or (begin.endswith(".") and name.startswith(begin)) or name.startswith(f"{begin}."):
            return told + name[len(begin) :]
    return name
