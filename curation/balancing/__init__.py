"""Counts become thresholds and probabilities, and matched images become curated images.

Open `balance.py` first: it draws the images of one bucket. `probabilities.py` holds the formulas.
"""
