"""Engines carry out the updates of training; the NumPy engine is the reference."""
