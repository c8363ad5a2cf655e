"""What large weights cost is the same, and changes training alike, whichever engine trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, Adam, Flatten, L2Penalty, conv2d, dense

WAYS = pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
BLOCKS = {
    "few": (lambda: [dense(2, "tanh"), dense(3, "softmax")], (3,)),
    "wide": (lambda: [dense(50, "tanh"), dense(60, "relu"), dense(3, "softmax")], (7,)),
    "images": (
        lambda: [conv2d(4, 3, bias="per_position"), Flatten(), dense(3, "softmax")],
        (2, 5, 5),
    ),
}


@WAYS
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("batch_size", [2, 7, 16])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_engines_agree(
    kind: Any, blocks: str, batch_size: int, dtype: str, task: Any, agree: Any
) -> None:
    """Weights of every kind become those of the NumPy engine."""
    make, shape = BLOCKS[blocks]
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    one = task(make, shape, batch_size=batch_size, iterations=40, rate=0.1, dtype=dtype,
               penalty=L2Penalty(0.3))  # fmt: skip
    agree(one, tolerance, kind=kind)


@WAYS
@pytest.mark.parametrize("clip_norm", [None, 0.05])
@pytest.mark.parametrize("optimizer", [SGD, lambda: SGD(0.9, nesterov=True), Adam])
def test_optimizers_agree(
    kind: Any, optimizer: Any, clip_norm: float | None, task: Any, agree: Any
) -> None:
    """Whatever the optimizer makes of the gradient, clipped or not; single rows too."""
    for batch_size in (1, 5):
        one = task(
            lambda: [dense(9, "tanh"), dense(3, "softmax")], (4,), batch_size=batch_size,
            iterations=40, optimizer=optimizer, clip_norm=clip_norm, penalty=L2Penalty(0.3),
        )  # fmt: skip
        agree(one, kind=kind)


@WAYS
@pytest.mark.parametrize("batch_size", [1, 7])
def test_losses_of_batches_hold_the_cost(kind: Any, batch_size: int, task: Any) -> None:
    """The reported loss of a batch is its loss plus the cost of the weights before its update."""
    one = task(
        lambda: [dense(9, "tanh"), dense(3, "softmax")], (4,), batch_size=batch_size,
        iterations=30, rate=0.1, penalty=L2Penalty(2.0),
    )  # fmt: skip
    batches, reported = one.batches(), []
    for each in (NumpyEngine, kind):
        network, optimizer = one.network(), SGD()
        optimizer.allocate(network.theta)
        more = {} if each is NumpyEngine else {"batch_size": batch_size, "losses": True}
        engine = each(network, optimizer, *one.data(), rng=np.random.default_rng(4), **more)
        losses = np.empty(len(batches))
        engine.run(batches, losses)
        reported.append(losses)
    np.testing.assert_allclose(reported[1], reported[0], rtol=1e-11)
    x, target = one.data()
    rows = batches.rows[: batches.bounds[1]]
    network = one.network()
    loss, _ = network.evaluate(x[rows], target[rows])
    cost = sum((network.parameters[f"{layer}.weight"].value ** 2).sum() for layer in (0, 1))
    assert loss + cost / len(rows) == pytest.approx(reported[0][0], rel=1e-12)
