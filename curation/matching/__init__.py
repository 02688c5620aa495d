"""Texts become entry ids, and texts of one URL become one image.

Open `spacing.py` first: it defines a match. Then `match.py`, which matches a batch of texts.
"""
