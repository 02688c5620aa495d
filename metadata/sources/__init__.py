"""Dumps, page views and wordnets become terms with counts.

Open `articles.py` first: it counts the words of one range of a dump.
"""
