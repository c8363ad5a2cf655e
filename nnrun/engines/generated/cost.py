"""Which networks have a generated function, and how long it takes to compile and run.

The constants are the same on every machine, so that one config gets the same engine everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from nnrun.engines.formulas import LOSSES, OPTIMIZERS, formula_name
from nnrun.engines.generated.passes import compiling, refusal
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network, once_for_each
from nnrun.nn.optimizers import Optimizer

# Seconds of compiling a function, besides those of each layer (`Emitter.compiling`), and for each
# pair of layers, since LLVM looks at all of them together.
COMPILING_BASE, COMPILING_PAIR = 0.03, 0.0003
# No function is generated that takes longer to compile.
LONGEST = 10.0
COMPILED_BATCH = 0.05e-6
# Passes over the activations of a layer whose rows depend on each other (batch normalisation).
ACROSS = 4
# Seconds for one number through an activation, forward and backward.
COMPILED_NUMBER = 1.5e-9
# Operations per second in float64; float32 does twice as many.
COMPILED_CONVOLUTION, COMPILED_ROW, COMPILED_ROWS = 25e9, 20e9, 16e9


def refuses_function(network: Network, optimizer: Optimizer) -> str | None:
    """Why no function can be generated for this, or None if one can."""
    if (reason := _refuses_network(network)) is not None:
        return reason
    if formula_name(optimizer) not in OPTIMIZERS:
        return f"the compiled engine has no optimizer {optimizer.type}"
    if not network.size:
        return "there are no parameters to train"
    return None


@once_for_each
def _refuses_network(network: Network) -> str | None:
    for layer in network.steps:
        if (reason := refusal(layer)) is not None:
            return f"the compiled engine {reason}"
    if (reason := compiles_too_long(network)) is not None:
        return reason
    if network.loss.type not in LOSSES:
        return f"the compiled engine has no loss {network.loss.type}"
    return None


@once_for_each
def compiling_seconds(network: Network) -> float:
    """Seconds that compiling a function takes, roughly; every layer must have an emitter."""
    steps = network.steps
    return COMPILING_BASE + sum(map(compiling, steps)) + COMPILING_PAIR * len(steps) ** 2


@once_for_each
def compiles_too_long(network: Network) -> str | None:
    """The reason if compiling would take too long, else None."""
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
        elif layer.input_kind == "images":
            total += work / COMPILED_CONVOLUTION
        else:
            total += work / (COMPILED_ROW if batch_size == 1 else COMPILED_ROWS)
    return total


def work_of(network: Network, batch_size: int) -> Iterator[tuple[Layer, float, float]]:
    """Each layer with its flops and its activations, in units of float64."""
    precision = 8 / network.dtype.itemsize  # a power of two, so no number here is rounded
    for index, layer in enumerate(network.steps):
        # Forward, the weights' gradient, and dx, which the first layer does not need.
        work = layer.flops * (2 if index == 0 else 3) / precision
        numbers = prod(layer.output_shape) * (ACROSS if layer.batch_dependent else 1)
        yield layer, batch_size * work, batch_size * (numbers / precision)
