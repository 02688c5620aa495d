"""Downloads the sources of entry lists: dumps, page views, wordnets.

Open `catalogue.py` first: it lists the files to download.
"""
