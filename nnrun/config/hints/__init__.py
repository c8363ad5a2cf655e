"""Keys in the wrong place, and arguments that are options.

The words "did you mean" are in `nnrun/suggestions.py`.
"""
