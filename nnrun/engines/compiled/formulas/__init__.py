"""Elementary functions as formulas, for kernels and for generated functions.

They are functions of the language, of scalars: arithmetic, selections, constant tuples, each other,
and the bits of numbers.
"""

from __future__ import annotations

from nnrun.engines.compiled.formulas.functions import functions

__all__ = ["functions"]
