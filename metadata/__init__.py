"""The entry side of the pipeline: building, storing and opening metadata lists."""

import curation  # noqa: F401 it finds a folder for compiled kernels, which has to happen before numba is imported
