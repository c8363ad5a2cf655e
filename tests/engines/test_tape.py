"""Tapes of kernels: their plans, and training as by the NumPy engine, to rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Batches
from nnrun.engines.choice import supports, way
from nnrun.engines.kernels import KERNELS
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.engine import TapeEngine
from nnrun.engines.tape.maps import LARGEST_WINDOW
from nnrun.engines.tape.maps import Convolution as ConvolutionEmitter
from nnrun.engines.tape.maps import MaxPool2d as PoolEmitter
from nnrun.engines.tape.plan import ExecutionPlan, Map
from nnrun.nn import (
    LOSSES,
    SGD,
    Adam,
    BatchNorm,
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
from nnrun.nn.embedding import Embedding, Table
from tests.engines.conftest import Task, bits, part
from tests.engines.guards import SIDES, apart, guarded

THREADS = (1, 2, 5, 16)


def check(agree: Any, task: Any, blocks: Any, shape: Any, **more: Any) -> None:
    given = {"batch_size": 10, "iterations": 30, "rate": 0.1, **more}
    agree(task(blocks, shape, **given), kind=TapeEngine)


def test_many_layers(agree: Any, task: Any) -> None:
    """A hundred layers on single rows do, which a function of their own would be minutes for."""
    check(
        agree, task, lambda: [*(dense(5, "tanh") for _ in range(100)), dense(3, "softmax")], (4,),
        batch_size=1,
    )  # fmt: skip


def test_a_loss_apart_from_its_activation(agree: Any, task: Any) -> None:
    """Questions that are answered by a softmax: loss and activation are computed one by one."""
    loss = LOSSES["binary_cross_entropy"]()
    check(agree, task, lambda: [dense(5, "tanh"), dense(3, "softmax")], (4,), loss=loss)


# Networks whose work many threads share: weights that are many for few rows, products that are read
# for dx where they are updated, and sums over batches.
SHARED: dict[str, tuple[Any, tuple[int, ...], int]] = {
    **{
        f"strips of weights, {rows} rows": (
            lambda: [
                conv2d(6, 3, activation="relu"),
                Residual([MaxPool2d(1), conv2d(8, 5, padding="same"), activation("tanh"),
                          conv2d(6, 1)]),
                *[conv2d(9, 5), MaxPool2d(2), Flatten(), dense(3, "softmax")],
            ],
            (1, 9, 10),
            rows,
        )
        for rows in (1, 10, 16)
    },
    "products": (
        lambda: [dense(130, "relu"), dense(70, "tanh"), dense(10, "softmax")], (100,), 33,
    ),
    "norms": (
        lambda: [
            *[conv2d(16, 3, padding="same"), BatchNorm()],
            Residual([conv2d(16, 3, padding="same", bias="none"), BatchNorm(), activation("relu")]),
            *[Flatten(), Dropout(0.4), dense(50), BatchNorm(), dense(3, "softmax")],
        ],
        (1, 8, 9),
        33,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dtype", "optimizer"), [("float32", SGD), ("float64", Adam)])
@pytest.mark.parametrize("name", SHARED)
def test_many_threads(task: Any, name: str, dtype: str, optimizer: Any) -> None:
    """Any number of threads makes the same bits, more of them than there is work for, too."""
    blocks, shape, rows = SHARED[name]
    one = task(blocks, shape, optimizer=optimizer, dtype=dtype, batch_size=rows, iterations=30)
    found = {threads: bits(one.train(partial(TapeEngine, threads=threads))) for threads in THREADS}
    assert dict.fromkeys(THREADS, found[1]) == found


def test_interrupted_is_uninterrupted(task: Any) -> None:
    """An engine that takes over parameters, running statistics, the optimizer's arrays and the
    stream of random numbers goes on to the same bits.
    """
    blocks, shape, _ = SHARED["norms"]
    one = task(blocks, shape, optimizer=Adam, batch_size=7, iterations=9)
    batches, first = one.batches(), one.engine(TapeEngine)
    first.run(part(batches, 0, 4))
    first.evaluate(*one.data())  # which changes nothing
    second = TapeEngine(first.network, first.optimizer, *one.data(), rng=first.rng, batch_size=7)
    second.run(part(batches, 4, 9))
    assert bits(one.train(TapeEngine)) == bits(second)


@pytest.mark.parametrize("rows", [1, 300])
def test_numbers_far_from_zero_keep_their_variance(rows: int) -> None:
    """In float32 a mean of 1,000 with a deviation of 1 costs no digits of it, of one large image or
    of many small ones, as it would if squares were summed up.
    """
    shape = (1, 300, 400) if rows == 1 else (1, 5, 8)
    x = np.random.default_rng(0).normal(1000, 1, (rows, *shape)).astype("float32")
    network = Network([BatchNorm(1.0), Flatten(), dense(1)], MeanSquared(), shape, "float32")
    network.initialize(rng=np.random.default_rng(1))
    optimizer, target = SGD(), np.zeros((rows, 1), "float32")
    engine = TapeEngine(
        network, optimizer, x, target, rng=np.random.default_rng(2), batch_size=rows
    )
    engine.run(Batches(np.arange(rows), np.array([0, rows]), np.zeros(1)))
    exact = x.astype(float)
    expected = exact.mean(), exact.var(ddof=1)
    mean, variance = (float(array[0]) for array in network.buffers.values())
    assert expected == (pytest.approx(mean, rel=1e-6), pytest.approx(variance, rel=1e-4))


# What a tape's plan keeps apart: arrays that are read again, and places that nothing writes.

BORDERS = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 3)]


def plan_of(training: bool = True) -> ExecutionPlan:
    return ExecutionPlan(np.dtype("float64"), 4, descends=True, training=training)


def emitter_of(kind: Any, plan: ExecutionPlan, layer: Any, x: Map, **more: bool) -> Any:
    given = {"border": (0, 0, 0, 0), "in_place": False, "kept": False, "needs_dx": True, **more}
    return kind(plan, layer, "0", x, **given)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("exact", [False, True])
def test_a_map_like_another(border: Any, exact: bool) -> None:
    """It has the same channels stored and the border that was asked for, of a single pixel too; a
    vector's is a vector.
    """
    for channels, sides in product((1, 8, 9, 16, 25, 32, 64, 128), ((1, 1), (1, 3), (4, 2))):
        plan, shape = plan_of(), (channels, *sides)
        expected = plan.image("y", shape, border, exact=exact)
        found = plan.like("z", plan.image("x", shape, exact=exact), border)
        assert replace(expected, block="z") == found
    for size in (1, 8, 16, 100, 128, 1024):
        plan = plan_of()
        expected = plan.vector("y", size)
        assert replace(expected, block="z") == plan.like("z", plan.vector("x", size))


@pytest.mark.parametrize("border", BORDERS)
def test_zeros_around_images(border: Any) -> None:
    """All that is stored besides the images begins with zeros, and nothing of them does."""
    top, bottom, left, right = border
    x = plan_of().image("x", (3, 4, 5), border)
    memory = np.full(2 * x.row, np.nan)
    x.clear_around(memory)
    lines, columns = 4 + top + bottom, 5 + left + right
    pixels = memory.reshape(2, x.row)[:, : lines * x.line].reshape(2, lines, columns, 8)
    assert np.isnan(pixels[:, top : top + 4, left : left + 5, :3]).all()
    assert 2 * 3 * 4 * 5 == np.isnan(memory).sum()
    assert not memory[~np.isnan(memory)].any()


def test_a_convolution_has_its_border() -> None:
    """A map without the border that a convolution reads is none of its inputs."""
    layer = conv2d(8, 3, padding="same", bias="none")[0]
    layer.connect((16, 1, 1))
    plan = plan_of()
    x = plan.image("x", (16, 1, 1), (1, 1, 1, 1))
    assert emitter_of(ConvolutionEmitter, plan, layer, x).y.channels == 8
    with pytest.raises(AssertionError):
        emitter_of(ConvolutionEmitter, plan, layer, plan.image("x", (16, 1, 1)))


def test_what_is_read_at_the_end_is_not_overwritten() -> None:
    """Until the last stage of sums, its x and dy stay: for pooling, which overwrites its x, too."""
    plan = plan_of()
    layer = MaxPool2d(2)
    layer.connect((8, 4, 4))
    x = plan.image("x", (8, 4, 4))
    pooling = emitter_of(PoolEmitter, plan, layer, x)
    dy = plan.like("dy", pooling.y)
    assert (x, dy) == (pooling.backward(dy), plan.free(dy))
    others = dict.fromkeys(KERNELS["convolve_weights"].parameters, 0)
    plan.after("convolve_weights", 1, **{**others, **x.named("x"), **dy.named("dy")})
    assert {x.block, dy.block}.isdisjoint({pooling.backward(dy).block, plan.free(dy).block})


def test_winners_are_numbers_of_the_dtype() -> None:
    """A window that has more pixels than float32 can count is left to NumPy."""
    sides = LARGEST_WINDOW // 4096, 4096
    assert np.float32(LARGEST_WINDOW - 1) != np.float32(LARGEST_WINDOW - 2)
    assert np.float32(LARGEST_WINDOW) == np.float32(LARGEST_WINDOW + 1)

    def network(height: int) -> Network:
        pooling = MaxPool2d((height, sides[1]))
        blocks = [pooling, Flatten(), dense(1)]
        return Network(blocks, MeanSquared(), (1, height, sides[1]), "float32")

    assert supports(network(sides[0]), SGD()) is None
    reason = supports(network(sides[0] + 1), SGD())
    assert reason is not None
    assert "pixels" in reason


def test_pooling_leaves_no_nan_beside_its_channels() -> None:
    """What a product with infinite numbers has left in channels that only fill registers is gone.

    After tanh the numbers are finite again, and so is what a product makes of all that is stored.
    """

    def blocks() -> list[Any]:
        return [
            *[conv2d(3, 1, bias="none"), conv2d(3, 1, bias="none", activation="tanh")],
            *[MaxPool2d(2), Flatten(), dense(2)],
        ]

    losses = []
    for kind, more in ((NumpyEngine, {}), (TapeEngine, {"batch_size": 4})):
        network, optimizer = Network(blocks(), MeanSquared(), (1, 4, 4), "float32"), SGD()
        network.initialize(rng=np.random.default_rng(1))
        parameters = list(network.parameters.values())
        for parameter, number in zip(parameters[:2], (1e30, 1.0), strict=True):
            parameter.value[...] = number
        optimizer.allocate(network.theta)
        x, target = np.full((4, 1, 4, 4), 1e30, "float32"), np.zeros((4, 2), "float32")
        engine = kind(network, optimizer, x, target, rng=np.random.default_rng(1), **more)
        with np.errstate(over="ignore"):
            losses.append(engine.evaluate(x, target)[0])
    assert np.isfinite(losses[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_no_op_goes_without_its_scratch_memory() -> None:
    """The plan's scratch memory is that of the call that needs most of it."""
    network = Network([conv2d(3, 3), Flatten(), dense(1)], MeanSquared(), (5, 4, 4), "float64")
    plan = tapes.training(network, SGD(), clip_norm=None, batch_size=4)
    needs = [plan.scratch_of(op) for stage in plan.all_stages for op in stage.ops]
    assert plan.scratch == max(needs)
    assert replace(plan, batch_size=400).scratch >= plan.scratch


