"""What goes wrong on a cluster, told in one line."""

import re

from py4j.protocol import Py4JJavaError

from curation.core.errors import HeadtailError

GUIDE = "(docs/cluster.md)"
SHIP = f"give spark-submit --archives headtail-env.tar.gz#env, and the job spark=standalone, yarn or k8s {GUIDE}"
KNOWN = (
    (
        r"No module named '(?:curation|metadata|conf|jobs|pyarrow|pandas)'",
        f"the workers' Python lacks headtail: {SHIP}",
    ),
    (r"PYTHON_VERSION_MISMATCH|different version: \S+ than that in driver", f"the workers' Python is another: {SHIP}"),
    (r'Cannot run program "[^"]*python', f"the workers do not have the driver's Python: {SHIP}"),
    (
        r"ExecutorLostFailure|exited caused by one of the running tasks",
        f"executors were lost as often as spark.task.maxFailures allows: see their logs; where memory ran out, give "
        f"them more of spark.executor.memoryOverhead, or fewer cores {GUIDE}",
    ),
)
MAX_CHARACTERS = 400


def fault_line(error: Exception) -> str | None:
    """Return the line for a fault that a user can mend, or that only Spark knows; None: it is a fault of ours."""
    text = str(error)
    told = re.findall(rf"^{HeadtailError.__module__}\.HeadtailError: (.*)$", text, re.MULTILINE)
    if told:
        return told[-1]
    for pattern, line in KNOWN:
        if re.search(pattern, text):
            return line
    if isinstance(error, Py4JJavaError):
        said = str(error.java_exception.getMessage()).strip().split("\n")[0]
        return f"Spark gave up: {said[:MAX_CHARACTERS]}"
    return None
