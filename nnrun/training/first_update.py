"""The first update of a run by two engines, compared."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from nnrun.engines.base import Batches, Engine
from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array, Rng
from nnrun.training.rounding import FirstUpdate, Key, Numbers, Rounded, lost, roundings

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
        return _unexplained(found, expected, near, Rounded(update, network, optimizer))


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
    found: Numbers, expected: Numbers, near: dict[Key, float], rounded: Rounded
) -> Disagreement | None:
    """A number farther from the exact one than NumPy's rounding and random roundings explain."""
    exact = rounded.exact()
    precision = np.finfo(found["outputs", ""].dtype)
    if not _finite(exact) or rounded.largest > float(precision.max) ** 0.5:
        return None  # so large that intermediate results may overflow
    apart = {key: np.abs(found[key].astype(np.float64) - exact[key]) for key in exact}
    spread = {key: np.abs(expected[key] - exact[key]) for key in exact}
    allowed: Numbers = {}
    for sample in islice(rounded.samples(), _SAMPLES):
        for key, array in sample.items():
            np.fmax(spread[key], np.abs(array - exact[key]), out=spread[key])
            allowed[key] = near[key] + _ALLOWED * spread[key] + float(precision.tiny) ** 0.5
        if all((apart[key] <= allowed[key]).all() for key in exact):
            return None
    key = next(key for key in exact if not (apart[key] <= allowed[key]).all())
    beyond = np.where(apart[key] <= allowed[key], -1, np.nan_to_num(apart[key], nan=np.inf))
    place, (what, name) = int(beyond.argmax()), key
    return Disagreement(
        f"{what} of {name}" if name else what,
        float(found[key].flat[place]),
        float(exact[key].flat[place]),
        float(allowed[key].flat[place]),
    )
