"""Engine code of the metadata builder."""
