"""Elementary functions as formulas, which two compilers take: Numba's, and that of the kernels.

They are plain functions of scalars that Python itself never runs: arithmetic, selections, constant
tuples, each other, and the bits of numbers. Products that are added are fused (see `fusing`).
"""

from __future__ import annotations

from nnrun.engines.compiled.formulas.functions import functions

__all__ = ["functions"]
