"""Generated functions: what the engine promises besides the right numbers, and their source."""

from __future__ import annotations

import ast
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine, UnsupportedError
from nnrun.engines.generated.generate import emit, generate
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    SGD,
    Adam,
    BatchNorm,
    CrossEntropy,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    Residual,
    activation,
    conv2d,
    dense,
)
from tests.engines.conftest import bits, part


def small(task: Any, **changes: Any) -> Any:
    """A small network with state of every kind."""
    settings = {
        "blocks": lambda: [dense(8, "tanh"), Dropout(0.2), dense(3, "softmax")],
        "input_shape": (5,),
        "optimizer": Adam,
        "batch_size": 4,
        "iterations": 100,
        **changes,
    }
    return task(**settings)


def test_same_bits_every_time(task: Any) -> None:
    """Two runs in one process, and eight at once in threads, have the same weights."""
    one = small(task)
    expected = one.train(CompiledEngine).network.theta
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: one.train(CompiledEngine).network.theta, range(8)))
    for actual in [one.train(CompiledEngine).network.theta, *runs]:
        np.testing.assert_array_equal(expected, actual)


def test_random_numbers_are_those_of_the_numpy_engine(task: Any) -> None:
    """Dropout takes from the stream what it takes there, and leaves it where it is left there."""
    one = small(task)
    states = [one.train(kind).rng.bit_generator.state for kind in (NumpyEngine, CompiledEngine)]
    assert states[0] == states[1]


def test_divergence_happens_where_it_does_in_numpy(task: Any) -> None:
    """Numbers that run away do so at the same iteration, and come out as what they are."""
    one = task(
        lambda: [dense(6), dense(6), dense(1)], (5,), MeanSquared(), iterations=100, rate=3.0
    )
    batches = one.batches()
    first_bad = []
    for kind in (NumpyEngine, CompiledEngine):
        engine = one.engine(kind)
        sound = []
        for k in range(len(batches)):
            engine.run(part(batches, k, k + 1))
            sound.append(bool(np.isfinite(engine.network.theta).all()))
        assert not sound[-1]
        first_bad.append(sound.index(False))
    assert abs(first_bad[0] - first_bad[1]) <= 1
    assert not np.isfinite(one.train(CompiledEngine).network.theta).all()


DIVERGING: dict[str, dict[str, Any]] = {
    "rows": {"kind": CompiledEngine, "batch_size": 1},
    "batches": {"kind": CompiledEngine, "batch_size": 8},
    "kernels": {
        "kind": TapeEngine,
        "batch_size": 8,
        "input_shape": (2, 5, 6),
        "blocks": lambda: [
            conv2d(3, 2, activation="relu"),
            Residual([conv2d(3, 3, padding="same"), BatchNorm()]),
            *[conv2d(3, 2, activation="relu"), Flatten(), dense(5, "relu"), BatchNorm(), dense(3)],
        ],
    },
}


@pytest.mark.parametrize("name", DIVERGING)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_diverged_run_leaves_nothing_behind(task: Any, momentum: float, name: str) -> None:
    """Put back to where it was sound, a network has the loss that it had, and is trained as by an
    engine that has never seen a number that is not finite, not even in registers.
    """
    settings = {
        "blocks": lambda: [dense(5, "relu"), dense(3)],
        "input_shape": (7,),
        **DIVERGING[name],
    }
    kind = settings.pop("kind")
    one = task(**settings, loss=MeanSquared(), optimizer=lambda: SGD(momentum), iterations=20)
    batches, found = one.batches(), []
    for rate in (1e200, None):
        engine = one.engine(kind)
        if rate is not None:
            engine.run(replace(batches, rates=np.full(len(batches), rate)))
            assert not np.isfinite(engine.network.theta).all()
            engine.network.theta[...] = one.network().theta
            for buffer, array in engine.network.buffers.items():
                array[...] = buffer.endswith("variance")
            for array in engine.optimizer.state.values():
                array[...] = 0
            engine.optimizer.steps = 0
        loss, _ = engine.evaluate(*one.data())
        engine.run(batches)
        found.append((loss, bits(engine)))
    assert found[0] == found[1]


def test_python_runs_meanwhile(task: Any) -> None:
    """The GIL is free during training."""
    one = task(lambda: [dense(89, "tanh"), dense(10, "softmax")], (64,), iterations=200_000)
    ticks: list[float] = []
    trained = threading.Thread(target=one.train, args=(CompiledEngine,))
    trained.start()
    while trained.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    # Many ticks, and in the longest pause a small part of the whole.
    assert len(ticks) > 20
    assert max(np.diff(ticks)) < 0.8 * (ticks[-1] - ticks[0])


def test_memory_does_not_grow_with_iterations(task: Any) -> None:
    """Dropout's random numbers are drawn in portions, however many iterations there are."""
    one = small(task, iterations=200_000, batch_size=1, optimizer=SGD)
    engine = one.train(CompiledEngine)
    batches = one.batches()
    tracemalloc.start()
    engine.run(batches)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6  # the random numbers alone would take 12.8 MB


