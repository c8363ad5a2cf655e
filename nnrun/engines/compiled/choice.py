"""Which engine trains what, and in which of its ways: a cost model that looks at the config alone.

It has the same constants everywhere and asks neither the machine nor the cache, so that one config
is trained by one engine, whoever runs it: the engines agree to rounding only.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Literal

from nnrun.engines.compiled.kernels import KERNELS
from nnrun.engines.compiled.layers import compiling, refusal
from nnrun.engines.compiled.layers.matmul import TILED, is_tiled
from nnrun.engines.compiled.layers.matmul_tiled import HEIGHTS
from nnrun.engines.compiled.losses import LOSSES
from nnrun.engines.compiled.optimizers import OPTIMIZERS
from nnrun.engines.compiled.tape import layers as tape_layers
from nnrun.engines.compiled.tape.updates import OPTIMIZERS as TAPE_OPTIMIZERS
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer

Way = Literal["generated", "tape"]

# Seconds that a run must gain: WORTH, and its part of those of compiling. What was compiled is
# kept, and what is run once is mostly run over twenty seeds, and tomorrow: many runs share it.
WORTH, SHARED_BY = 0.001, 40
# Seconds of compiling. Kernels are compiled for all networks; a function takes as much for each
# layer as its emitter says, and more where there are many, since LLVM looks at all of them at once.
COMPILING_KERNELS, COMPILING_BASE, COMPILING_PAIR = 1.0, 0.03, 0.0003
# What takes LONG goes to the tape, which has nothing of its own to compile; where that cannot take
# it, none is made that takes LONGEST.
LONG, LONGEST = 2.0, 10.0
# What Python and NumPy take for a batch besides arithmetic, and for each layer in it.
NUMPY_BATCH, NUMPY_LAYER = 3e-6, 1.5e-6
COMPILED_BATCH = 0.05e-6
# A layer of which the rows of a batch depend on each other goes over its numbers so many times as
# often as an activation, which NumPy does in many calls.
ACROSS, NUMPY_ACROSS = 4, 35e-6
# Seconds for one number through an activation, forward and backward.
NUMPY_NUMBER, COMPILED_NUMBER = 4e-9, 1.5e-9
# Operations per second in float64; float32 does twice as many. NumPy's matrix products begin at
# the rate for a single row, and have come half the way to that for large batches at HALFWAY.
NUMPY_ROW, NUMPY_MATRIX, HALFWAY = 2e9, 45e9, 16
NUMPY_CONVOLUTION, COMPILED_CONVOLUTION = 12e9, 25e9
COMPILED_ROW, COMPILED_ROWS, COMPILED_TILES = 20e9, 16e9, 70e9
# Tiles know nothing of caches: with more weights than this, in bytes, BLAS is twice as fast.
TILED_BYTES, COMPILED_LARGE_TILES = 2**21, 35e9


# The tape: an iteration, a layer in it, a task of a layer; numbers and operations as above, the
# latter in batches of so many rows that the products' tiles are full.
TAPE_BATCH, TAPE_LAYER, TAPE_TASK, ROW_TASKS = 1e-6, 0.3e-6, 0.03e-6, 16
TAPE_NUMBER, TAPE_CONVOLUTION, TAPE_MATRIX, TAPE_FULL = 0.5e-9, 45e9, 50e9, 14

# The estimates are good to some tenths; what is nearly equal is left to the function.
CLEARLY = 0.8


def supports(network: Network, optimizer: Optimizer) -> str | None:
    """Why the compiled engine cannot train this in either way, or None if it can."""
    if _refuses_tape(network, optimizer) is None and network.size:
        return None
    return refuses_function(network, optimizer)


def refuses_function(network: Network, optimizer: Optimizer) -> str | None:
    """Why no function can be generated for this, or None if one can."""
    for layer in network.steps:
        if (reason := refusal(layer)) is not None:
            return f"the compiled engine {reason}"
    if (reason := _compiles_too_long(network)) is not None:
        return reason
    if network.loss.type not in LOSSES:
        return f"the compiled engine has no loss {network.loss.type}"
    if optimizer.type not in OPTIMIZERS:
        return f"the compiled engine has no optimizer {optimizer.type}"
    if not network.size:
        return "there are no parameters to train"
    return None


def way(network: Network, optimizer: Optimizer, batch_size: int) -> Way:
    """How the compiled engine trains what it supports: by a function, or by kernels."""
    if _refuses_tape(network, optimizer) is not None:
        return "generated"
    if refuses_function(network, optimizer) is not None or compiling_seconds(network) > LONG:
        return "tape"
    function = function_seconds(network, batch_size)
    return "tape" if tape_seconds(network, batch_size) < CLEARLY * function else "generated"


def choose(
    network: Network, optimizer: Optimizer, *, batch_size: int, iterations: int
) -> Literal["numpy", "compiled"]:
    """The engine of `engine: auto`."""
    if supports(network, optimizer) is not None:
        return "numpy"
    chosen = way(network, optimizer, batch_size)
    gain = numpy_seconds(network, batch_size) - _seconds(network, batch_size, chosen)
    seconds = compiling_seconds(network) if chosen == "generated" else COMPILING_KERNELS
    return "compiled" if iterations * gain > WORTH + seconds / SHARED_BY else "numpy"


def compiling_seconds(network: Network) -> float:
    """Seconds that compiling a function takes, roughly; every layer must have an emitter."""
    steps = network.steps
    return COMPILING_BASE + sum(map(compiling, steps)) + COMPILING_PAIR * len(steps) ** 2


def too_large(network: Network) -> str | None:
    """That compiling would take too long, in words; None if it would not, or need not be done."""
    return _compiles_too_long(network) if _refuses_layers(network) else None


def _compiles_too_long(network: Network) -> str | None:
    if any(refusal(layer) is not None for layer in network.steps):
        return None
    seconds = compiling_seconds(network)
    if seconds <= LONGEST:
        return None
    return f"compiling a network of this size would take about {seconds:.0f} seconds"


def _refuses_tape(network: Network, optimizer: Optimizer) -> str | None:
    if (reason := _refuses_layers(network)) is not None:
        return reason
    if optimizer.type not in TAPE_OPTIMIZERS:
        return f"has no optimizer {optimizer.type}"
    return None


def _refuses_layers(network: Network) -> str | None:
    if network.loss.type not in KERNELS:
        return f"has no loss {network.loss.type}"
    reasons = (tape_layers.refusal(layer) for layer in network.steps)
    return next((reason for reason in reasons if reason is not None), None)


def estimate(network: Network, optimizer: Optimizer, batch_size: int) -> tuple[float, float]:
    """Seconds for one iteration by the NumPy engine and by the compiled one, roughly."""
    chosen = way(network, optimizer, batch_size)
    return numpy_seconds(network, batch_size), _seconds(network, batch_size, chosen)


def _seconds(network: Network, batch_size: int, chosen: Way) -> float:
    return (tape_seconds if chosen == "tape" else function_seconds)(network, batch_size)


def numpy_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by the NumPy engine, roughly."""
    more = batch_size - 1
    matrix = NUMPY_ROW + NUMPY_MATRIX * more / (more + HALFWAY)
    total = NUMPY_BATCH + NUMPY_LAYER * len(network.steps)
    for layer, work, numbers in _work(network, batch_size):
        rate = NUMPY_CONVOLUTION if layer.takes == "images" else matrix
        total += work / rate if work else numbers * NUMPY_NUMBER
        total += NUMPY_ACROSS if layer.looks_across else 0
    return total


