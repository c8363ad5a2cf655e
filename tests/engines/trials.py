"""Trials of random networks: what the compiled engine gets wrong, in words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod, sqrt
from typing import Any
from unittest.mock import patch

import numpy as np

from nnrun.engines.base import Batches
from nnrun.engines.choice import refuses_function
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.kernels import KERNELS, load, sizes
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import Network
from nnrun.nn.layer import Layer
from tests.architectures.trial import Trial
from tests.engines.guards import SIDES, GuardError, Side, apart, guarded

Outcome = dict[str, np.ndarray]
# Rounding errors are as good as independent: the sum of n numbers is off by no more than
# λ sqrt(n) ε of what it adds up but for a chance of 2 exp(-λ²/2), which is 3e-14 for 8 (Higham and
# Mary, SIAM J. Sci. Comput. 41, 2019).
LAMBDA = 8.0
TRIES = 3
SUMS = {"matmul", "convolution"}


def outcome(engine: Any, batches: Batches, *, with_losses: bool) -> Outcome:
    """Train and evaluate by an engine; all resulting numbers by name."""
    network, losses = engine.network, np.zeros(len(batches))
    engine.run(batches, losses if with_losses else None)
    loss, outputs = engine.evaluate(engine.x.reshape(-1, *network.input_shape), engine.target)
    found = {name: one.value.copy() for name, one in network.parameters.items()}
    found |= {name: array.copy() for name, array in network.buffers.items()}
    found |= {f"optimizer {name}": array.copy() for name, array in engine.optimizer.state.items()}
    found |= {"loss": np.array(loss), "outputs": outputs.copy()}
    return found | {"losses": losses, "steps": np.array(engine.optimizer.steps)}


def made(trial: Trial, kind: Callable[..., Any], **more: Any) -> Any:
    """An engine at the beginning of the trial."""
    network, optimizer = trial.network(), trial.optimizer()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(trial.seed + 3)
    return kind(network, optimizer, *trial.data(), rng=rng, clip_norm=trial.clip_norm, **more)


def reference(trial: Trial, roughened: int | None = None) -> Outcome:
    """The results of the NumPy engine.

    With a seed, all numbers that layers pass on, forward or back, are moved up or down by ε: of
    themselves, or of the largest of the array where they are sums of products. There algorithms
    such as Winograd's are no more exact than that.
    """
    engine = made(trial, NumpyEngine)
    if roughened is not None:
        _roughen(engine.network, np.random.default_rng(roughened))
    with np.errstate(all="ignore"):
        return outcome(engine, trial.batches(), with_losses=trial.with_losses)


def _roughen(network: Network, rng: np.random.Generator) -> None:
    def move(y: np.ndarray, size: Any) -> None:
        epsilon = np.finfo(y.dtype).eps
        y += epsilon * size * (rng.integers(2, size=y.shape) * 2 - 1).astype(y.dtype)

    def moved(function: Callable[..., np.ndarray], layer: Layer) -> Callable[..., np.ndarray]:
        def rough(x: np.ndarray, *more: Any) -> np.ndarray:
            y = function(x, *more)
            if not np.may_share_memory(x, y):  # else nothing was computed, as by flatten
                move(y, _size(y) if layer.type in SUMS else y)
            if function.__name__ == "backward":
                for parameter in layer.parameters:
                    move(parameter.grad, _size(parameter.grad))
            return y

        return rough

    move(network.theta, network.theta)
    for layer in network.steps:
        layer.forward = moved(layer.forward, layer)  # type: ignore[method-assign]
        layer.backward = moved(layer.backward, layer)  # type: ignore[method-assign]


def longest_sum(network: Network, batch_size: int) -> int:
    """Numbers in the longest sum of a training step."""
    return max(_longest(layer, batch_size) for layer in network.steps)


def _longest(layer: Layer, batch_size: int) -> int:
    """Over what comes in for one number, over what it goes to, or over a batch and its pixels."""
    sizes = [one.size // min(one.shape[:2]) for one in layer.parameters if len(one.shape) > 1]
    return max(0, *sizes, batch_size * prod(layer.output_shape[1:]))


def misfits(trial: Trial, expected: Outcome, actual: Outcome) -> list[str]:
    """The numbers that differ by more than rounding, with the difference and its bound.

    The bound is what roughened trainings differ by, once for every rounding error of the longest
    sum; before any is made, rounding that grows no more than eightfold is let pass. A training that
    diverges out of the range of numbers must do so by both engines.
    """
    if not _is_finite(expected):
        return ["finite, but not by NumPy"] if _is_finite(actual) else []
    network = trial.network()
    factor = LAMBDA * sqrt(longest_sum(network, trial.batch_size))
    smallest = factor * float(np.finfo(trial.dtype).eps)
    sizes = {name: _size(array) for name, array in expected.items()}
    for name in ("loss", "losses"):  # differences of numbers that may be much larger
        sizes[name] = max(sizes[name], 1.0)
    bounds = {name: smallest * LAMBDA * size for name, size in sizes.items()}
    if not _beyond(bounds, expected, actual):
        return []
    roughened = [reference(trial, seed) for seed in range(TRIES)]
    for name, array in expected.items():
        drift = max(_apart(array, one[name]) for one in roughened)
        bounds[name] = max(bounds[name], factor * drift)
    return _beyond(bounds, expected, actual)


def _beyond(bounds: dict[str, float], expected: Outcome, actual: Outcome) -> list[str]:
    assert expected.keys() == actual.keys()
    apart = {name: _apart(array, actual[name]) for name, array in expected.items()}
    return [
        f"{name}: {apart[name]:.1e} apart, {bounds[name]:.1e} allowed"
        for name in expected
        if not apart[name] <= bounds[name]
    ]


def _is_finite(numbers: Outcome) -> bool:
    return all(np.isfinite(array).all() for array in numbers.values())


def _size(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0))


def _apart(expected: np.ndarray, actual: np.ndarray) -> float:
    """The largest difference; inf where one has a number and the other has none."""
    assert (expected.shape, expected.dtype) == (actual.shape, actual.dtype)
    if not np.array_equal(np.isfinite(expected), np.isfinite(actual)):
        return float("inf")
    finite = np.isfinite(expected)
    return _size(expected[finite].astype(float) - actual[finite])


# Each function takes LLVM most of a second, kernels are compiled once: of this many trials, one is
# also made by a function of its own.
FUNCTIONS = 40


def faults(trial: Trial) -> list[str]:
    """What is wrong; nothing if the engine's two ways agree with the NumPy engine to rounding, and
    train to the same bits twice, with arrays that begin or end at guard pages, on any threads.
    """
    expected = reference(trial)
    with _zeros_looked_for(trial.skips):
        twice = [
            _trained(trial, TapeEngine, side, threads=threads)
            for side, threads in zip(SIDES, (1, trial.threads), strict=True)
        ]
    found = _compared("tape", trial, expected, twice)
    if trial.index % FUNCTIONS == 0 and not refuses_function(trial.network(), trial.optimizer()):
        twice = [_trained(trial, CompiledEngine, side) for side in SIDES]
        found += _compared("function", trial, expected, twice)
    return found


def faults_of(trials: Sequence[Trial]) -> dict[str, list[str]]:
    """The faults of those that have some, by the trials in words.

    They run in a process of their own, since a touch of a guard page ends it.
    """
    for dtype in {trial.dtype for trial in trials}:
        load.addresses(KERNELS, dtype)  # linked here, they need not be in each of the processes
    found: dict[str, list[str]] = {}
    left = list(trials)
    while left:
        try:
            found |= apart(partial(_all, left))
            break
        except GuardError as error:
            left, ended = _split(left, str(error))
            found[str(ended)] = [str(error)]
    return found


def _all(trials: Sequence[Trial]) -> dict[str, list[str]]:
    found = {}
    for trial in trials:
        os.write(2, f"in {trial.name}\n".encode())
        try:
            wrong = faults(trial)
        except Exception:  # whatever it is, the others are tried too
            wrong = [traceback.format_exc()]
        if wrong:
            found[str(trial)] = wrong
    return found


def _split(trials: Sequence[Trial], text: str) -> tuple[list[Trial], Trial]:
    """The trials after the last one that the text names, and that one."""
    last = max(place for place, trial in enumerate(trials) if f"in {trial.name}\n" in text)
    return list(trials[last + 1 :]), trials[last]


def _trained(trial: Trial, kind: Callable[..., Any], side: Side, **more: Any) -> Outcome:
    with guarded(side):
        engine = made(trial, kind, batch_size=trial.batch_size, losses=trial.with_losses, **more)
        return outcome(engine, trial.batches(), with_losses=trial.with_losses)


def _compared(way: str, trial: Trial, expected: Outcome, twice: Sequence[Outcome]) -> list[str]:
    found = [f"{way}: {text}" for text in misfits(trial, expected, twice[0])]
    for name in expected:
        first, second = (one[name] for one in twice)
        if first.tobytes() != second.tobytes():
            found.append(f"{way}: {name} has other bits the second time")
    return found


@contextmanager
def _zeros_looked_for(everywhere: bool) -> Iterator[None]:
    if not everywhere:
        yield
        return
    with patch.object(sizes, "may_skip_zeros", lambda *sizes: True):
        yield
