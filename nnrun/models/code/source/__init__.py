"""Functions that scripts take over with their source: they need the standard library and NumPy."""
