"""A page over the tables of a run: entries, the images that hold them, and why an image was kept or dropped.

Open `explored_run.py` first: it finds an image or an entry in each table. `scan.py` reads tables until enough rows are
found, `pictures.py` reads the images, `pages.py` has the addresses and `guard.py` says who may read them.
"""
