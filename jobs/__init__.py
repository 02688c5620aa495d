# A package of headtail (headtail/names.py).
"""The jobs: each is run by spark-submit, by `python -m jobs.<job>` and by `headtail <job>`.

Open `curate.py` first: it runs the whole chain, each job in its turn.
"""
