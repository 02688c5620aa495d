"""The shuffle of bytes: tasks give values to numbered receivers, and the JVM moves them without a look into them.

Rows of a DataFrame would be taken apart, copied and put together again by the JVM, on both sides of a shuffle. Here a
value is one array of bytes on the whole way. Spark's shuffle with its retries is the same.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import msgspec
from pyspark import RDD
from pyspark.serializers import NoOpSerializer, SpecialLengths, read_int
from pyspark.sql import SparkSession

from curation.core.receipts import Receipt
from curation.spark.tasks import PRELOAD, Task, fenced, on_worker


class WholeValues(NoOpSerializer):
    """Reads values as they were written. A stream without its end mark is an error.

    pyspark takes the end of such a stream for the end of the values, but Spark has then given up this attempt of a
    task, or a process has ended: the task must not finish what it has.
    """

    def load_stream(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Yield the values of a stream; raises EOFError if it is cut off."""
        while (size := read_int(stream)) != SpecialLengths.END_OF_DATA_SECTION:
            value = stream.read(size)
            if len(value) < size:
                raise EOFError("a value of the shuffle is cut off")
            yield value


def shuffle_tasks(
    spark: SparkSession,
    tasks: Sequence[Task],
    send: Callable[[str], Iterator[tuple[int, bytes]]],
    receivers: int,
    receive: Callable[[Iterator[bytes]], Iterator[str]],
    folder: str = "",
) -> list[Receipt]:
    """Run `send` on each task (as JSON), and `receive` once for each receiver; return the receipts that it yields.

    `send` yields (number of the receiver, value). A receiver gets its values in any order, as the partition of its
    number. A fence keeps other writers out of `folder`, as in `run_tasks`. Raises HeadtailError for a fault that a user
    can fix, without the stack traces of Python and Java.
    """

    def send_all(encoded: Iterator[str]) -> Iterator[bytes]:
        for task in encoded:
            for receiver, value in send(task):
                yield struct.pack("!q", receiver)
                yield value

    spark.sparkContext.environment.setdefault(PRELOAD, getattr(receive, "func", receive).__module__)
    with fenced(folder) as fence:
        context = spark.sparkContext
        sent = context.parallelize([msgspec.json.encode(task).decode() for task in tasks], len(tasks))
        received = _shuffle(sent.mapPartitions(on_worker(send_all)), receivers)  # type: ignore[arg-type]  # an iterator
        receipts = received.mapPartitions(on_worker(receive, fence))  # type: ignore[arg-type]  # as above
        return [Receipt.from_json(text) for text in receipts.collect()]


def _shuffle(pairs: Any, receivers: int) -> "RDD[bytes]":
    """Return an RDD whose partition `n` has the values of receiver `n`; `pairs` are 8 bytes of `n`, value, 8 bytes...

    pyspark's `partitionBy` does the same around its pickling, but holds a multiple of ten values for each receiver.
    """
    context, pairs._bypass_serializer = pairs.ctx, True
    jvm = context._jvm
    paired = jvm.PairwiseRDD(pairs._jrdd.rdd()).asJavaPairRDD()
    moved = paired.partitionBy(jvm.PythonPartitioner(receivers, 0))
    return RDD(jvm.PythonRDD.valueOfPair(moved), context, WholeValues())
