"""Training by kernels that skip zeros: what comes out is what it was, to the bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nnrun.engines.kernels import KERNELS, sizes
from nnrun.engines.tape.engine import TapeEngine, kernels_of
from nnrun.engines.tape.network import training
from nnrun.nn import SGD, Adam, BatchNorm, Dropout, Flatten, MaxPool2d, Residual, conv2d, dense
from tests.engines.conftest import bits, part

SKIPPING = {name for name in KERNELS if name == "nonzeros" or name.startswith("sparse_")}
NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "relu": (lambda: [dense(150, "relu"), dense(100, "relu"), dense(3, "softmax")], (70,)),
    "tanh": (lambda: [dense(150, "tanh"), dense(100, "tanh"), dense(3, "softmax")], (70,)),
    "one side": (lambda: [dense(9, "relu"), dense(90, "tanh"), dense(70, "relu"),
                          Dropout(0.5), dense(3, "softmax")], (9,)),
    "images": (lambda: [conv2d(9, 3, activation="relu"), MaxPool2d(2), Flatten(), Dropout(0.6),
                        dense(65, "relu"), BatchNorm(), dense(3, "softmax")], (1, 10, 11)),
    "residual": (lambda: [dense(70, "relu"), Residual([dense(90, "relu"), dense(70, "relu")]),
                          dense(3, "softmax")], (20,)),
}  # fmt: skip
OPTIMIZERS = {"sgd": SGD, "adam": Adam}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let zeros be looked for in small networks too."""
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda *sizes: True)


def made(task: Any, name: str, dtype: str = "float64", optimizer: str = "sgd") -> Any:
    blocks, shape = NETWORKS[name]
    rate = 0.1 if optimizer == "sgd" else 0.001
    return task(
        blocks, shape, optimizer=OPTIMIZERS[optimizer], dtype=dtype, batch_size=33,
        iterations=10, rate=rate,
    )  # fmt: skip


def trained(given: Any, threads: int = 1, cuts: tuple[int, ...] = (0, 10)) -> list[bytes]:
    """The bits of all that training changes, and of what is then put out for other rows."""
    engine = given.engine(TapeEngine, threads=threads)
    for first, last in pairwise(cuts):
        rng, settings = engine.rng, {"batch_size": 33, "threads": threads}
        engine = TapeEngine(engine.network, engine.optimizer, *given.data(), rng=rng, **settings)
        engine.run(part(given.batches(), first, last))
        _, outputs = engine.evaluate(*given.data())
    return [*bits(engine), outputs.tobytes()]


@pytest.mark.parametrize(("dtype", "optimizer"), [("float32", "sgd"), ("float64", "adam")])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_are_those_of_all_products(
    name: str, dtype: str, optimizer: str, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any number of threads, whichever of them finds the zeros."""
    given = made(task, name, dtype, optimizer)
    expected = trained(given)
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda *sizes: True)
    found = {threads: trained(given, threads) for threads in (1, 2, 3, 16)}
    assert dict.fromkeys(found, expected) == found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_which_one_factor_is_looked_at(
    task: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a layer's weights are changed by tiles and read by strips for dx, or the other way
    round.
    """

    def blocks() -> list[Any]:
        return [*(dense(width, "relu") for width in (100, 150, 100)), dense(3, "softmax")]

    given = task(blocks, (70,), dtype=dtype, batch_size=33, iterations=10, rate=0.1)
    expected = trained(given)
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda rows, terms, numbers, dtype: numbers == 150)
    found = {threads: trained(given, threads) for threads in (1, 2, 16)}
    assert dict.fromkeys(found, expected) == found


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("name", NETWORKS)
def test_interrupted_is_uninterrupted(name: str, task: Any) -> None:
    """An engine that goes on where another one was stopped knows nothing of zeros seen before."""
    given = made(task, name, "float32", "adam")
    assert trained(given) == trained(given, cuts=(0, 1, 4, 9, 10))


@pytest.mark.parametrize(
    ("sizes", "batch_size", "looked_for"),
    [
        ((300, 256), 64, True),
        ((300, 256), 1, False),
        ((3000, 2560), 15, False),
        ((40000, 10), 64, False),
        ((300, 63), 64, False),
    ],
    ids=str,
)
def test_where_zeros_are_looked_for(
    task: Any, sizes: tuple[int, int], batch_size: int, looked_for: bool
) -> None:
    """In batches, where there are many products with each number: by the sizes alone."""
    inputs, width = sizes
    given = task(lambda: [dense(width, "relu"), dense(width, "tanh"), dense(3)], (inputs,))
    plan = training(given.network(), SGD(), clip_norm=None, batch_size=batch_size)
    assert (SKIPPING if looked_for else set()) == SKIPPING & kernels_of(plan)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_weights_that_are_not_finite_stay_so(number: float, task: Any) -> None:
    """A weight that nothing but zeros meets is not changed, nor hidden: it is still there."""
    given = made(task, "relu")
    network, optimizer = given.network(), given.optimizer()
    x, target = given.data()
    x[:, 5] = 0
    network.parameters["0.weight"].value[5, 7] = number
    optimizer.allocate(network.theta)
    engine = TapeEngine(
        network, optimizer, np.maximum(x, 0), target, rng=np.random.default_rng(4), batch_size=33
    )
    engine.run(given.batches())
    assert [[5, 7]] == np.argwhere(~np.isfinite(network.parameters["0.weight"].value)).tolist()