def test_rows_out_of_range_are_refused(task: Any) -> None:
    """A wrong row is an error, never a look into other memory."""
    engine = small(task).train(CompiledEngine)
    for row in (-1, 40):
        with pytest.raises(IndexError, match="row numbers"):
            engine.run(Batches(np.array([0, row]), np.array([0, 2]), np.array([0.1])))


def test_an_engine_for_single_rows_takes_no_others(task: Any) -> None:
    """The faster function for batches of one row cannot be handed larger ones."""
    engine = small(task, batch_size=1).train(CompiledEngine)
    with pytest.raises(ValueError, match="one row"):
        engine.run(Batches(np.array([0, 1]), np.array([0, 2]), np.array([0.1])))


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_losses_of_batches(batch_size: int, kind: Any, task: Any) -> None:
    """On request each batch's loss before its update, dropped numbers and all, as NumPy's; and
    whether they are asked for changes nothing.
    """
    one = small(task, batch_size=batch_size, optimizer=lambda: SGD(0.9))
    batches = one.batches()
    expected, actual = np.zeros(len(batches)), np.zeros(len(batches))
    one.engine(NumpyEngine).run(batches, expected)
    engine = one.engine(kind, losses=True)
    for first, last in ((0, 1), (1, 60), (60, 60), (60, 100)):
        engine.run(part(batches, first, last), actual[first:last])
    np.testing.assert_allclose(actual, expected, rtol=1e-8)
    np.testing.assert_array_equal(one.train(kind).network.theta, engine.network.theta)
    with pytest.raises(ValueError, match="built without `losses`"):
        one.engine(kind).run(part(batches, 0, 1), np.zeros(1))


def test_what_cannot_be_compiled_is_a_clear_error() -> None:
    """A network without parameters says why it is not trained."""
    network = Network([activation("tanh")], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(0))
    x = np.zeros((2, 3))
    with pytest.raises(UnsupportedError, match="no parameters"):
        CompiledEngine(network, SGD(), x, x, rng=np.random.default_rng(0), batch_size=1)


# The generated source is made to be read.

SMALLEST = """\
    w0 = view(theta, 0, (2,))
    b0 = view(theta, 8, (1,))
    w0_0_0 = w0[0]
    w0_1_0 = w0[1]
    b0_0 = b0[0]
    for k in range(count):
        rate = real(rates[k])
        if not evaluating:
            # draw a row of the next block while the update is computed
            if bound > 1:
                fresh[k] = below(stream, bound)
        n, r = 1, 0
        row = rows[k]
        t = view(targets, row * 1, (1,))
        out = view(outputs, row * 1, (1,))
        x = view(inputs, row * 8, (8,))
        # 0.weight: z = x w, 2 -> 1
        x_0 = x[0]
        x_1 = x[1]
        z0_0 = ((x_0 * w0_0_0 + x_1 * w0_1_0) + b0_0)
        if evaluating:
            # the loss, mean_squared
            cost = (z0_0 - t[0]) * (z0_0 - t[0])
            losses[k] = double(cost) / 1
            out[0] = z0_0
        if not evaluating:
            # the gradient of mean_squared
            scale = rate * real(2.0 / double(n * 1))
            dz0_0 = (z0_0 - t[0]) * scale
            # 0.bias: db = Σ dy
            b0_0 -= dz0_0
            # 0.weight: dx = dz wᵀ, w -= xᵀ dz
            w0_0_0 -= x_0 * dz0_0
            w0_1_0 -= x_1 * dz0_0
    w0[0] = w0_0_0
    w0[1] = w0_1_0
    b0[0] = b0_0
"""


def test_smallest_network() -> None:
    """Two inputs, one output: the function is what one would write by hand."""
    network = Network([dense(1)], MeanSquared(), (2,))
    source = generate(network, SGD(), clip_norm=None, single=True).source
    assert source[source.index("    w0 = ") :] == SMALLEST


def test_every_layer_is_named() -> None:
    """A comment with its index in the config stands before what each layer does."""
    blocks = [
        conv2d(4, activation="tanh"),
        MaxPool2d(),
        Dropout(0.5),
        Flatten(),
        dense(3, "softmax"),
    ]
    network = Network(blocks, CrossEntropy(), (1, 8, 8))
    source = emit(network, Adam(), clip_norm=1.0, batch_size=16)
    ast.parse(source)
    for comment in (
        "# 0.weight: z = w * x, 1 -> 4 of 3 x 3",
        "# 0: tanh, y = tanh(x)",
        "# 1: max_pool2d",
        "# 2: dropout at rate 0.5",
        "# 4.weight: z = x w, 36 -> 3",
        "# the loss, softmax_cross_entropy",
        "# the gradient of softmax_cross_entropy",
        "# clip the gradient to a length of 1.0",
        "# adam",
    ):
        assert comment in source


def test_same_network_same_source() -> None:
    """The source depends on nothing but the network and the settings."""
    sources = {
        generate(
            Network([dense(5, "elu"), dense(2)], MeanSquared(), (3,)),
            SGD(0.9),
            clip_norm=None,
            single=False,
        ).source
        for _ in range(3)
    }
    assert len(sources) == 1
