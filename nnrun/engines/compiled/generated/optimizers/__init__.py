"""The optimizers' steps, as source text: loops over all parameters of the network at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.engines.clipping import UNITS
from nnrun.engines.compiled.generated.optimizers.adam import adam
from nnrun.engines.compiled.generated.optimizers.sgd import plain, sgd
from nnrun.engines.compiled.generated.program import Program

__all__ = ["OPTIMIZERS", "clip", "plain"]

OPTIMIZERS: dict[str, Callable[[Program, Any, int], list[str]]] = {"sgd": sgd, "adam": adam}


def clip(p: Program, limit: float, size: int, lanes: int) -> None:
    """A gradient longer than the limit is scaled down to it; `squares` holds its square's parts.

    A sum of squares that overflows or is lost to underflow is computed again in another unit
    (`engines/clipping.py`).
    """
    units = UNITS[p.dtype.name]
    p.comment(f"clip the gradient to a length of {limit}")
    _sum_squares(p, "all_gradient[i + j]", size, lanes)
    p.line("shrunk = one")
    with p.block(f"if total > {units.most!r}:"):
        p.line(f"shrunk = real({1 / units.large!r})")
    with p.block(f"if total < {units.least!r}:"):
        p.line(f"shrunk = real({1 / units.small!r})")
    with p.block("if shrunk != one:"):
        _sum_squares(p, "all_gradient[i + j] * shrunk", size, lanes)
    p.line("norm = sqrt(total)")
    with p.block(f"if norm > {limit!r} * double(shrunk):"):
        p.line(f"factor = real({limit!r} / norm)")
        with p.loop("j", size):
            p.line("all_gradient[j] = all_gradient[j] * shrunk * factor")


def _sum_squares(p: Program, number: str, size: int, lanes: int) -> None:
    """Σ number² over the gradient, as `total`."""
    with p.loop("j", lanes):
        p.line("squares[j] = zero")
    with p.loop("i", 0, size, lanes), p.loop("j", lanes):
        p.line(f"g = {number}")
        p.line("squares[j] += g * g")
    p.line("total = double(0)")
    with p.loop("j", lanes):
        p.line("total += double(squares[j])")
