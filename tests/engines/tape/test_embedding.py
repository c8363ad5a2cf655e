"""Embeddings by kernels train as the NumPy engine does, with the same bits by any threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from nnrun.engines.choice import supports, way
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam, Dropout, dense
from nnrun.nn.embedding import Embedding, Table
from tests.engines.conftest import Task, numbers
from tests.engines.guards import SIDES, apart, guarded

# The second table has more entries than one task takes.
TABLES = (Table(1, 5, 3), Table(4, 700, 2), Table(5, 2, 1))
OPTIMIZERS = [SGD, partial(SGD, momentum=0.9, weight_decay=0.01), Adam]


def blocks() -> list[Any]:
    return [[Embedding(TABLES), *dense(9, "tanh")], Dropout(0.2), dense(3, "softmax")]


@dataclass
class Coded(Task):
    """A task with numbers of categories among its features."""

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        x, target = super().data()
        rng = np.random.default_rng(7)
        for table in TABLES:
            x[:, table.place] = rng.integers(table.entries, size=len(x))
        return x, target


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 13])
def test_both_engines_agree(optimizer: Any, batch_size: int, agree: Any) -> None:
    """With plain descent, and with gradients that an optimizer uses."""
    more = {"optimizer": optimizer, "batch_size": batch_size, "iterations": 60, "rate": 0.1}
    agree(Coded(blocks, (7,), **more), kind=TapeEngine)
    agree(Coded(blocks, (7,), **more, clip_norm=0.1), kind=TapeEngine)


def test_float32(agree: Any) -> None:
    """In single precision the engines agree to single precision."""
    one = Coded(blocks, (7,), batch_size=8, iterations=60, rate=0.1, dtype="float32")
    agree(one, kind=TapeEngine, tolerance=2e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_threads_change_no_bit(optimizer: Any) -> None:
    """Each entry is the work of one task, which adds up rows in their order."""
    one = Coded(blocks, (7,), optimizer=optimizer, batch_size=40, iterations=30, rate=0.1)
    expected = numbers(one.train(TapeEngine))
    for threads in (2, 3):
        found = numbers(one.train(partial(TapeEngine, threads=threads)))
        for name, array in expected.items():
            np.testing.assert_array_equal(array, found[name])


@pytest.mark.parametrize("kind", [TapeEngine, partial(TapeEngine, threads=3)])
@pytest.mark.parametrize("side", SIDES)
def test_kernels_keep_to_their_arrays(kind: Any, side: Any) -> None:
    """Every array is between pages that fault, and holds NaN where nothing was written."""
    one = Coded(blocks, (7,), optimizer=Adam, batch_size=13, iterations=20, rate=0.1)

    def run() -> Any:
        with guarded(side):
            engine = one.train(kind)
            return engine.evaluate(*one.data())[0], engine.network.theta

    loss, theta = apart(run)
    assert np.isfinite(loss)
    assert np.isfinite(theta).all()


def test_kernels_train_them_and_functions_do_not() -> None:
    """The compiled engine has them, whatever the size of the network."""
    network = Coded(blocks, (7,)).network()
    assert (None, "tape") == (supports(network, SGD()), way(network, SGD(), 1))
