"""What a generated function costs: which networks have one, how long it compiles and runs.

The constants are the same on every machine, so that one config gets the same engine everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from nnrun.engines.compiled.formulas.losses import LOSSES
from nnrun.engines.compiled.generated.layers import compiling, refusal
from nnrun.engines.compiled.generated.layers.matmul import TILED, is_tiled
from nnrun.engines.compiled.generated.layers.matmul_tiled import HEIGHTS
from nnrun.engines.compiled.generated.optimizers import OPTIMIZERS
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer

# Seconds of compiling a function: it takes as much for each layer as its emitter says, and more
# where there are many, since LLVM looks at all of them at once.
COMPILING_BASE, COMPILING_PAIR = 0.03, 0.0003
# No function is generated that takes longer to compile.
LONGEST = 10.0
COMPILED_BATCH = 0.05e-6
# A layer whose rows depend on each other goes over its numbers so many times as often as an
# activation.
ACROSS = 4
# Seconds for one number through an activation, forward and backward.
COMPILED_NUMBER = 1.5e-9
# Operations per second in float64; float32 does twice as many.
COMPILED_CONVOLUTION, COMPILED_ROW, COMPILED_ROWS, COMPILED_TILES = 25e9, 20e9, 16e9, 70e9
# Tiles know nothing of caches: with more weights than this, in bytes, BLAS is twice as fast.
TILED_BYTES, COMPILED_LARGE_TILES = 2**21, 35e9


def refuses_function(network: Network, optimizer: Optimizer) -> str | None:
    """Why no function can be generated for this, or None if one can."""
    for layer in network.steps:
        if (reason := refusal(layer)) is not None:
            return f"the compiled engine {reason}"
    if (reason := compiles_too_long(network)) is not None:
        return reason
    if network.loss.type not in LOSSES:
        return f"the compiled engine has no loss {network.loss.type}"
    if optimizer.type not in OPTIMIZERS:
        return f"the compiled engine has no optimizer {optimizer.type}"
    if not network.size:
        return "there are no parameters to train"
    return None


def compiling_seconds(network: Network) -> float:
    """Seconds that compiling a function takes, roughly; every layer must have an emitter."""
    steps = network.steps
    return COMPILING_BASE + sum(map(compiling, steps)) + COMPILING_PAIR * len(steps) ** 2


def compiles_too_long(network: Network) -> str | None:
    """That compiling would take too long, in words, or None if it would not."""
    if any(refusal(layer) is not None for layer in network.steps):
        return None
    seconds = compiling_seconds(network)
    if seconds <= LONGEST:
        return None
    return f"compiling a network of this size would take about {seconds:.0f} seconds"


def function_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by a function of the network's own, roughly."""
    total = COMPILED_BATCH
    for layer, work, numbers in work_of(network, batch_size):
        if not work:
            total += numbers * COMPILED_NUMBER
        elif layer.takes == "images":
            total += work / COMPILED_CONVOLUTION
        else:
            total += work / _matrix_rate(network, layer, batch_size)
    return total


def work_of(network: Network, batch_size: int) -> Iterator[tuple[Layer, float, float]]:
    """Each layer with its operations, and the numbers it goes over, in units of float64's."""
    precision = 8 / network.dtype.itemsize
    for index, layer in enumerate(network.steps):
        # Forward, the weights' gradient, and dx, which the first layer does not need.
        work = batch_size * layer.operations * (2 if index == 0 else 3) / precision
        numbers = batch_size * prod(layer.output_shape) * (ACROSS if layer.batch_dependent else 1)
        yield layer, work, numbers / precision


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
