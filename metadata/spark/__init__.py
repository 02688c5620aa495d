"""Engine code of the metadata builder. Open `build.py` first: it leads from partial counts to terms."""
