"""The public package: entry lists, matching, counts, thresholds and draws for tables in memory, without Spark.

Open `__main__.py` first: it is the command line.
"""
