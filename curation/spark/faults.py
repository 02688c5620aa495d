"""Turns errors of Spark into one line that a user can act on."""

import os
import platform
import re
import sys

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark import SparkContext

from curation.core.errors import HeadtailError
from curation.spark.environment import is_local_master
from curation.spark.jvm import end_reason
from headtail.names import NamesError

GUIDE = "(docs/cluster.md)"
SHIP = f"give spark-submit --archives headtail-env.tar.gz#env, and the job spark=standalone, yarn or k8s {GUIDE}"
OTHER_PYTHON = r"PYTHON_VERSION_MISMATCH|different version: \S+ than that in driver"
NO_PYTHON = r'Cannot run program "[^"]*python'
KNOWN = (
    (
        r"secret key must be specified",
        "spark.authenticate=true needs a secret: write spark.authenticate and spark.authenticate.secret into "
        f"conf/spark-defaults.conf of the driver and of every machine of the cluster {GUIDE}",
    ),
    (
        r"No module named '(?:headtail|curation|metadata|conf|jobs|pyarrow|pandas)'",
        f"the workers' Python lacks headtail: {SHIP}",
    ),
    (
        OTHER_PYTHON,
        f"the workers run another version of Python than the driver: {SHIP}",
    ),
    (NO_PYTHON, f"the workers do not have the driver's Python: {SHIP}"),
    (
        r"ExecutorLostFailure|exited caused by one of the running tasks",
        f"a task lost its executor spark.task.maxFailures times: see the executors' logs; if memory ran out, raise "
        f"spark.executor.memoryOverhead, or lower spark.executor.cores {GUIDE}",
    ),
)
LINES = "|".join(re.escape(f"{kind.__module__}.{kind.__name__}") for kind in (HeadtailError, NamesError))
"""Errors of workers whose message is a line for the user."""
MAX_CHARACTERS = 400


def fault_line(error: Exception) -> str | None:
    """Return the line for an error that a user can fix or that comes from the JVM; None for a bug in headtail."""
    text = str(error)
    raised = re.findall(rf"^\s*(?:{LINES}): (.*)$", text, re.MULTILINE)
    if raised:
        return raised[-1]
    if is_local() and re.search(f"{OTHER_PYTHON}|{NO_PYTHON}", text):
        return (
            f"the workers' Python, {os.environ.get('PYSPARK_PYTHON')}, cannot be started, or is not of the driver's "
            f"version, {platform.python_version()}: unset spark.python and PYSPARK_PYTHON, or use {sys.executable}"
        )
    for pattern, line in KNOWN:
        if re.search(pattern, text):
            return line
    if isinstance(error, Py4JJavaError) and (message := _java_message(error)):
        return f"Spark failed: {message[:MAX_CHARACTERS]}"
    if reason := end_reason():
        return f"Spark's Java has ended: {reason}"
    return "Spark's Java does not answer any more" if isinstance(error, Py4JNetworkError) else None


def is_local() -> bool:
    """Return whether the workers of the active session run on this machine."""
    context = SparkContext._active_spark_context
    return context is not None and is_local_master(getattr(context, "master", "") or "")


def _java_message(error: Py4JJavaError) -> str:
    """Return the first line of the message of the first Java error that has one, beginning with the error itself.

    The message of some errors is no more than a name; then the type comes first. Empty if the JVM has ended.
    """
    try:
        found = error.java_exception
        while found is not None:
            if message := found.getMessage():
                name = found.getClass().getName()
                return f"{name}: {message}".split("\n")[0] if " " not in message else message.strip().split("\n")[0]
            found = found.getCause()
        return str(error.java_exception.getClass().getName())
    except Py4JError:  # the JVM has ended since
        return ""
