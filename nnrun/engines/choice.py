"""Which engine trains what, and in which of its ways: a cost model that looks at the config alone.

It has the same constants everywhere and asks neither the machine nor the cache, so that one config
is trained by one engine, on every machine: the engines agree only up to rounding.
"""

from __future__ import annotations

from math import inf
from typing import Literal, NamedTuple

from nnrun.engines.formulas import LOSSES, OPTIMIZERS, formula_name
from nnrun.engines.generated.cost import (
    compiles_too_long,
    compiling_seconds,
    function_seconds,
    refuses_function,
    work_of,
)
from nnrun.nn.embedding import Embedding
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network, once_for_each
from nnrun.nn.optimizers import Optimizer
from nnrun.plugins.loading import find
from nnrun.plugins.part import Part

Way = Literal["generated", "tape"]

# Seconds that a run must gain: WORTH, and a share of compiling, since many runs (seeds, later
# sweeps) use the cached code.
WORTH, SHARED_BY = 0.001, 40
# Seconds of compiling the kernels, which is done once for all networks.
COMPILING_KERNELS = 1.0
# Networks that take longer to compile go to the tape, whose kernels are compiled already.
LONG = 2.0
# Seconds that Python and NumPy take for a batch, and for each layer in it, besides arithmetic.
NUMPY_BATCH, NUMPY_LAYER = 3e-6, 1.5e-6
# Seconds that NumPy takes for the many calls of a layer whose rows depend on each other.
NUMPY_ACROSS = 35e-6
# Seconds that NumPy takes for an embedding's table, and for each row's vector in it.
NUMPY_TABLE, NUMPY_VECTOR = 8e-6, 0.1e-6
# Seconds for one number through an activation, forward and backward.
NUMPY_NUMBER = 4e-9
# Operations per second in float64; float32 does twice as many. NumPy's matrix products begin at
# the rate for a single row, and have come half the way to that for large batches at HALFWAY.
NUMPY_ROW, NUMPY_MATRIX, HALFWAY = 2e9, 45e9, 16
NUMPY_CONVOLUTION = 12e9


# The tape: an iteration, a layer in it, a task of a layer; numbers and operations as above, the
# latter in batches of so many rows that the products' tiles are full.
TAPE_BATCH, TAPE_LAYER, TAPE_TASK, ROW_TASKS = 1e-6, 0.3e-6, 0.03e-6, 16
TAPE_NUMBER, TAPE_CONVOLUTION, TAPE_MATRIX, TAPE_FULL = 0.5e-9, 45e9, 50e9, 14

# The estimates are good to some tenths; if they are nearly equal, the function is taken.
CLEARLY = 0.8


def supports(network: Network, optimizer: Optimizer) -> str | None:
    """Why the compiled engine cannot train this, or None if it can."""
    return _ways(network, optimizer).refused


class _Ways(NamedTuple):
    """How the compiled engine can train a network, if at all.

    Args:
        refused: why it cannot.
        generated: whether by a generated function that is not too long.
        compiling: seconds of compiling the function; 0 where there is none.
    """

    refused: str | None
    generated: bool
    compiling: float


class _Costs(NamedTuple):
    """The way that the compiled engine takes, and seconds for one iteration by both engines."""

    way: Way
    numpy: float
    compiled: float


def way(network: Network, optimizer: Optimizer, batch_size: int) -> Way:
    """Whether the compiled engine trains this by a generated function or by kernels."""
    return _costs(network, optimizer, _ways(network, optimizer), batch_size).way


def _ways(network: Network, optimizer: Optimizer) -> _Ways:
    refused = refuses_function(network, optimizer)
    if refused is None:
        compiling = compiling_seconds(network)
        return _Ways(None, compiling <= LONG, compiling)
    if network.size and _refuses_tape(network, optimizer) is None:
        refused = None
    return _Ways(refused, False, 0.0)


def _costs(network: Network, optimizer: Optimizer, ways: _Ways, batch_size: int) -> _Costs:
    numpy, function, tape = _seconds(network, batch_size)
    # The tape is asked last: it takes longer to import than a short run does.
    better = not ways.generated or tape < CLEARLY * function
    by_tape = better and _refuses_tape(network, optimizer) is None
    return _Costs("tape", numpy, tape) if by_tape else _Costs("generated", numpy, function)


@once_for_each
def _seconds(network: Network, batch_size: int) -> tuple[float, float, float]:
    """Seconds of one iteration by the NumPy engine, by a generated function and by kernels."""
    return (
        numpy_seconds(network, batch_size),
        function_seconds(network, batch_size),
        tape_seconds(network, batch_size),
    )


