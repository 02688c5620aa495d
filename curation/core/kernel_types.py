"""Types in numba kernels."""

from typing import Any

import numpy as np

signed: Any = np.int64
"""np.int64 as a conversion in kernels: to numba its result is an int, to a type checker it is none."""
