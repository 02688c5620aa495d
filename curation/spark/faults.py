"""Turns errors of Spark into one line that a user can act on."""

import re

from py4j.protocol import Py4JJavaError

from curation.core.errors import HeadtailError

GUIDE = "(docs/cluster.md)"
SHIP = f"give spark-submit --archives headtail-env.tar.gz#env, and the job spark=standalone, yarn or k8s {GUIDE}"
KNOWN = (
    (
        r"secret key must be specified",
        "spark.authenticate=true needs a secret: write spark.authenticate and spark.authenticate.secret into "
        f"conf/spark-defaults.conf of the driver and of every machine of the cluster {GUIDE}",
    ),
    (
        r"No module named '(?:curation|metadata|conf|jobs|pyarrow|pandas)'",
        f"the workers' Python lacks headtail: {SHIP}",
    ),
    (
        r"PYTHON_VERSION_MISMATCH|different version: \S+ than that in driver",
        f"the workers run another version of Python than the driver: {SHIP}",
    ),
    (r'Cannot run program "[^"]*python', f"the workers do not have the driver's Python: {SHIP}"),
    (
        r"ExecutorLostFailure|exited caused by one of the running tasks",
        f"a task lost its executor spark.task.maxFailures times: see the executors' logs; if memory ran out, raise "
        f"spark.executor.memoryOverhead, or lower spark.executor.cores {GUIDE}",
    ),
)
MAX_CHARACTERS = 400


def fault_line(error: Exception) -> str | None:
    """Return the line for an error that a user can fix or that comes from the JVM; None for a bug in headtail."""
    text = str(error)
    raised = re.findall(rf"^{HeadtailError.__module__}\.HeadtailError: (.*)$", text, re.MULTILINE)
    if raised:
        return raised[-1]
    for pattern, line in KNOWN:
        if re.search(pattern, text):
            return line
    if isinstance(error, Py4JJavaError):
        message = str(error.java_exception.getMessage()).strip().split("\n")[0]
        return f"Spark failed: {message[:MAX_CHARACTERS]}"
    return None
