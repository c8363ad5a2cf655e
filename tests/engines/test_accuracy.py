"""Slopes and losses that are nearly zero keep their digits, in every engine and both precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Bias, BinaryCrossEntropy, MeanAbsolute, Network, activation

ENGINES = [NumpyEngine, CompiledEngine, TapeEngine]
DTYPES = ["float64", "float32"]


def engine_on(kind: Any, network: Network, x: np.ndarray, target: np.ndarray) -> Any:
    """An engine for batches of all rows, with parameters that are zero."""
    network.initialize(rng=np.random.default_rng(0))
    network.theta[:] = 0
    optimizer = SGD()
    optimizer.allocate(network.theta)
    more = {} if kind is NumpyEngine else {"batch_size": len(x)}
    return kind(network, optimizer, x, target, rng=np.random.default_rng(0), **more)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ENGINES)
def test_the_slope_of_elu_is_exp(kind: Any, dtype: str) -> None:
    """Left of zero, where f(x) is nearly -1, the gradient is exp(x) within four ulp.

    A bias of 0 becomes minus its gradient: a mean over 64 outputs has slopes of 1 / 64.
    """
    x = np.linspace(-80, 0, 64).astype(dtype)[None]
    network = Network([Bias(), activation("elu")], MeanAbsolute(), (64,), dtype)
    engine = engine_on(kind, network, x, np.full_like(x, -2))
    engine.run(Batches(np.zeros(1, np.int64), np.array([0, 1]), np.array([64.0])))
    expected = np.exp(x[0].astype(np.longdouble))
    error = np.abs(-network.theta - expected) / np.spacing(expected.astype(dtype))
    assert error.max() <= 4


@pytest.mark.parametrize(("dtype", "farthest"), [("float64", 700), ("float32", 87)])
@pytest.mark.parametrize("kind", ENGINES)
def test_binary_cross_entropy_of_confident_rows(kind: Any, dtype: str, farthest: int) -> None:
    """Of right answers of any certainty and both labels the loss has all of its digits."""
    network = Network([Bias(), activation("sigmoid")], BinaryCrossEntropy(), (1,), dtype)
    size = np.linspace(0, farthest, 141).astype(dtype)
    for sign in (1, -1):
        x, target = sign * size[:, None], np.full((len(size), 1), sign > 0, dtype)
        engine = engine_on(kind, network, x, target)
        actual = [engine.evaluate(x[i : i + 1], target[i : i + 1])[0] for i in range(len(x))]
        expected = np.log1p(np.exp(-size.astype(np.longdouble)))
        error = np.abs(np.array(actual) / expected - 1)
        assert error.max() <= (1e-14 if dtype == "float64" else 5e-7)
