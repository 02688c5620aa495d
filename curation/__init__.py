"""The pair side of the pipeline: pure functions on Arrow batches; the engine code is in curation.spark."""
