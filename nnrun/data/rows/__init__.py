"""Rows of a data set that are read in blocks: chosen, mapped from a file, compared."""
