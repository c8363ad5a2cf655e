"""The first update of a run by two engines, compared, and how far rounding may set them apart.

The check uses the very engine that will train, with its machine code, memory and threads, and
restores everything afterwards: it changes no bit of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.engines.numpy_engine import NumpyEngine, evaluate
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng
from nnrun.training.state import copies, copy_into, live_arrays

Key = tuple[str, str]
"""The kind of numbers and their parameter: ("gradient", "0.weight"), ("loss", "")."""

Numbers = dict[Key, Array]

# The share of the range of exponents by which a step is longer than the weights, so that the
# gradient can be computed from their change.
_LONGER = 1 / 3


@dataclass(frozen=True)
class FirstUpdate:
    """The inputs of a run's first update.

    Args:
        rows: of the batch, in the training split.
        others: rows of another batch, which the engine trains on before, so that its memory is no
            longer fresh.
        x: the batch.
        target: its targets.
        dropout: the state of the stream of dropout masks.
        clip_norm: as for the engines.
        losses: whether the engine was built to return the loss of a batch in training mode.
    """

    rows: Array
    others: Array
    x: Array
    target: Array
    dropout: Mapping[str, Any]
    clip_norm: float | None
    losses: bool

    @property
    def stream(self) -> Rng:
        """A generator for the dropout masks of the update."""
        bits: np.random.BitGenerator = np.random.PCG64()
        bits.state = self.dropout
        return np.random.Generator(bits)

    def by_numpy(
        self, network: Network, optimizer: Optimizer, x: Array, target: Array
    ) -> tuple[Numbers, Array]:
        """The NumPy engine's numbers, and the gradient; the weights do not change.

        Args:
            network: initialized; its buffers change.
            optimizer: its settings are used; its arrays do not change.
            x: the batch, in the network's dtype.
            target: its targets, in the same dtype.
        """
        own, batch_loss = copy(optimizer), np.empty(1)
        own.average = None  # that of the run's own network
        own.allocate(network.theta)
        loss, outputs = evaluate(network, x, target)
        engine = NumpyEngine(network, own, x, target, rng=self.stream, clip_norm=self.clip_norm)
        engine.run(_batch(np.arange(len(x)), 0.0), batch_loss)
        found = _evaluated(loss, outputs, batch_loss if self.losses else None)
        return found | _trained(network, own, network.gradient), network.gradient

    def by_engine(
        self, engine: Engine, network: Network, optimizer: Optimizer, dropout: Rng, gradient: Array
    ) -> Numbers:
        """The numbers of a run's engine, before training begins.

        Args:
            engine: built for the network, the optimizer and the training split.
            network: initialized; restored afterwards.
            optimizer: allocated; restored afterwards.
            dropout: the stream that the engine draws from; restored afterwards.
            gradient: NumPy's; the learning rate is chosen so large that the engine's gradient can
                be computed from the change of the weights.
        """
        batch_loss = np.empty(1) if self.losses else None
        loss, outputs = engine.evaluate(self.x, self.target)
        rate = 0.0 if optimizer.state else _readable_rate(network.theta, gradient)
        with _put_back(network, optimizer, dropout):
            engine.run(_batch(self.others, rate), batch_loss)
        with _put_back(network, optimizer, dropout) as theta:
            engine.run(_batch(self.rows, rate), batch_loss)
            found = _evaluated(loss, outputs, batch_loss)
            change = (
                theta if optimizer.state else (theta - network.theta) / network.dtype.type(rate)
            )
            return found | _trained(network, optimizer, change)


def _batch(rows: Array, rate: float) -> Batches:
    return Batches(rows, np.array([0, len(rows)]), np.array([rate]))


def lost(theta: Array, gradient: Array) -> float:
    """The rounding error of a gradient that is computed from the change of weights."""
    size = float(np.abs(theta).max(initial=0))
    return float(np.finfo(theta.dtype).eps) * size / _readable_rate(theta, gradient)


def _readable_rate(theta: Array, gradient: Array) -> float:
    """A learning rate so large that the gradient can be computed from the change of weights.

    It is a power of two, so that products are exact.
    """
    size, largest = (float(np.abs(array).max(initial=0)) for array in (theta, gradient))
    if not largest:
        return 1.0
    most = np.finfo(theta.dtype).maxexp
    exponent = round(log2(size or 1.0) - log2(largest) + most * _LONGER)
    return 2.0 ** min(max(exponent, -most // 2), most // 2)


def _evaluated(loss: float, outputs: Array, batch_loss: Array | None) -> Numbers:
    found = {("loss", ""): np.array([loss]), ("outputs", ""): outputs}
    return found if batch_loss is None else {**found, ("training loss", ""): batch_loss}


def _trained(network: Network, optimizer: Optimizer, gradient: Array) -> Numbers:
    """The results of an update: the optimizer's arrays, or the gradient if it has none; buffers."""
    vectors = optimizer.state or {"gradient": gradient}
    found: Numbers = {}
    for kind, vector in vectors.items():
        start = 0
        for name, parameter in network.parameters.items():
            found[kind, name] = vector[start : start + parameter.size].copy()
            start += parameter.size
    for name, array in network.buffers.items():
        found[name, ""] = array.copy()
    return found


