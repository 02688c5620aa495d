"""Image links become pairs: URL rules, text rules, language, duplicates within a file.

Open `extract.py` first: it runs the rules over one file, and counts a reason for every drop.
"""
