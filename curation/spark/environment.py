"""The environment of a Spark that a run starts for itself, without spark-submit.

What a shell, a notebook or another Spark has left in the environment must not decide which Spark or Python runs.
"""

import os
import pwd
import re
import sys
import tempfile
from pathlib import Path

import pyspark
from py4j.java_gateway import JavaGateway

from curation.core.progress import say
from curation.spark.java import ensure_java

LOOPBACK = "127.0.0.1"
CONNECT = ("SPARK_REMOTE", "SPARK_API_MODE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_LOCAL_REMOTE")
"""Variables that turn a session into one of Spark Connect, which has no SparkContext."""


def is_local_master(master: str) -> bool:
    """Return whether a Spark master runs everything on this machine.

    >>> is_local_master("local[2]"), is_local_master("local-cluster[2,1,1024]"), is_local_master("spark://a:7077")
    (True, True, False)
    """
    return master.startswith("local")


def is_local_run(master: str | None) -> bool:
    """Return whether a session with this setting of spark.master runs everything on this machine."""
    return "PYSPARK_GATEWAY_PORT" not in os.environ and is_local_master(master or "local[*]")


def prepare_environment(master: str, python: str | None) -> None:
    """Set the variables of Spark, Java and Python for a session that this process starts with a JVM of its own.

    A local run needs no name of the machine, and its workers are the Python of the driver unless `python` names
    another. On a cluster PYSPARK_PYTHON counts, since the workers' paths are others. Raises HeadtailError without Java.
    """
    ensure_java()
    _name_home()
    _choose_spark(is_local_master(master))
    for name in CONNECT:
        os.environ.pop(name, None)
    if is_local_master(master):
        os.environ["PYSPARK_PYTHON"] = python or sys.executable
        os.environ["SPARK_LOCAL_IP"] = LOOPBACK
        os.environ.pop("SPARK_LOCAL_HOSTNAME", None)
    else:
        os.environ.setdefault("PYSPARK_PYTHON", python or sys.executable)


def given_settings() -> set[str]:
    """Return the names of the settings in spark-defaults.conf, which Spark reads after `prepare_environment`.

    Lines are like those of Java's properties: a name, then blanks, `=` or `:`, then the value; `#` begins a comment.
    """
    folder = os.environ.get("SPARK_CONF_DIR", os.path.join(os.environ.get("SPARK_HOME", ""), "conf"))
    try:
        lines = Path(folder, "spark-defaults.conf").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    lines = [line for line in map(str.strip, lines) if line[:1] not in ("", "#", "!")]
    return {re.split(r"[\s=:]", line, maxsplit=1)[0] for line in lines}


def _choose_spark(local: bool) -> None:
    """Point SPARK_HOME to the Spark of this environment: another one may have another version.

    On a cluster the settings of the given one, in its folder conf, still count.
    """
    ours = Path(pyspark.__file__).parent
    given = os.environ.get("SPARK_HOME")
    os.environ["SPARK_HOME"] = str(ours)
    if not given or Path(given).resolve() == ours.resolve():
        return
    kept = ""
    if not local and "SPARK_CONF_DIR" not in os.environ and Path(given, "conf").is_dir():
        os.environ["SPARK_CONF_DIR"] = str(Path(given, "conf"))
        kept = " with its settings"
    say("spark", f"Spark {pyspark.__version__} of {ours} runs{kept}, not the Spark of SPARK_HOME={given}")


def _name_home() -> None:
    """Give Java a home where the system knows no user of this number: Java calls it `?`, and Ivy refuses that."""
    if not _is_nameless():
        return
    home = os.environ.get("HOME", "")
    if not os.access(home or "?", os.W_OK):
        home = tempfile.gettempdir()
    given = os.environ.get("SPARK_SUBMIT_OPTS", "")
    os.environ["SPARK_SUBMIT_OPTS"] = f'{given} -Duser.home="{home}" -Duser.name={_user_name()}'.strip()


def name_user(gateway: JavaGateway) -> None:
    """Give Hadoop a user where the system knows none of this number, for Hadoop's own login would fail.

    Containers are often run with such a number (`docker run --user 4242`, OpenShift).
    """
    if _is_nameless():
        users = gateway.jvm.org.apache.hadoop.security.UserGroupInformation
        users.setLoginUser(users.createRemoteUser(_user_name()))


def _is_nameless() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return True
    return False


def _user_name() -> str:
    return os.environ.get("HADOOP_USER_NAME") or os.environ.get("SPARK_USER") or f"uid-{os.getuid()}"
