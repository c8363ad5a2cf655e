"""Data sets, their preprocessing and their splits."""