def choose(
    network: Network, optimizer: Optimizer, *, batch_size: int, iterations: int
) -> Literal["numpy", "compiled"]:
    """The engine of `engine: auto`."""
    numpy, compiled = estimate(network, optimizer, batch_size)
    gain = iterations * (numpy - compiled)
    return "compiled" if gain > needed_gain(network, optimizer, batch_size) else "numpy"


def needed_gain(network: Network, optimizer: Optimizer, batch_size: int) -> float:
    """The seconds that a run must gain for `auto` to choose the compiled engine."""
    ways = _ways(network, optimizer)
    if ways.refused is not None:
        return inf
    by_function = _costs(network, optimizer, ways, batch_size).way == "generated"
    return WORTH + (ways.compiling if by_function else COMPILING_KERNELS) / SHARED_BY


def compiling(network: Network, optimizer: Optimizer, batch_size: int) -> float:
    """Seconds of compiling a function for this; 0 for kernels, which all networks share."""
    ways = _ways(network, optimizer)
    by_function = _costs(network, optimizer, ways, batch_size).way == "generated"
    return ways.compiling if by_function else 0.0


def too_large(network: Network) -> str | None:
    """The reason if compiling is needed and would take too long, else None."""
    reason = compiles_too_long(network)
    return reason if reason is not None and _refuses_layers(network) else None


@once_for_each
def why_not_compiled(network: Network) -> str | None:
    """Why NumPy trains a network, as a sentence, if not for a short run.

    Compiling would take too long, or the engine lacks a part of a plugin.
    """
    reason = too_large(network) or _lacks_part(network)
    return f"{reason}, so NumPy trains it" if reason else None


def _lacks_part(network: Network) -> str | None:
    parts = [find("loss", network.loss.type)] if network.loss.type not in LOSSES else []
    part = next(filter(None, [*parts, *map(_without_kernel, network.steps)]), None)
    return None if part is None else f"the compiled engine does not have {part.title}"


def _without_kernel(layer: Layer) -> Part | None:
    """The part of a plugin that a layer is, if there is no kernel for it."""
    part = find("layer", layer.type) or find("activation", layer.type)
    if part is None:
        return None
    from nnrun.engines.tape.layers import EMITTERS  # noqa: PLC0415  # slow to import

    return None if layer.type in EMITTERS else part


def _refuses_tape(network: Network, optimizer: Optimizer) -> str | None:
    if (reason := _refuses_layers(network)) is not None:
        return reason
    if formula_name(optimizer) not in OPTIMIZERS:
        return f"has no optimizer {optimizer.type}"
    return None


@once_for_each
def _refuses_layers(network: Network) -> str | None:
    from nnrun.engines.kernels import KERNELS  # noqa: PLC0415  # slow to import
    from nnrun.engines.tape.layers import refusal  # noqa: PLC0415  # likewise

    if network.loss.type not in KERNELS:
        return f"has no loss {network.loss.type}"
    reasons = (refusal(layer) for layer in network.steps)
    return next((reason for reason in reasons if reason is not None), None)


def estimate(network: Network, optimizer: Optimizer, batch_size: int) -> tuple[float, float]:
    """Seconds for one iteration by the NumPy engine and by the compiled one, roughly."""
    _, numpy, compiled = _costs(network, optimizer, _ways(network, optimizer), batch_size)
    return numpy, compiled


def numpy_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by the NumPy engine, roughly."""
    more = batch_size - 1
    matrix = NUMPY_ROW + NUMPY_MATRIX * more / (more + HALFWAY)
    total = NUMPY_BATCH + NUMPY_LAYER * len(network.steps)
    for layer, work, numbers in work_of(network, batch_size):
        rate = NUMPY_CONVOLUTION if layer.input_kind == "images" else matrix
        total += work / rate if work else numbers * NUMPY_NUMBER
        total += NUMPY_ACROSS if layer.batch_dependent else 0
        if isinstance(layer, Embedding):
            total += len(layer.tables) * (NUMPY_TABLE + batch_size * NUMPY_VECTOR)
    return total


def tape_seconds(network: Network, batch_size: int) -> float:
    """Seconds for one iteration by kernels, roughly."""
    tasks = min(batch_size, ROW_TASKS)
    total = TAPE_BATCH
    for layer, work, numbers in work_of(network, batch_size):
        total += TAPE_LAYER + tasks * TAPE_TASK
        if not work:
            total += numbers * TAPE_NUMBER
        elif layer.input_kind == "images":
            total += work / TAPE_CONVOLUTION
        else:
            total += work / TAPE_MATRIX / min(batch_size / TAPE_FULL, 1)
    return total
