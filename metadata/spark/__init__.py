"""Engine code of the metadata builder. Open `gather.py` first: it leads from partial counts to terms."""
