"""Describes a run and writes no table: the report, `explain` and `estimate`.

Open `page.py` first: it lays out the report.
Numbers take this way: `stats` counts rows in Spark tasks, `run_tables` adds the counters, `summaries` reduces them,
`values` puts report.json together, `numbers` formats them, and `page` lays them out with the other modules of HTML.
"""
