"""Engine code of the metadata builder. Open `gather.py` first: it turns partial counts into terms."""
