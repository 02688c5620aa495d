"""Signals of images: faces, an NSFW score, embeddings, and the outputs of a user's own model, as a table.

Open `score.py` first: it scores the images of one download list.
"""
