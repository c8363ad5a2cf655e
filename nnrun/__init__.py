"""nnrun: an experiment runner for small neural networks."""

__version__ = "0.1.0"

# Raised whenever a change alters the bits of a result; it is part of every run's digest, so that
# numbers from before and after such a change never pass for the same run.
NUMERICS_VERSION = 1
