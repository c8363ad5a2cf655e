"""Matrix multiplication for one row: z = x w, dw = xᵀ dz, dx = dz wᵀ.

For one row this is a loop over w, and the fastest loop depends on the shape:

    few      a handful of weights: each in a variable, for the whole run
    wide     units innermost, for the first layer: z = x₀ w₀ + x₁ w₁ + …
    deep     inputs innermost, for the others: dot products of x with each unit's weights; dx and
             the new weights are computed in one pass over w
"""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.layers.matmul_deep import DeepMatMul
from nnrun.engines.compiled.generated.layers.matmul_few import FewMatMul
from nnrun.engines.compiled.generated.layers.matmul_wide import WideMatMul
from nnrun.engines.compiled.generated.program import Program
from nnrun.engines.compiled.generated.row import Row
from nnrun.nn.layers.matmul import MatMul

FEW = 40


def matmul(program: Program, layer: MatMul, tag: str, x: Row, needs_dx: bool) -> Emitter:
    """The emitter that suits the layer's shape."""
    inputs, units = x.size, layer.units
    if program.direct and inputs * units <= FEW and (x.scalar or not needs_dx):
        return FewMatMul(program, layer, tag, x, needs_dx)
    if not needs_dx and 2 * units >= program.lanes:
        return WideMatMul(program, layer, tag, x, needs_dx)
    return DeepMatMul(program, layer, tag, x, needs_dx)
