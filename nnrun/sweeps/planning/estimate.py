"""Estimates of a run's time from its shapes, within a factor of two or three."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from nnrun.data.splits.parts import Sizes
from nnrun.engines.compiled.choice import compiling, needed_gain
from nnrun.engines.compiled.choice import estimate as seconds_per_update
from nnrun.nn.network import Network, once_for_each
from nnrun.nn.signature import Array
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.config_cache import built
from nnrun.runs.preparation.prepared import Prepared

# Processor time with one thread, measured on two busy cores of an Intel Xeon.
_SECONDS_PER_OPERATION = 4e-11  # of a multiplication or an addition, in an evaluation
_SECONDS_PER_NUMBER = 1e-9  # of a layer's output; mostly for activations
_SECONDS_PER_EVALUATION = (2e-4, 3e-5)  # besides its rows, by NumPy and by compiled code
# Of iris with one evaluation: 2.3 ms for preparation, metrics and report, 2.2 ms for storing.
_SECONDS_PER_RUN = 0.0045
# What Python takes for an update beside what the choice of an engine counts: 7 to 29 µs for one to
# three dense layers with SGD or Adam on single rows.
_SECONDS_PER_NUMPY_UPDATE = 1.5e-5
_NEVER = 1e12  # seconds that no run gains; finite, to be multiplied by 0

_SECONDS_TO_BEGIN = {"linear": 0.01, "neighbors": 0.01, "forest": 0.1, "boosting": 0.3, "mlp": 0.3}
_SECONDS_PER_FEATURE = {
    "linear": 1e-6,
    "neighbors": 1e-6,
    "forest": 2e-6,
    "boosting": 1e-5,
    "mlp": 1e-5,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated cost of a run: its updates and parameters, the seconds from its start to its
    report, its memory in bytes, and the seconds of compiling its code, if no other run has.
    """

    iterations: int
    parameters: int
    seconds: float
    memory: int
    compiling: float = 0.0


Number = float | Array
"""Of one run, or of several as an array."""


class Costs(NamedTuple):
    """What a run takes besides how long it is; or several runs.

    Args:
        parameters: of its network.
        memory: in bytes.
        numpy: seconds for an update by the NumPy engine.
        compiled: the same by the compiled one.
        gain: the seconds that the compiled engine must gain to be chosen.
        row: seconds for a row in an evaluation.
        compiling: seconds of compiling the code of the compiled engine.
    """

    parameters: Number
    memory: Number
    numpy: Number
    compiled: Number
    gain: Number
    row: Number
    compiling: Number


class Length(NamedTuple):
    """How long a run is; or several runs.

    Args:
        iterations: of the run.
        planned: those with a training split of the size asked for.
        every: iterations from one evaluation to the next.
        rows: of each split that an evaluation takes at most.
    """

    iterations: Number
    planned: Number
    every: Number
    rows: Number


def estimate(prepared: Prepared) -> Estimate:
    """The estimate for one run on one core."""
    if isinstance(prepared, PreparedBeside):
        return _beside(prepared)
    sizes, costs = prepared.split.sizes, costs_of(prepared)
    counts = prepared.iterations, prepared.planned_iterations, prepared.evaluate_every
    length = Length(*map(float, (*counts, prepared.evaluate_rows or sizes.largest)))
    return Estimate(
        iterations=prepared.iterations,
        parameters=prepared.network.size,
        seconds=float(seconds_of(costs, length, sizes)),
        memory=prepared.memory.total,
        compiling=float(compiling_of(costs, length)),
    )


def costs_of(prepared: Prepared) -> Costs:
    """The costs of a run with a network."""
    config, network = prepared.config.training, prepared.network
    optimizer, wish = built(config.optimizer, prepared.cache.memo), prepared.requested_engine
    gain = {"numpy": _NEVER, "compiled": -_NEVER}.get(wish)
    if gain is None:
        gain = min(needed_gain(network, optimizer, config.batch_size), _NEVER)
    numpy, compiled = seconds_per_update(network, optimizer, config.batch_size)
    memory = prepared.memory.total
    code = compiling(network, optimizer, config.batch_size)
    return Costs(network.size, memory, numpy, compiled, gain, _row(network), code)


def compiling_of(costs: Costs, length: Length) -> Number:
    """Seconds of compiling what a run needs, if nothing is compiled yet."""
    return _where(_is_by_numpy(costs, length), 0.0, costs.compiling)


def seconds_of(costs: Costs, length: Length, sizes: Sizes) -> Number:
    """From the start of a run to its report."""
    on_the_way = -(-length.iterations // length.every) - 1
    parts = (sizes.train, *sizes.held_out)
    each = sum(_where(size < length.rows, size, length.rows) for size in parts)
    rows = sizes.total + on_the_way * each
    by_numpy = _is_by_numpy(costs, length)
    each_update = _where(by_numpy, costs.numpy + _SECONDS_PER_NUMPY_UPDATE, costs.compiled)
    updates = length.iterations * each_update
    evaluations = (on_the_way + 1) * _where(by_numpy, *_SECONDS_PER_EVALUATION)
    return updates + rows * costs.row + evaluations + _SECONDS_PER_RUN


def _is_by_numpy(costs: Costs, length: Length) -> bool | Array:
    return length.planned * (costs.numpy - costs.compiled) <= costs.gain


def _where(condition: bool | Array, yes: Number, no: Number) -> Number:
    """`np.where`, which takes long for single numbers."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def _beside(prepared: PreparedBeside) -> Estimate:
    """By the numbers of the training rows."""
    size = len(prepared.split.train) * prod(prepared.dataset.shape)
    seconds = _SECONDS_PER_RUN + _SECONDS_TO_BEGIN[prepared.model]
    seconds += size * _SECONDS_PER_FEATURE[prepared.model]
    return Estimate(0, 0, seconds, memory=4 * 8 * size)


@once_for_each
def _row(network: Network) -> float:
    """Seconds for one row in an evaluation."""
    return sum(
        layer.flops * _SECONDS_PER_OPERATION + prod(layer.output_shape) * _SECONDS_PER_NUMBER
        for _, layer in network.named_layers()
    )
