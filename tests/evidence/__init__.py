"""Evidence: a small web with known truth, curated by headtail, and OpenCLIP trained on what it keeps.

`make evidence` runs all steps, `python -m tests.evidence STEP` one of them (docs/evidence.md).
Open `__main__.py` first.
"""
