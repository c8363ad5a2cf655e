"""Kernels have as much scratch memory as they use, however large the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.engine import Encoded, Memory, TapeEngine
from nnrun.nn import SGD, Flatten, MeanSquared, Network, conv2d, dense
from tests.engines.guards import apart, guarded
from tests.engines.trained import shuffled, trained

# Input shapes, layers, dtypes: tables of more entries than a megabyte holds.
LARGE: dict[str, Any] = {
    "kernel of 9": ((2048, 9, 9), lambda: [conv2d(8, 9, activation="tanh")], "float32"),
    "kernel of 16": ((2000, 16, 16), lambda: [conv2d(8, 16, activation="tanh")], "float32"),
    "the last that fits": ((131_056, 1, 1), lambda: [conv2d(8, 1)], "float64"),
    "the first that does not": ((131_057, 1, 1), lambda: [conv2d(8, 1)], "float64"),
    "many channels": ((140_000, 1, 1), lambda: [conv2d(8, 1, activation="tanh")], "float32"),
    "many units": ((3, 1, 1), lambda: [conv2d(2, 1), conv2d(140_000, 1)], "float32"),
    "many units at Winograd's": (
        (3, 3, 3),
        lambda: [conv2d(16, 1), conv2d(300, 3, padding="same")],
        "float64",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_tables(name: str) -> None:
    """Convolutions of many taps or channels end where NumPy's do, within their own memory."""
    shape, blocks, dtype = LARGE[name]
    rng = np.random.default_rng(0)
    rows, batch_size = (20, 8) if name == "kernel of 9" else (3, 2)
    x, target = rng.standard_normal((rows, *shape)), rng.standard_normal((rows, 1))
    data = x.astype(dtype), target.astype(dtype)
    batches = shuffled(rows, batch_size, 2, 1e-4)

    def ends(kind: Any) -> tuple[float, np.ndarray]:
        network = Network([*blocks(), Flatten(), dense(1)], MeanSquared(), shape, dtype)
        return trained(kind, network, SGD(), data, batches)

    def by_tape() -> tuple[float, np.ndarray]:
        with guarded("end"):
            return ends(TapeEngine)

    expected, theta = ends(NumpyEngine)
    loss, actual = apart(by_tape)
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    assert expected == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(actual, theta, rtol=0, atol=tolerance * np.abs(theta).max())


def test_a_thread_with_less_is_refused() -> None:
    """A tape is not encoded for less scratch memory than one of its kernels uses."""
    network = Network([conv2d(3, 3), Flatten(), dense(1)], MeanSquared(), (5, 4, 4), "float64")
    plan = tapes.training(network, SGD(), clip_norm=None, batch_size=4)
    kernels = {op.kernel: 0 for stage in plan.all_stages for op in stage.ops}
    Encoded(plan, Memory(plan), kernels, plan.scratch)
    with pytest.raises(AssertionError):
        Encoded(plan, Memory(plan), kernels, plan.scratch - 1)
