"""From the curated table to images on disk, with the status of every attempt.

Open `download.py` first: it fetches one download list.
"""