@contextmanager
def _put_back(network: Network, optimizer: Optimizer, dropout: Rng) -> Iterator[Array]:
    """Restore everything that an update changes; yields the weights from before."""
    live, steps, state = (
        live_arrays(network, optimizer),
        optimizer.steps,
        dropout.bit_generator.state,
    )
    saved = copies(live)
    try:
        yield saved["theta"]
    finally:
        copy_into(live, saved)
        optimizer.steps = steps
        dropout.bit_generator.state = state


# How far rounding may change the numbers of an update.
#
# Two correct engines differ by rounding: in the order of their sums, and in the last digits of
# their functions. In a sum of n terms each term is off by a factor 1 + δ with |δ| ≤ λ √n ε, except
# with a probability below 2 n exp(-λ²/2), for independent errors: Higham and Mary, SIAM J. Sci.
# Comput. 41 (2019). With λ = 16 the exception never happens in practice.
#
# Where that is exceeded, NumPy repeats the update with data, parameters and outputs of layers that
# are moved by as much. The spread of the results shows how far rounding can move them, whatever the
# network does to errors: saturation, cancellation, depth. This is Monte Carlo arithmetic: Parker,
# UCLA CSD-970002 (1997). Kinks need no special treatment: a ReLU whose input is zero up to
# rounding, or two equal numbers in a max-pooling window, fall to either side at random.

_LAMBDA = 16
# Moves of random size are at least this power of two times the full size.
_SMALLEST = -12


def roundings(network: Network, rows: int) -> tuple[float, float]:
    """λ √n ε for the longest sums of a batch with this many rows, forward and backward."""
    forward = backward = 1.0
    for layer in network.steps:
        pixels = max(prod(layer.input_shape[1:]), prod(layer.output_shape[1:]))
        forward = max(forward, layer.flops / (2 * prod(layer.output_shape)))
        backward = max(backward, layer.flops / (2 * prod(layer.input_shape)), rows * pixels)
        if layer.batch_dependent:
            forward = max(forward, rows * pixels)
    unit = _LAMBDA * float(np.finfo(network.dtype).eps)
    return unit * forward**0.5, unit * backward**0.5


def moved(update: FirstUpdate, network: Network, optimizer: Optimizer, rng: Rng) -> Numbers:
    """The numbers of the update with all numbers on the way forward moved at random."""
    rounding, _ = roundings(network, len(update.x))
    twin, x, target = network.copy(), update.x.copy(), update.target.copy()

    def move(numbers: Array, size: Array) -> None:
        numbers += (rounding * size * _noise(numbers.shape, rng)).astype(numbers.dtype)

    def moving(forward: Callable[..., Array]) -> Callable[..., Array]:
        def moved_output(x: Array, *more: Any) -> Array:
            y: Array = forward(x, *more)
            move(y, np.abs(y))  # in place: the layer may keep it for its backward pass
            return y

        return moved_output

    for parameter in twin.parameters.values():
        # Kernels that transform weights mix those of one array.
        move(parameter.value, np.abs(parameter.value).max(initial=0))
    for _, layer in twin.named_layers():
        vars(layer)["forward"] = moving(layer.forward)
    for numbers in (x, target):
        move(numbers, np.abs(numbers))
    return update.by_numpy(twin, optimizer, x, target)[0]


def _noise(shape: tuple[int, ...], rng: Rng) -> Array:
    """Random numbers between -1 and 1; of random size, or none, in two of three arrays.

    A large rounding may hide the effect of another, as when a variance is pure rounding and
    divides.
    """
    scale: float = rng.choice([0.0, 2.0 ** rng.integers(_SMALLEST, 1), 1.0])
    return rng.uniform(-1, 1, shape) * scale


# The first update of a run by two engines, compared.

# Larger batches are cut to this many rows, or to an eighth and one: enough for several tasks of
# the compiled engine, which has 16 for a batch, and for one that is not full.
_ROWS, _PART = 17, 8
# The number of random roundings tried to explain a difference. A number at a kink falls to either
# side with about even chances in each. They sample the effect of rounding and do not bound it, so
# a multiple of the largest effect seen is allowed.
_SAMPLES, _ALLOWED = 96, 10


