"""Estimates of a run's time from its shapes, within a factor of two or three."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from nnrun.engines.choice import compiling
from nnrun.engines.choice import estimate as seconds_per_update
from nnrun.nn.network import Network, once_for_each
from nnrun.runs.preparation.prepare import PreparedBeside
from nnrun.runs.preparation.prepared import Prepared

# Processor time with one thread, measured on two busy cores of an Intel Xeon.
_SECONDS_PER_OPERATION = 4e-11  # of a multiplication or an addition, in an evaluation
_SECONDS_PER_NUMBER = 1e-9  # of a layer's output; mostly for activations
_SECONDS_PER_EVALUATION = 3e-5  # besides its rows, by compiled code
_SECONDS_PER_NUMPY_EVALUATION = 2e-4
# Of iris with one evaluation: 2.3 ms for preparation, metrics and report, 2.2 ms for storing.
_SECONDS_PER_RUN = 0.0045
# What Python takes for an update beside what the choice of an engine counts: 7 to 29 µs for one to
# three dense layers with SGD or Adam on single rows.
_SECONDS_PER_NUMPY_UPDATE = 1.5e-5

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


def estimate(prepared: Prepared) -> Estimate:
    """The estimate for one run on one core."""
    if isinstance(prepared, PreparedBeside):
        return _beside(prepared)
    config, network = prepared.config.training, prepared.network
    sizes, iterations, networks = (
        prepared.split.sizes,
        prepared.iterations,
        prepared.config.networks,
    )
    optimizer = config.make_optimizer()
    numpy, compiled = seconds_per_update(network, optimizer, config.batch_size)
    if prepared.engine == "numpy":
        update, evaluation = numpy + _SECONDS_PER_NUMPY_UPDATE, _SECONDS_PER_NUMPY_EVALUATION
        code = 0.0
    else:
        update, evaluation = compiled, _SECONDS_PER_EVALUATION
        code = compiling(network, optimizer, config.batch_size)
    on_the_way = -(-iterations // prepared.evaluate_every) - 1
    most = prepared.evaluate_rows or sizes.largest
    each = sum(min(size, most) for size in (sizes.train, *sizes.held_out))
    rows = (sizes.total + on_the_way * each) * seconds_per_row(network)
    seconds = networks * (iterations * update + rows + (on_the_way + 1) * evaluation)
    seconds += _SECONDS_PER_RUN
    return Estimate(prepared.updates, network.size, seconds, prepared.memory.total, code)


def _beside(prepared: PreparedBeside) -> Estimate:
    """Estimate for a reference model by the numbers of the training rows."""
    size = len(prepared.split.train) * prod(prepared.dataset.shape)
    seconds = _SECONDS_PER_RUN + _SECONDS_TO_BEGIN[prepared.model]
    seconds += size * _SECONDS_PER_FEATURE[prepared.model]
    return Estimate(0, 0, seconds, memory=4 * 8 * size)


@once_for_each
def seconds_per_row(network: Network) -> float:
    """Seconds for one row in an evaluation."""
    return sum(
        layer.flops * _SECONDS_PER_OPERATION + prod(layer.output_shape) * _SECONDS_PER_NUMBER
        for _, layer in network.named_layers()
    )
