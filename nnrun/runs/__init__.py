"""Runs: one config with one seed, from preparation to a record on disk.

`nnrun.runs()` lists those that are stored: `nnrun.api.choices.runs`.
"""

from nnrun.callables import make_callable

make_callable(__name__)
