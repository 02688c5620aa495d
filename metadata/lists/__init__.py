"""Entry lists from terms, by the rules of either paper.

Open `rules.py` first: it says which terms become entries.
"""
