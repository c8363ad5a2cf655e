"""Checks before training that the compiled engine trains a network as NumPy does.

`first_update` lets both engines make the first update of a run and compares the results,
`rounding` estimates which differences come from rounding. The check uses the very
engine that will train, with its machine code, memory and threads, and restores everything
afterwards: it changes no bit of the run.
"""

from __future__ import annotations

from nnrun.training.first_update import Disagreement, compare_engines

__all__ = ["Disagreement", "compare_engines"]
