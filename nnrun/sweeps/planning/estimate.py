"""Estimates of a run's time from its shapes, within a factor of two or three."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from nnrun.engines.compiled.choice import estimate as seconds_per_update
from nnrun.nn.network import Network, once_for_each
from nnrun.runs.preparation.beside import PreparedBeside
from nnrun.runs.preparation.config_cache import built
from nnrun.runs.preparation.prepared import Prepared

# Measured on a 2-core AMD EPYC machine with one thread.
_SECONDS_PER_OPERATION = 2e-11  # of a multiplication or an addition, in an evaluation
_SECONDS_PER_NUMBER = 6e-10  # of a layer's output; mostly for activations
_SECONDS_PER_EVALUATION = {"numpy": 2e-4, "compiled": 3e-5}  # besides its rows, by engine
_SECONDS_PER_RUN = 0.003  # preparation, metrics, report

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
    report, and its memory in bytes.
    """

    iterations: int
    parameters: int
    seconds: float
    memory: int


def estimate(prepared: Prepared) -> Estimate:
    """The estimate for one run on one core."""
    if isinstance(prepared, PreparedBeside):
        return _beside(prepared)
    config, iterations, network = prepared.config.training, prepared.iterations, prepared.network
    optimizer = built(config.optimizer, prepared.cache.memo)
    by_numpy, compiled = seconds_per_update(network, optimizer, config.batch_size)
    update = by_numpy if prepared.engine == "numpy" else compiled
    parts = (prepared.split.train, prepared.split.validation, prepared.split.test)
    sizes = [len(part) for part in parts if part is not None]
    on_the_way = -(-iterations // prepared.evaluate_every) - 1
    most = prepared.evaluate_rows or max(sizes)
    evaluated = sum(sizes) + on_the_way * sum(min(size, most) for size in sizes)
    evaluations = (on_the_way + 1) * _SECONDS_PER_EVALUATION[prepared.engine]
    return Estimate(
        iterations=iterations,
        parameters=network.size,
        seconds=iterations * update + evaluated * _row(network) + evaluations + _SECONDS_PER_RUN,
        memory=prepared.memory.total,
    )


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
