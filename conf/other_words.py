"""What other tools call our settings: the names that people type before they have read ours."""

from collections.abc import Container, Iterable

SOURCE = ("source.paths",)
SIZE = ("balance.target_images",)
PROCESSES = ("spark.master=local[...]",)
SETTINGS = {
    "input": SOURCE,
    "inputs": SOURCE,
    "in": SOURCE,
    "file": SOURCE,
    "files": SOURCE,
    "data": SOURCE,
    "dataset": SOURCE,
    "table": ("source=table source.paths",),
    "parquet": ("source=table source.paths",),
    "csv": ("source=table source.paths",),
    "wat": ("source=wat source.paths",),
    "warc": ("source=warc source.paths",),
    "columns.url": ("source.url_column",),
    "columns.text": ("source.text_columns",),
    "caption": ("source.text_columns",),
    "caption_column": ("source.text_columns",),
    "caption_col": ("source.text_columns",),
    "url_col": ("source.url_column",),
    "n": ("source.limit",),
    "max_rows": ("source.limit",),
    "rows": ("source.limit",),
    "limit": ("rows",),
    "head": ("rows",),
    "metadata": ("entry_lists",),
    "words": ("entry_lists",),
    "vocabulary": ("entry_lists",),
    "wordlist": ("entry_lists",),
    "threshold": ("balance.t",),
    "samples": SIZE,
    "images": SIZE,
    "max_images": SIZE,
    "num_images": SIZE,
    "max_samples": SIZE,
    "num_samples": SIZE,
    "image_size": ("download.size",),
    "resolution": ("download.size",),
    "shard_size": ("samples_per_shard",),
    "number_sample_per_shard": ("samples_per_shard",),
    "thread_count": ("download.threads",),
    "num_threads": ("download.threads",),
    "processes_count": PROCESSES,
    "processes": PROCESSES,
    "workers": PROCESSES,
    "num_workers": PROCESSES,
    "cores": PROCESSES,
    "memory": ("spark.driver_memory",),
    "dedup": ("filters.near_duplicates",),
    "deduplicate": ("filters.near_duplicates",),
    "dir": ("output",),
    "folder": ("output",),
    "output_folder": ("output",),
}
"""Settings that a name stands for; with a preset before them where both are needed."""
VALUES = {
    ("spark", "cluster"): ("spark=standalone", "spark=yarn", "spark=k8s"),
    ("spark", "kubernetes"): ("spark=k8s",),
    ("balance", "none"): ("balance.t=1e9",),
    ("balance", "off"): ("balance.t=1e9",),
}
"""Presets and settings that a value of a topic stands for."""
JOBS = {
    "sweep": ("curate -m balance.t=...",),
    "multirun": ("curate -m balance.t=...",),
    "run": ("curate",),
    "status": ("show",),
    "ls": ("show",),
    "info": ("show",),
    "head": ("show",),
    "diff": ("compare",),
    "fetch": ("download_images", "fetch_sources"),
}
"""Jobs that a name stands for."""


def other_names(key: str, known: Container[str]) -> list[str]:
    """Return the settings of a job, `known`, that a name stands for elsewhere.

    >>> known = {"download.size", "source.paths"}
    >>> other_names("image_size", known), other_names("wat", known), other_names("threshold", known)
    (['download.size'], ['source=wat source.paths'], [])
    """
    return [text for text in SETTINGS.get(key.lower(), ()) if _setting(text) in known]


def other_job(name: str) -> list[str]:
    """Return the jobs that a name stands for elsewhere, as they are typed."""
    return list(JOBS.get(name.lower(), ()))


def jobs_with_word(name: str, jobs: Iterable[str]) -> list[str]:
    """Return the jobs of which a name is a word, in singular or plural.

    >>> jobs_with_word("shard", ["write_shards", "check_shards", "explain"]), jobs_with_word("", ["explain"])
    (['write_shards', 'check_shards'], [])
    """
    word = name.lower().removesuffix("s")
    return [job for job in jobs if word in {each.removesuffix("s") for each in job.split("_")}]


def _setting(text: str) -> str:
    return text.rpartition(" ")[2].partition("=")[0]
