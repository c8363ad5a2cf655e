"""Runs: one config with one seed, from preparation to a record on disk."""
