"""Every setting, declared once: type, default, meaning, unit, range. YAML holds values only.

Open `topics.py` first: it holds the settings of each topic. `jobs.py` says which topics a job has.
"""
