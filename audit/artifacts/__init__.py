"""Builders of the artifacts that detectors and the miner share, one file each."""
