"""What the compiled engine promises besides the right numbers."""

from __future__ import annotations

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
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn import SGD, Adam, Dropout, MeanSquared, Network, activation, dense
from tests.engines.conftest import numbers


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


def part(batches: Batches, first: int, last: int) -> Batches:
    """Some of the iterations, as a call of its own."""
    start, end = batches.bounds[first], batches.bounds[last]
    bounds = batches.bounds[first : last + 1] - start
    return Batches(batches.rows[start:end], bounds, batches.rates[first:last])


def test_same_bits_every_time(task: Any) -> None:
    """Two runs in one process, and eight at once in threads, have the same weights."""
    one = small(task)
    expected = one.train(CompiledEngine).network.theta
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: one.train(CompiledEngine).network.theta, range(8)))
    for actual in [one.train(CompiledEngine).network.theta, *runs]:
        np.testing.assert_array_equal(expected, actual)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_slices_change_nothing(batch_size: int, task: Any) -> None:
    """Iterations run in several calls give the bits of one call."""
    one = small(task, batch_size=batch_size)
    whole = one.train(CompiledEngine)
    batches = one.batches()
    sliced = one.train(CompiledEngine, batches=part(batches, 0, 1))
    for first, last in ((1, 2), (2, 50), (50, 50), (50, 100)):
        sliced.run(part(batches, first, last))
    np.testing.assert_array_equal(whole.network.theta, sliced.network.theta)
    assert whole.optimizer.steps == sliced.optimizer.steps
    assert whole.rng.bit_generator.state == sliced.rng.bit_generator.state


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
        engine = one.train(kind, batches=part(batches, 0, 0))
        sound = []
        for k in range(len(batches)):
            engine.run(part(batches, k, k + 1))
            sound.append(bool(np.isfinite(engine.network.theta).all()))
        assert not sound[-1]
        first_bad.append(sound.index(False))
    assert abs(first_bad[0] - first_bad[1]) <= 1
    assert not np.isfinite(one.train(CompiledEngine).network.theta).all()


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_diverged_run_leaves_nothing_behind(task: Any, momentum: float, batch_size: int) -> None:
    """Put back to where it was sound, a network has the loss that it had, and is trained as by an
    engine that has never seen a number that is not finite.
    """
    settings = {"batch_size": batch_size, "iterations": 20}
    one = task(
        lambda: [dense(5, "relu"), dense(3)], (7,), MeanSquared(),
        lambda: SGD(momentum), **settings,
    )  # fmt: skip
    batches, found = one.batches(), []
    for rate in (1e200, None):
        engine = one.train(CompiledEngine, batches=part(batches, 0, 0))
        if rate is not None:
            engine.run(replace(batches, rates=np.full(len(batches), rate)))
            assert not np.isfinite(engine.network.theta).all()
            engine.network.theta[...] = one.network().theta
            for array in engine.optimizer.state.values():
                array[...] = 0
            engine.optimizer.steps = 0
        loss, _ = engine.evaluate(*one.data())
        engine.run(batches)
        found.append((loss, [array.tobytes() for array in numbers(engine).values()]))
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


@pytest.mark.parametrize("batch_size", [1, 4])
def test_losses_of_batches(batch_size: int, task: Any) -> None:
    """On request each batch's loss before its update, dropped numbers and all, as NumPy's; and
    whether they are asked for changes nothing.
    """
    one = small(task, batch_size=batch_size, optimizer=lambda: SGD(0.9))
    batches, engines, losses = one.batches(), [], []
    for kind in (NumpyEngine, CompiledEngine, CompiledEngine):
        network, optimizer = one.network(), one.optimizer()
        optimizer.allocate(network.theta)
        settings = {"rng": np.random.default_rng(4), "clip_norm": None}
        if kind is CompiledEngine:
            settings |= {"batch_size": batch_size, "losses": True}
        engines.append(kind(network, optimizer, *one.data(), **settings))
        losses.append(np.zeros(len(batches)))
    engines[0].run(batches, losses[0])
    engines[1].run(batches)
    for first, last in ((0, 1), (1, 60), (60, 100)):
        engines[2].run(part(batches, first, last), losses[2][first:last])
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-8)
    np.testing.assert_array_equal(engines[1].network.theta, engines[2].network.theta)


def test_losses_are_not_computed_unasked(task: Any) -> None:
    """An engine that was built without them says so."""
    engine = small(task).train(CompiledEngine)
    with pytest.raises(ValueError, match="built without `losses`"):
        engine.run(part(small(task).batches(), 0, 1), np.zeros(1))


def test_what_cannot_be_compiled_is_a_clear_error() -> None:
    """A network without parameters says why it is not trained."""
    network = Network([activation("tanh")], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(0))
    x = np.zeros((2, 3))
    with pytest.raises(UnsupportedError, match="no parameters"):
        CompiledEngine(network, SGD(), x, x, rng=np.random.default_rng(0), batch_size=1)