@dataclass(frozen=True)
class Disagreement:
    """A number of the first update on which two engines disagree.

    Args:
        what: its name, such as `gradient of 2.weight` or `loss`.
        found: the engine's value.
        expected: NumPy's value.
        rounding: the difference that rounding allows.
    """

    what: str
    found: float
    expected: float
    rounding: float


def compare_engines(
    engine: Engine,
    network: Network,
    optimizer: Optimizer,
    x: Array,
    target: Array,
    *,
    batches: Batches,
    dropout: Rng,
    clip_norm: float | None,
    losses: bool,
) -> Disagreement | None:
    """Make the first update of a run by an engine and by NumPy, compare, and restore everything.

    The loss and the outputs of the batch, the gradient of every parameter and the buffers of layers
    are compared. If NumPy's numbers are not finite, nothing is compared: where training overflows
    depends on the order of operations, and is reported as divergence.

    Args:
        engine: built for the network, the optimizer and the training split.
        network: initialized.
        optimizer: allocated for it.
        x: rows of the training split.
        target: their targets.
        batches: the first two.
        dropout: the stream of dropout masks that the engine draws from.
        clip_norm: as for the engine.
        losses: whether the engine was built to return the losses of batches.

    Returns:
        The first number that differs beyond rounding, if any.
    """
    rows, others = (_few(batches, number) for number in (0, 1))
    state = dropout.bit_generator.state
    update = FirstUpdate(rows, others, x[rows], target[rows], state, clip_norm, losses)
    with np.errstate(all="ignore"):
        plain = network.copy()
        expected, gradient = update.by_numpy(plain, optimizer, update.x, update.target)
        if not _finite(expected):
            return None
        found = update.by_engine(engine, network, optimizer, dropout, gradient)
        near = _near(expected, sum(roundings(network, len(rows))))
        if _agree(found, expected, near):
            return None
        unread = lost(network.theta, gradient)
        near = {key: size + unread * (key[0] == "gradient") for key, size in near.items()}
        del plain, gradient
        rng = np.random.default_rng(0)
        samples = (moved(update, network, optimizer, rng) for _ in range(_SAMPLES))
        return _unexplained(found, expected, near, samples)


def _few(batches: Batches, number: int) -> Array:
    start, end = batches.bounds[number : number + 2]
    rows: Array = batches.rows[start:end]
    return rows[: max(_ROWS, len(rows) // _PART + 1)]


def _finite(numbers: Numbers) -> bool:
    return all(np.isfinite(array).all() for array in numbers.values())


def _near(expected: Numbers, rounding: float) -> dict[Key, float]:
    """The rounding error of sums, relative to the largest numbers of the same kind.

    Smaller differences are always accepted. The weights and biases of a layer are of one kind: if
    a bias has no effect, as before batch normalisation, its gradient is pure rounding. So is that
    of a weight whose inputs are all zero, in kernels that transform it together with others.
    """
    largest: dict[Key, float] = {}
    for key, array in expected.items():
        kind = _kind(key)
        largest[kind] = max(largest.get(kind, 0.0), float(np.abs(array).max(initial=0)))
    return {key: rounding * largest[_kind(key)] for key in expected}


def _agree(found: Numbers, expected: Numbers, near: dict[Key, float]) -> bool:
    return all((np.abs(found[key] - expected[key]) <= near[key]).all() for key in expected)


def _kind(key: Key) -> Key:
    what, name = key
    return what, name.rpartition(".")[0]


def _unexplained(
    found: Numbers, expected: Numbers, near: dict[Key, float], samples: Iterator[Numbers]
) -> Disagreement | None:
    """A number farther from NumPy's than the spread of the samples explains."""
    tiny = float(np.finfo(found["outputs", ""].dtype).tiny) ** 0.5
    apart = {key: np.abs(found[key] - expected[key]) for key in expected}
    spread = {key: np.zeros_like(array) for key, array in expected.items()}
    allowed: Numbers = {}
    for sample in samples:
        if not _finite(sample):
            return None  # so large that intermediate results may overflow
        for key, array in sample.items():
            np.maximum(spread[key], np.abs(array - expected[key]), out=spread[key])
            allowed[key] = near[key] + _ALLOWED * spread[key] + tiny
        if all((apart[key] <= allowed[key]).all() for key in expected):
            return None
    key = next(key for key in expected if not (apart[key] <= allowed[key]).all())
    beyond = np.where(apart[key] <= allowed[key], -1, np.nan_to_num(apart[key], nan=np.inf))
    place, (what, name) = int(beyond.argmax()), key
    return Disagreement(
        f"{what} of {name}" if name else what,
        float(found[key].flat[place]),
        float(expected[key].flat[place]),
        float(allowed[key].flat[place]),
    )
