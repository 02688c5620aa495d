"""Terms with counts, from dumps, page views and wordnets.

Open `articles.py` first: it counts the words of one range of a dump.
"""
