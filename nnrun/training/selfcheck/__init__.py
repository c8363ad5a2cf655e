"""Whether the compiled engine trains a network as NumPy does: tried before it is trusted.

`check` has both engines make the first update of a run and compares what they found, `update`
makes that update, and `rounding` says which differences come from rounding. The engine that
will train is tried itself, with its machine code, its memory and its threads, and afterwards
everything is as it was: a run that is checked has the bits of one that is not.
"""

from __future__ import annotations

from nnrun.training.selfcheck.check import Disagreement, compare_engines

__all__ = ["Disagreement", "compare_engines"]
