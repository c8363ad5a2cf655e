"""Which engine trains what: a cost model that looks at the config alone.

It has the same constants everywhere and asks neither the machine nor the cache, so that one config
is trained by one engine, whoever runs it: the engines agree to rounding only.
"""

from __future__ import annotations

from math import prod
from typing import Literal

from nnrun.engines.compiled.layers import compiling, refusal
from nnrun.engines.compiled.layers.matmul import TILED, is_tiled
from nnrun.engines.compiled.layers.matmul_tiled import HEIGHTS
from nnrun.engines.compiled.losses import LOSSES
from nnrun.engines.compiled.optimizers import OPTIMIZERS
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer

# Seconds that a single run must gain. Compiling takes about one, but once for each architecture:
# its machine code is kept, and what is run once is mostly run over twenty seeds, and tomorrow.
WORTH = 0.025
# What Python and NumPy take for a batch besides arithmetic, and for each layer in it.
NUMPY_BATCH, NUMPY_LAYER = 3e-6, 1.5e-6
COMPILED_BATCH = 0.05e-6
# Seconds for one number through an activation, forward and backward.
NUMPY_NUMBER, COMPILED_NUMBER = 4e-9, 1.5e-9
# Operations per second in float64; float32 does twice as many. NumPy's matrix products begin at
# the rate for a single row, and have come half the way to that for large batches at HALFWAY.
NUMPY_ROW, NUMPY_MATRIX, HALFWAY = 2e9, 80e9, 16
NUMPY_CONVOLUTION, COMPILED_CONVOLUTION = 12e9, 25e9
COMPILED_ROW, COMPILED_ROWS, COMPILED_TILES = 20e9, 8e9, 70e9
# Tiles know nothing of caches: with more weights than this, in bytes, BLAS is twice as fast.
TILED_BYTES, COMPILED_LARGE_TILES = 2**21, 35e9


# A network that takes longer to compile than the second line says is not worth it at any length
# of a run, and would take gigabytes. Up to the first, compiling counts as nothing (see WORTH); each
# second beyond it must be gained by the runs that will share it.
COMPILING_BASE, PATIENCE, LONGEST, SHARED_BY = 1.0, 5.0, 25.0, 40


def supports(network: Network, optimizer: Optimizer) -> str | None:
    """Why the compiled engine cannot train this, or None if it can."""
    for layer in network.steps:
        if (reason := refusal(layer)) is not None:
            return f"the compiled engine {reason}"
    if (reason := too_large(network)) is not None:
        return reason
    if network.loss.type not in LOSSES:
        return f"the compiled engine has no loss {network.loss.type}"
    if optimizer.type not in OPTIMIZERS:
        return f"the compiled engine has no optimizer {optimizer.type}"
    if not network.size:
        return "there are no parameters to train"
    return None


def choose(
    network: Network, optimizer: Optimizer, *, batch_size: int, iterations: int
) -> Literal["numpy", "compiled"]:
    """The engine of `engine: auto`."""
    if supports(network, optimizer) is not None:
        return "numpy"
    numpy, compiled = estimate(network, batch_size)
    worth = WORTH + max(compiling_seconds(network) - PATIENCE, 0) / SHARED_BY
    return "compiled" if iterations * (numpy - compiled) > worth else "numpy"


def compiling_seconds(network: Network) -> float:
    """Seconds that compiling takes, roughly; every layer must have an emitter."""
    return COMPILING_BASE + sum(compiling(layer) for layer in network.steps)


def too_large(network: Network) -> str | None:
    """That compiling would take too long, in words; None if it would not, or cannot be done."""
    if any(refusal(layer) is not None for layer in network.steps):
        return None
    seconds = compiling_seconds(network)
    if seconds <= LONGEST:
        return None
    return f"compiling a network of this size would take about {seconds:.0f} seconds"


def estimate(network: Network, batch_size: int) -> tuple[float, float]:
    """Seconds for one iteration by the NumPy engine and by the compiled one, roughly."""
    layers = network.steps
    numpy = NUMPY_BATCH + NUMPY_LAYER * len(layers)
    compiled = COMPILED_BATCH
    precision = 8 / network.dtype.itemsize
    more = batch_size - 1
    matrix = NUMPY_ROW + NUMPY_MATRIX * more / (more + HALFWAY)
    for index, layer in enumerate(layers):
        # Forward, the weights' gradient, and dx, which the first layer does not need.
        work = batch_size * layer.operations * (2 if index == 0 else 3) / precision
        if not work:
            numbers = batch_size * prod(layer.output_shape) / precision
            numpy += numbers * NUMPY_NUMBER
            compiled += numbers * COMPILED_NUMBER
        elif layer.takes == "images":
            numpy += work / NUMPY_CONVOLUTION
            compiled += work / COMPILED_CONVOLUTION
        else:
            numpy += work / matrix
            compiled += work / _matrix_rate(network, layer, batch_size)
    return numpy, compiled


def _matrix_rate(network: Network, layer: Layer, batch_size: int) -> float:
    """Operations per second of a matrix product in generated code."""
    if batch_size == 1:
        return COMPILED_ROW
    size = sum(parameter.size for parameter in layer.parameters)
    if not (is_tiled(network) and size >= TILED):
        return COMPILED_ROWS
    filled = min(batch_size / HEIGHTS[0], 1)
    large = size * network.dtype.itemsize > TILED_BYTES
    return filled * (COMPILED_LARGE_TILES if large else COMPILED_TILES)
