"""Texts become entry ids, and texts of one URL become one image.

Open `spacing.py` first: it says what a match is. Then `match.py`, which matches a batch of texts.
"""
