"""The entry side of the pipeline: building, storing and opening metadata lists."""
