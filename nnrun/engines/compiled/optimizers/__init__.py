"""The optimizers' steps, as source text: loops over all parameters of the network at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.engines.compiled.optimizers.adam import adam
from nnrun.engines.compiled.optimizers.sgd import plain, sgd
from nnrun.engines.compiled.program import Program

__all__ = ["OPTIMIZERS", "clip", "plain"]

OPTIMIZERS: dict[str, Callable[[Program, Any, int], list[str]]] = {"sgd": sgd, "adam": adam}


def clip(p: Program, limit: float, size: int, lanes: int) -> None:
    """A gradient longer than the limit is scaled down to it; `squares` holds its square's parts."""
    p.comment(f"clip the gradient to a length of {limit}")
    with p.loop("j", lanes):
        p.line("squares[j] = zero")
    with p.loop("i", 0, size, lanes), p.loop("j", lanes):
        p.line("squares[j] += all_gradient[i + j] * all_gradient[i + j]")
    p.line("total = double(0)")
    with p.loop("j", lanes):
        p.line("total += double(squares[j])")
    p.line("norm = sqrt(total)")
    with p.block(f"if norm > {limit!r}:"):
        p.line(f"factor = real({limit!r} / norm)")
        with p.loop("j", size):
            p.line("all_gradient[j] *= factor")
