"""A file becomes image links as they stand there: WAT, WARC, tables of captions, WebDataset shards.

Open `links.py` first: it says what each reader yields.
"""
