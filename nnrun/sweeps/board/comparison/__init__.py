"""Comparisons of rows: with the best of a table, in pairs, and with models of scikit-learn."""