def function_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by a function of the network's own, roughly."""
    total = COMPILED_BATCH
    for layer, work, numbers in _work(network, batch_size):
        if not work:
            total += numbers * COMPILED_NUMBER
        elif layer.takes == "images":
            total += work / COMPILED_CONVOLUTION
        else:
            total += work / _matrix_rate(network, layer, batch_size)
    return total


def tape_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by kernels, roughly."""
    tasks = min(batch_size, ROW_TASKS)
    total = TAPE_BATCH
    for layer, work, numbers in _work(network, batch_size):
        total += TAPE_LAYER + tasks * TAPE_TASK
        if not work:
            total += numbers * TAPE_NUMBER
        elif layer.takes == "images":
            total += work / TAPE_CONVOLUTION
        else:
            total += work / TAPE_MATRIX / min(batch_size / TAPE_FULL, 1)
    return total


def _work(network: Network, batch_size: int) -> Iterator[tuple[Layer, float, float]]:
    """Each layer with its operations, and the numbers it goes over, in units of float64's."""
    precision = 8 / network.dtype.itemsize
    for index, layer in enumerate(network.steps):
        # Forward, the weights' gradient, and dx, which the first layer does not need.
        work = batch_size * layer.operations * (2 if index == 0 else 3) / precision
        numbers = batch_size * prod(layer.output_shape) * (ACROSS if layer.looks_across else 1)
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
