# A package of headtail (headtail/names.py).
"""The builder of entry lists: sources are fetched and counted, and their terms become lists."""

import curation  # noqa: F401 it sets the folder of compiled kernels, which numba reads when it is imported
