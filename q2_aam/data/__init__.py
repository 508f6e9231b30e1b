"""Artifacts to checked, immutable arrays, and arrays to batches: numpy, scipy and biom only."""
