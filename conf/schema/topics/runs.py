"""Settings of a run as a whole: its Spark session, the assumptions of forecasts, and prices."""

from dataclasses import dataclass
from typing import ClassVar

from conf.schema.base import Settings, setting
from conf.schema.spark_values import check_heap, check_master, check_values


@dataclass
class SparkConfig(Settings):
    """The Spark session. Options of spark-submit and of spark-defaults.conf override `fallbacks`, but not `conf`."""

    topic: ClassVar[str] = "spark"
    preset: ClassVar[str] = "local"
    master: str | None = setting(None, "Spark master; null: chosen by spark-submit, or local[*] without it")
    driver_memory: str = setting("2g", "heap of the driver, which is the only JVM of a local run")
    python: str | None = setting(None, "path of the workers' Python interpreter; null: the driver's")
    ui: bool = setting(False, "show Spark's pages about the run in a browser; a line tells their address")
    fallbacks: dict[str, str] = setting(
        {}, "Spark settings, used where neither spark-submit nor the cluster sets a value"
    )
    conf: dict[str, str] = setting({}, "Spark settings, e.g. 'spark.conf={spark.executor.memory: 8g}'")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_master(self.master)
        check_heap("spark.driver_memory", self.driver_memory)
        check_values("spark.fallbacks", self.fallbacks)
        check_values("spark.conf", self.conf)


@dataclass
class RatesConfig(Settings):
    """Assumptions of a forecast."""

    topic: ClassVar[str] = "rates"
    images_per_second: float = setting(
        1000.0, "images downloaded per second on all machines", unit="images/s", minimum=1e-3
    )
    bytes_per_image: float = setting(30_000, "mean size of a stored image", unit="bytes", minimum=1)


@dataclass
class PricesConfig(Settings):
    """Prices of an estimate; the defaults are those of Common Crawl's own region, us-east-1 (docs/scale.md)."""

    topic: ClassVar[str] = "prices"
    preset: ClassVar[str] = "us_east_1"
    core_hour: float = setting(0.04, "price of a core-hour", unit="$", minimum=0)
    terabyte_month: float = setting(23.0, "price of storing a terabyte for a month", unit="$", minimum=0)
    terabyte_read: float = setting(0.0, "price of reading a terabyte of archives or images", unit="$", minimum=0)
    terabyte_out: float = setting(90.0, "price of a terabyte that leaves (shards_out)", unit="$", minimum=0)
