"""The sample crawl: WAT files, images and entry lists, all made by code, and the host that serves the images.

Open `make.py` first: it makes all of it in order.
"""
