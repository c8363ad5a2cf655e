"""What one look finds, against PyTorch and against definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnrun.nn import (
    SGD,
    BatchNorm,
    CrossEntropy,
    Dropout,
    Flatten,
    MeanSquared,
    Network,
    conv2d,
    dense,
)
from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.layers import activation
from nnrun.nn.layers.pooling import MaxPool2d
from nnrun.nn.layers.residual import Residual
from nnrun.training.state import PreparedSplit
from nnrun.training.watch import Looker, Spread, Watch, histogram, norm, sites_of, units_of
from nnrun.training.watched import BINS

PLAIN = {"rtol": 1e-10, "atol": 1e-14}


def made(blocks, loss, shape, dtype="float64"):
    network = Network(blocks, loss, shape, dtype)
    network.initialize(rng=np.random.default_rng(1))
    return network


def dense_pair():
    network = made([dense(7, "tanh"), dense(5, "relu"), dense(3, "softmax")], CrossEntropy(), (4,))
    nn = torch.nn
    twin = nn.Sequential(
        nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)
    ).double()
    return network, twin, {"0": 1, "1": 3, "2": 4}, {"0": 1, "1": 3}


def image_pair():
    blocks = [
        conv2d(4, 3, activation="sigmoid"),
        MaxPool2d(2),
        conv2d(3, 2, activation="relu"),
        Flatten(),
        dense(3, "softmax"),
    ]
    network = made(blocks, CrossEntropy(), (1, 8, 8))
    nn = torch.nn
    twin = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(12, 3),
    ).double()  # fmt: skip
    return network, twin, {"0": 1, "2": 4, "4": 6}, {"0": 1, "2": 4}


def copy_weights(network, twin):
    theirs = list(twin.parameters())
    with torch.no_grad():
        for ours, other in zip(network.parameters.values(), theirs, strict=True):
            value = torch.from_numpy(ours.value.astype(np.float64))
            other.copy_(value.T if ours.value.ndim == 2 else value)
    return theirs


def by_hooks(twin, x, labels, sites, units):
    """Norms of outputs and of their gradients, and shares of units, by hooks of PyTorch."""
    outputs, gradients, slopes, handles = {}, {}, {}, []
    for place, index in sites.items():
        keep = lambda module, given, y, place=place: outputs.update({place: y.detach()})  # noqa: E731
        back = lambda module, dx, dy, place=place: gradients.update({place: dy[0]})  # noqa: E731
        handles += [twin[index].register_forward_hook(keep)]
        handles += [twin[index].register_full_backward_hook(back)]
    for place, index in units.items():
        slope = lambda module, given, y, place=place: slopes.update(  # noqa: E731
            {place: torch.autograd.grad(y.sum(), given[0], retain_graph=True)[0].abs()}
        )
        handles += [twin[index].register_forward_hook(slope)]
    twin.zero_grad()
    loss = torch.nn.functional.cross_entropy(twin(x), labels)
    loss.backward()
    for handle in handles:
        handle.remove()
    return loss.item(), outputs, gradients, slopes


def shares(slope, steepest):
    over = (0, *range(2, slope.ndim))
    dead = (slope == 0).amin(dim=over)
    flat = (slope < 0.05 * steepest).double().mean(dim=over) >= 0.95
    return dead.double().mean().item(), (flat & ~dead).double().mean().item()


@pytest.mark.parametrize("pair", [dense_pair, image_pair])
@pytest.mark.parametrize("updates", [0, 20])
def test_a_look_is_what_hooks_of_pytorch_find(pair, updates):
    """Norms of weights, outputs and gradients, and shares of units, at iterations 0 and 20."""
    network, twin, sites, units = pair()
    rng = np.random.default_rng(2)
    x = 3 * rng.standard_normal((40, *network.input_shape))
    labels = rng.integers(0, 3, 40)
    target = np.eye(3)[labels]
    optimizer = SGD()
    optimizer.allocate(network.theta)
    for _ in range(updates):
        network.backpropagate(x, target, rng)
        optimizer.step(network.theta, network.gradient, 1.0)
    look = Looker(network, x, target).look(network)
    theirs = copy_weights(network, twin)
    loss, outputs, gradients, slopes = by_hooks(
        twin, torch.from_numpy(x), torch.from_numpy(labels), sites, units
    )
    np.testing.assert_allclose(look["losses"], loss, **PLAIN)
    np.testing.assert_allclose(look["weights.norm"], [p.norm().item() for p in theirs], **PLAIN)
    expected = [p.grad.norm().item() for p in theirs]
    np.testing.assert_allclose(look["gradients.norm"], expected, **PLAIN)
    expected = [outputs[place].norm().item() for place in sites]
    np.testing.assert_allclose(look["outputs.norm"], expected, **PLAIN)
    expected = [gradients[place].norm().item() for place in sites]
    np.testing.assert_allclose(look["output_gradients.norm"], expected, **PLAIN)
    steepest = {"Tanh": 1.0, "ReLU": 1.0, "Sigmoid": 0.25}
    found = [shares(slopes[p], steepest[type(twin[i]).__name__]) for p, i in units.items()]
    np.testing.assert_allclose(
        [*zip(look["units.dead"], look["units.saturated"], strict=True)], found
    )


def test_shares_are_those_of_dead_and_saturated_units():
    """Of four relu units one is dead; of four tanh units two are saturated."""
    network = made([dense(4, "tanh"), dense(4, "relu"), dense(1)], MeanSquared(), (1,))
    parameters = network.parameters
    parameters["0.weight"].value[...] = [[1.0, 1.0, 90.0, -90.0]]
    parameters["1.weight"].value[...] = np.eye(4)
    parameters["1.bias"].value[...] = [-2.0, 0.0, 0.0, 2.0]
    x = np.linspace(-1, 1, 40).reshape(-1, 1)
    look = Looker(network, x, np.zeros((40, 1))).look(network)
    assert ([0.0, 0.25], [0.5, 0.0]) == (
        look["units.dead"].tolist(),
        look["units.saturated"].tolist(),
    )


class Gain(Layer):
    """y = g tanh(x), with one g for all numbers of a row."""

    type = "gain"

    def _connect(self, input_shape):
        self.g = Parameter("gain", (1,), lambda rng: np.ones(1))
        self.parameters = [self.g]
        return input_shape

    def forward(self, x, rng=None):
        self.t = np.tanh(x)
        return self.g.value * self.t

    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.t).sum()
        return dy * self.g.value * (1 - self.t**2)


def test_activations_are_found_by_what_they_compute():
    """Any elementwise function that is not linear counts, whatever its name; nothing else does."""
    blocks = [
        dense(6, "elu"),
        [BatchNorm()],
        [Dropout(0.5)],
        Gain(),
        [activation("softmax")],
        Residual([dense(6), [activation("gelu")]]),
        dense(2, "tanh"),
    ]
    network = made(blocks, MeanSquared(), (3,))
    assert [("0", "elu"), ("3", "gain"), ("5.1", "gelu")] == [
        (unit.place, unit.type) for unit in units_of(network)
    ]
    assert ["0", "1", "3", "4", "5", "5.0", "5.1", "6"] == [
        site.place for site in sites_of(network)
    ]


def test_a_look_leaves_the_network_as_it_is():
    """Weights, gradients and running means are the same before and after."""
    network = made([dense(4, "tanh"), [BatchNorm()], dense(1)], MeanSquared(), (3,), "float32")
    network.gradient[...] = 1.0
    x = np.random.default_rng(0).standard_normal((9, 3)).astype("float32")
    arrays = {"theta": network.theta, "gradient": network.gradient, **network.buffers}
    before = {name: array.tobytes() for name, array in arrays.items()}
    looker = Looker(network, x, x[:, :1])
    first, second = looker.look(network), looker.look(network)
    assert before == {name: array.tobytes() for name, array in arrays.items()}
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def test_an_update_is_measured_for_each_parameter():
    """The ratio is |new - old| / |old|; of a bias of zeros it is not defined."""
    network = made([dense(2), dense(1)], MeanSquared(), (3,))
    split = PreparedSplit(np.ones((5, 3)), np.ones((5, 1)), np.ones((5, 1)))
    watch = Watch(network, split, 10, frames=False)
    watch.look(0, 0.0)
    before = network.theta.copy()
    assert watch.awaits_update(0)
    network.theta *= 1.5
    watch.measure_update(0, before)
    assert not watch.awaits_update(0)
    np.testing.assert_allclose([[0.5, np.nan, 0.5, np.nan]], watch.watched.ratios)


@pytest.mark.parametrize(
    ("values", "ends", "counted"),
    [
        ([0.0, 1.0, 1.0, 24.0], (0, 24), {0: 1, 1: 2, 23: 1}),
        ([7.0, 7.0], (7, 7), {0: 2}),
        ([np.nan, np.inf, -3.0], (-3, -3), {0: 1}),
        ([np.nan], (0, 0), {}),
        ([-1.7e308, 1.7e308], (-1.7e308, 1.7e308), {0: 1, 23: 1}),
        ([], (0, 0), {}),
    ],
)
def test_a_histogram_counts_finite_numbers(values, ends, counted):
    """In bins of equal width between the smallest and the largest."""
    counts, found = histogram(np.array(values))
    assert BINS == len(counts)
    assert (counted, ends) == ({k: n for k, n in enumerate(counts.tolist()) if n}, tuple(found))


def test_norms_do_not_overflow():
    """They are finite as long as the result is."""
    assert 5e200 == pytest.approx(norm(np.array([3e200, 4e200])), rel=1e-15)
    assert [np.inf, 0.0] == [norm(np.array([np.inf, 1.0])), norm(np.array([]))]


@pytest.mark.parametrize("ends", [3, 12, 13, 40, 1000])
def test_what_is_kept_is_evenly_spread(ends):
    """Every 1st, 2nd, 4th … evaluation, more than half as many as there may be, and the ends."""
    spread = Spread(10, 12)
    for iteration in range(0, 10 * ends, 10):
        if spread.wants(iteration):
            spread.add(iteration, "")
    spread.add(10 * ends + 3, "", last=True)
    *kept, last = spread.found
    assert (0, 10 * ends + 3) == (kept[0], last)
    assert {10 * spread.step} == set(np.diff(kept))
    assert min(ends, 6) <= len(kept) <= 12
    longer = Spread(10, 12)
    longer.restore(dict(spread.found))
    assert (kept, spread.step) == ([*longer.found], longer.step)
