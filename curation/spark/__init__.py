"""Spark code of all stages: the session, the tasks of a stage, the shuffle.

Open `tasks.py` first: every stage runs as a list of tasks.
"""
