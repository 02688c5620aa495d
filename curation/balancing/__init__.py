"""Counts become thresholds and probabilities, and matched images become curated images.

Open `balance.py` first: it draws the images of one bucket. In `probabilities.py` a threshold becomes a probability.
"""
