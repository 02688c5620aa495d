"""Clusters of images: by the vectors of any encoder, or by the entries of their texts, without a model.

Open `fit.py` first: it finds the centres. `assign.py` gives each image its clusters.
"""
