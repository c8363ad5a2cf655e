"""Matrix multiplication for one row: z = x w, dw = xᵀ dz, dx = dz wᵀ.

One row leaves no matrix product, only loops over w, and what is fast depends on its shape:

    few      a handful of weights: each in a variable, for the whole run
    wide     units innermost, for the first layer: z is built up from x₀ w₀ + x₁ w₁ + …
    tiled    all rows of a batch at once, in tiles that fit the registers
    deep     inputs innermost, for the others: products of x with each unit's weights, and dx
             and the new weights come out of one pass over w
"""

from __future__ import annotations

from nnrun.engines.compiled.generated.layers.base import Emitter
from nnrun.engines.compiled.generated.layers.matmul_deep import DeepMatMul
from nnrun.engines.compiled.generated.layers.matmul_few import FewMatMul
from nnrun.engines.compiled.generated.layers.matmul_tiled import TiledMatMul
from nnrun.engines.compiled.generated.layers.matmul_wide import WideMatMul
from nnrun.engines.compiled.generated.program import Program
from nnrun.engines.compiled.generated.row import Row
from nnrun.nn.layers.matmul import MatMul
from nnrun.nn.network import Network

FEW = 40
# Weights from which tiles are better; and they must be as many as this in one of the network's
# layers, since for tiles everything that the layers compute is kept for all rows.
TILED, WORTH_KEEPING = 512, 2048


def is_tiled(network: Network) -> bool:
    """Whether larger matrix products are made for all rows of a batch at once.

    What convolutions compute is too much to be kept for all rows in the processor's caches.
    """
    layers = network.active_layers
    largest = max((x.parameters[0].size for x in layers if x.type == "matmul"), default=0)
    return largest >= WORTH_KEEPING and all(x.type != "convolution" for x in layers)


def matmul(program: Program, layer: MatMul, tag: str, x: Row, needs_dx: bool) -> Emitter:
    """The emitter that suits the layer's shape."""
    inputs, units = x.size, layer.units
    if program.tiled and inputs * units >= TILED:
        return TiledMatMul(program, layer, tag, x, needs_dx)
    if program.direct and inputs * units <= FEW and (x.scalar or not needs_dx):
        return FewMatMul(program, layer, tag, x, needs_dx)
    if not needs_dx and 2 * units >= program.lanes:
        return WideMatMul(program, layer, tag, x, needs_dx)
    return DeepMatMul(program, layer, tag, x, needs_dx)
