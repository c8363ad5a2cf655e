"""The first update by two engines, compared: what is a difference, and what is rounding."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines.base import Batches
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.selection import build_engine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    SGD,
    Adam,
    AvgPool2d,
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
from nnrun.training import selfcheck as check
from nnrun.training.selfcheck import compare_engines
from nnrun.training.state import copies, live_arrays

# Rows are moved and scaled by these, as raw features are.
DATA = [(1, 0), (1e-8, 0), (1e9, 0), (1, 1e6), (1e-3, 1e3)]
OPTIMIZERS = [SGD, lambda: SGD(0.9, True, 1e-3), Adam]


class Other(NumpyEngine):
    """NumPy, but for what a test does before and after each update."""

    name = "compiled"

    def __init__(self, *arguments, before=lambda engine: None, after=lambda engine, theta: None):
        network, optimizer, x, target, rng = arguments
        super().__init__(network, optimizer, x.copy(), target, rng=rng)
        self.before, self.after = before, after

    def run(self, batches, losses=None):
        self.before(self)
        theta = self.network.theta.copy()
        super().run(batches, losses)
        self.after(self, theta)


def compared(engine, network, optimizer, x, target, rng, rows=8, clip_norm=None, losses=False):
    batches = Batches(np.arange(2 * rows) % len(x), np.arange(3) * rows, np.zeros(2))
    return compare_engines(
        engine, network, optimizer, x, target,
        batches=batches, dropout=rng, clip_norm=clip_norm, losses=losses,
    )  # fmt: skip


def made(blocks, x, optimizer=None, dtype="float64", outputs=1):
    """A network, initialized, with all that an engine is made of."""
    network = Network(blocks, MeanSquared(), x.shape[1:], dtype)
    rng = np.random.default_rng(1)
    network.initialize(rng=rng)
    optimizer = optimizer or SGD()
    optimizer.allocate(network.theta)
    target = rng.standard_normal((len(x), outputs)).astype(dtype)
    return network, optimizer, x.astype(dtype), target, rng


def small(dtype="float64", optimizer=None):
    x = np.random.default_rng(0).standard_normal((20, 5))
    return made([dense(4, "tanh"), BatchNorm(), dense(3), dense(1)], x, optimizer, dtype)


VECTORS = [
    lambda: [dense(7, "relu"), BatchNorm(), dense(4, "tanh"), dense(2)],
    lambda: [dense(5, "softplus"), Dropout(0.3), Residual([dense(5, "gelu")]), dense(2, "sigmoid")],
    lambda: [BatchNorm(), dense(6, "elu"), BatchNorm(), dense(2)],
]
IMAGES = [
    lambda: [conv2d(9, 3, padding="same", activation="relu"), MaxPool2d(2), Flatten(), dense(2)],
    lambda: [
        conv2d(8, 3, padding=1), BatchNorm(), activation("leaky_relu"), AvgPool2d(2),
        Residual([conv2d(8, 3, padding="same", activation="tanh"), Dropout(0.2)]),
        Flatten(), dense(2),
    ],
    lambda: [conv2d(17, 2, bias="per_position", activation="gelu"), Flatten(), dense(2, "tanh")],
]  # fmt: skip


def drawn(number, shape, kinds):
    """A network of these kinds with data of any size, and how it is trained."""
    rng = np.random.default_rng(number)
    dtype = rng.choice(["float64", "float32"])
    scale, offset = rng.choice(DATA)
    x = scale * rng.standard_normal((40, *shape)) + offset
    network, optimizer, x, target, rng = made(
        kinds[number % len(kinds)](), x, OPTIMIZERS[rng.integers(3)](), dtype, outputs=2
    )
    network.theta *= network.dtype.type(rng.choice([1, 1, 0, 30]))
    return network, optimizer, x, target, rng


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize(("shape", "kinds"), [((4,), VECTORS), ((2, 6, 6), IMAGES)])
def test_random_networks_agree(shape, kinds, sampled, monkeypatch):
    """Kernels differ from NumPy by rounding, whatever the data; also where that is not obvious."""
    if sampled:
        monkeypatch.setattr(check, "_agree", lambda *_: False)
    found = []
    for number in range(24):
        network, optimizer, x, target, rng = drawn(number, shape, kinds)
        rows, clip_norm, losses = (2, 7, 40)[number % 3], (None, 0.1)[number % 2], number % 4 < 2
        engine = TapeEngine(
            network, optimizer, x, target,
            rng=rng, clip_norm=clip_norm, batch_size=rows, losses=losses,
        )  # fmt: skip
        arguments = (engine, network, optimizer, x, target, rng, rows, clip_norm, losses)
        found.append(compared(*arguments))
    assert 24 * [None] == found


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("optimizer", [SGD, lambda: SGD(0.9), Adam])
def test_functions_agree(optimizer, rows):
    """Likewise where a function is generated for the network, which updates weights as it goes."""
    x = np.random.default_rng(0).standard_normal((20, 5))
    network, rule, x, target, rng = made([dense(4, "relu"), dense(1)], x, optimizer())
    engine = build_engine(
        "compiled", network, rule, x, target, rng=rng, clip_norm=None, batch_size=rows
    )
    assert compared(engine, network, rule, x, target, rng, rows) is None


@pytest.mark.parametrize("optimizer", [SGD, lambda: SGD(0.9, True, 1e-3), Adam])
def test_everything_is_as_it_was(optimizer):
    """Weights, buffers, the optimizer and the stream of dropout masks, by their bits."""
    x = np.random.default_rng(0).standard_normal((20, 5))
    blocks = [dense(4, "tanh"), BatchNorm(), Dropout(0.5), dense(1)]
    network, rule, x, target, rng = made(blocks, x, optimizer())
    engine = TapeEngine(network, rule, x, target, rng=rng, batch_size=8)
    before, stream = copies(live_arrays(network, rule)), rng.bit_generator.state
    assert compared(engine, network, rule, x, target, rng) is None
    after = live_arrays(network, rule)
    assert {k: v.tobytes() for k, v in before.items()} == {k: v.tobytes() for k, v in after.items()}
    assert (stream, 0) == (rng.bit_generator.state, rule.steps)


@pytest.mark.parametrize(("dtype", "share"), [("float64", 1e-9), ("float32", 1e-2)])
@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.weight", "2.weight", "3.bias"])
def test_a_wrong_gradient_is_found(name, dtype, share):
    """In whichever parameter it is, if only one number is off by a small share."""

    def after(engine, theta):
        start = 0
        for key, parameter in engine.network.parameters.items():
            if key == name:
                change = engine.network.theta - theta
                place = start + np.abs(change[start : start + parameter.size]).argmax()
                engine.network.theta[place] += share * change[place]
            start += parameter.size

    parts = small(dtype)
    if name == "0.bias":  # before batch_norm it would have no effect
        x = np.random.default_rng(0).standard_normal((20, 5))
        parts = made([dense(4, "tanh"), dense(1)], x, dtype=dtype)
    found = compared(Other(*parts, after=after), *parts)
    assert f"gradient of {name}" == found.what
    assert share == pytest.approx(abs(found.found - found.expected) / abs(found.expected), rel=0.1)
    assert found.rounding < abs(found.found - found.expected)


@pytest.mark.parametrize(
    ("optimizer", "kind"), [(lambda: SGD(0.5), "velocity"), (Adam, "mean"), (Adam, "square")]
)
def test_optimizers_that_keep_the_gradient_tell_it(optimizer, kind):
    """By the arrays that they keep."""

    def after(engine, theta):
        engine.optimizer.state[kind][0] *= 1 + 1e-6

    parts = small(optimizer=optimizer())
    assert f"{kind} of 0.weight" == compared(Other(*parts, after=after), *parts).what


def test_a_wrong_statistic_is_found():
    """What layers keep besides parameters is compared too."""

    def after(engine, theta):
        engine.network.buffers["1.running_variance"][2] *= 1 + 1e-6

    parts = small()
    assert "1.running_variance" == compared(Other(*parts, after=after), *parts).what


@pytest.mark.parametrize("number", [1.001, np.nan])
@pytest.mark.parametrize("what", ["loss", "outputs"])
def test_wrong_evaluations_are_found(what, number, monkeypatch):
    """All metrics come from them."""
    parts = small()
    engine = Other(*parts)
    right = engine.evaluate

    def evaluate(x, target):
        loss, outputs = right(x, target)
        return (loss * number, outputs) if what == "loss" else (loss, outputs * number)

    monkeypatch.setattr(engine, "evaluate", evaluate)
    assert what == compared(engine, *parts).what


def test_wrong_losses_of_batches_are_found():
    """Of an engine that tells them."""
    parts = small()
    engine = Other(*parts)
    right = engine.run

    def run(batches, losses=None):
        right(batches, losses)
        losses *= 1.001

    engine.run = run
    assert "training loss" == compared(engine, *parts, losses=True).what


def test_memory_that_is_not_new_is_tried():
    """A fault that shows only after another batch."""
    batches = []

    def after(engine, theta):
        batches.append(theta)
        if len(batches) > 1:
            engine.network.theta *= 2

    parts = small()
    assert "gradient of 0.weight" == compared(Other(*parts, after=after), *parts).what


@pytest.mark.parametrize(("last", "nudge", "right"), [(-0.3, 1e-15, True), (-0.2, 1e-6, False)])
def test_a_kink_may_be_on_either_side_within_rounding(last, nudge, right):
    """0.1 + 0.2 - 0.3 before a rectifier is positive or zero, by the order of the sum."""
    network, optimizer, x, target, rng = made([dense(1, "relu"), dense(1)], np.ones((8, 3)))
    network.parameters["0.weight"].value[:, 0] = 0.1, 0.2, last
    bias = network.parameters["0.bias"].value

    def before(engine):
        bias[0] -= nudge

    def after(engine, theta):
        bias[0] += nudge

    parts = (network, optimizer, x, target, rng)
    found = compared(Other(*parts, before=before, after=after), *parts)
    assert right == (found is None)


@pytest.mark.parametrize(("size", "right"), [(1e-15, True), (1e-2, False)])
def test_equal_numbers_before_pooling_may_win_in_any_order(size, right):
    """On a plain background all pixels of a window are the same, but for rounding."""
    blocks = [conv2d(2, 3, bias="per_position"), MaxPool2d(2), Flatten(), dense(1)]
    parts = made(blocks, np.full((8, 1, 6, 6), 0.7))
    noise = np.random.default_rng(5).uniform(-1, 1, (8, 1, 6, 6))

    def before(engine):
        engine.x[...] = 0.7 * (1 + size * noise)

    found = compared(Other(*parts, before=before), *parts)
    assert right == (found is None)


@pytest.mark.parametrize("number", [1e200, np.inf, np.nan])
def test_numbers_out_of_range_are_not_compared(number):
    """Where they become infinite depends on the order of sums; it is reported as divergence."""
    x = np.full((20, 5), number)
    network, optimizer, x, target, rng = made([dense(4), dense(1)], x)
    engine = TapeEngine(network, optimizer, x, target, rng=rng, batch_size=8)
    assert compared(engine, network, optimizer, x, target, rng) is None
    assert np.isfinite(network.theta).all()


def test_large_batches_are_tried_in_part():
    """An eighth and one row: several of the 16 tasks that the engine makes of a batch."""
    sizes = []

    def after(engine, theta):
        sizes.append(len(engine.network.layers[0].x))

    x = np.random.default_rng(0).standard_normal((1000, 5))
    parts = made([dense(1)], x)
    assert compared(Other(*parts, after=after), *parts, rows=400) is None
    assert {51} == set(sizes)
