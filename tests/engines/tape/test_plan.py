"""What a tape's plan keeps apart: arrays that are read again, and places that nothing writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnrun.engines.choice import supports
from nnrun.engines.kernels import KERNELS
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.engine import TapeEngine
from nnrun.engines.tape.maps import LARGEST_WINDOW, Convolution, MaxPool2d
from nnrun.engines.tape.plan import ExecutionPlan, Map
from nnrun.nn import SGD, Flatten, MeanSquared, Network, conv2d, dense
from nnrun.nn import MaxPool2d as MaxPool2dLayer

BORDERS = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 3)]


def plan_of(training: bool = True) -> ExecutionPlan:
    return ExecutionPlan(np.dtype("float64"), 4, descends=True, training=training)


def emitter_of(kind: Any, plan: ExecutionPlan, layer: Any, x: Map, **more: bool) -> Any:
    given = {"border": (0, 0, 0, 0), "in_place": False, "kept": False, "needs_dx": True, **more}
    return kind(plan, layer, "0", x, **given)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("channels", [1, 8, 9, 16, 25, 32, 64, 128])
@pytest.mark.parametrize("sides", [(1, 1), (1, 3), (4, 2)])
@pytest.mark.parametrize("exact", [False, True])
def test_a_map_like_another(border: Any, channels: int, sides: Any, exact: bool) -> None:
    """It has the same channels stored and the border that was asked for, of a single pixel too."""
    plan, shape = plan_of(), (channels, *sides)
    expected = plan.image("y", shape, border, exact=exact)
    found = plan.like("z", plan.image("x", shape, exact=exact), border)
    assert replace(expected, block="z") == found


def test_a_vector_like_another() -> None:
    """A vector's is a vector."""
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
    assert emitter_of(Convolution, plan, layer, x).y.channels == 8
    with pytest.raises(AssertionError):
        emitter_of(Convolution, plan, layer, plan.image("x", (16, 1, 1)))


def test_what_is_read_at_the_end_is_not_overwritten() -> None:
    """Until the last stage of sums, its x and dy stay: for pooling, which overwrites its x, too."""
    plan = plan_of()
    layer = MaxPool2dLayer(2)
    layer.connect((8, 4, 4))
    x = plan.image("x", (8, 4, 4))
    pooling = emitter_of(MaxPool2d, plan, layer, x)
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
        pooling = MaxPool2dLayer((height, sides[1]))
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
            *[MaxPool2dLayer(2), Flatten(), dense(2)],
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