# Embeddings by kernels train as the NumPy engine does, with the same bits by any threads.

# The second table has more entries than one task takes.
TABLES = (Table(1, 5, 3), Table(4, 700, 2), Table(5, 2, 1))
EMBEDDING_OPTIMIZERS = [SGD, partial(SGD, momentum=0.9, weight_decay=0.01), Adam]


def embedding_blocks() -> list[Any]:
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


@pytest.mark.parametrize("optimizer", EMBEDDING_OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 13])
def test_embeddings(optimizer: Any, batch_size: int, agree: Any) -> None:
    """With plain descent, and with gradients that an optimizer uses."""
    more = {"optimizer": optimizer, "batch_size": batch_size, "iterations": 60, "rate": 0.1}
    agree(Coded(embedding_blocks, (7,), **more), kind=TapeEngine)
    agree(Coded(embedding_blocks, (7,), **more, clip_norm=0.1), kind=TapeEngine)


def test_embeddings_in_float32(agree: Any) -> None:
    """In single precision the engines agree to single precision."""
    one = Coded(embedding_blocks, (7,), batch_size=8, iterations=60, rate=0.1, dtype="float32")
    agree(one, kind=TapeEngine, tolerance=2e-5)


@pytest.mark.parametrize("optimizer", EMBEDDING_OPTIMIZERS)
def test_threads_on_embeddings(optimizer: Any) -> None:
    """Each entry is the work of one task, which adds up rows in their order."""
    one = Coded(embedding_blocks, (7,), optimizer=optimizer, batch_size=40, iterations=30, rate=0.1)
    found = {threads: bits(one.train(partial(TapeEngine, threads=threads))) for threads in THREADS}
    assert dict.fromkeys(THREADS, found[1]) == found


@pytest.mark.parametrize("kind", [TapeEngine, partial(TapeEngine, threads=3)])
@pytest.mark.parametrize("side", SIDES)
def test_kernels_of_embeddings_keep_to_their_arrays(kind: Any, side: Any) -> None:
    """Every array is between pages that fault, and holds NaN where nothing was written."""
    one = Coded(embedding_blocks, (7,), optimizer=Adam, batch_size=13, iterations=20, rate=0.1)

    def run() -> Any:
        with guarded(side):
            engine = one.train(kind)
            return engine.evaluate(*one.data())[0], engine.network.theta

    loss, theta = apart(run)
    assert np.isfinite(loss)
    assert np.isfinite(theta).all()


def test_kernels_train_embeddings_and_functions_do_not() -> None:
    """The compiled engine has them, whatever the size of the network."""
    network = Coded(embedding_blocks, (7,)).network()
    assert (None, "tape") == (supports(network, SGD()), way(network, SGD(), 1))
