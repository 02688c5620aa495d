"""Tells what a run did, and makes no table: the report, `explain` and `estimate`.

Open `page.py` first: it lays out the report. `values.py` computes the numbers of report.json.
"""
