"""Download lists become images on disk, with the status of every attempt.

Open `download.py` first: it fetches one list.
"""
