"""The elementary functions for generated source, by name, for one dtype."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

from nnrun.engines.compiled import formulas
from nnrun.engines.compiled.native.fused import compiled


@cache
def functions(dtype: str) -> SimpleNamespace:
    """All that `formulas` has."""
    made = vars(formulas.functions(dtype))
    return SimpleNamespace(**{name: compiled(function) for name, function in made.items()})
