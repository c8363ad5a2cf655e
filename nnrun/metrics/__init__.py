"""The metrics that a config can name: a table of them, and scikit-learn's functions behind it."""
