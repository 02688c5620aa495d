"""Tests of curation.explore."""
