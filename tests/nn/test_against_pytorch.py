"""Random networks trained by nnrun and by PyTorch from the same start: the same weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from nnrun.engines.base import Batches
from nnrun.engines.kernels import sizes
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import LAYERS, SGD, Adam, AdamW, MeanSquared, Network, RMSprop
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.schedules import CosineRestarts, OneCycle, ReduceOnPlateau
from tests.architectures.trial import Architecture
from tests.architectures.walks import at_random, draw
from tests.nn.examples import NETWORKS
from tests.nn.torch_twin import TorchTwin

STEPS, ROWS, BATCH = 20, 20, 8
OPTIMIZERS: dict[str, tuple[type[Optimizer], dict[str, Any]]] = {
    "sgd": (SGD, {}),
    "momentum": (SGD, {"momentum": 0.9}),
    "nesterov": (SGD, {"momentum": 0.8, "nesterov": True}),
    "decay": (SGD, {"weight_decay": 0.01}),
    "decay_all": (SGD, {"weight_decay": 0.01, "decay_all": True}),
    "nesterov_decay": (SGD, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.02}),
    "adam": (Adam, {}),
    "adam_settings": (Adam, {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-4, "weight_decay": 0.01}),
    "adamw": (AdamW, {}),
    "adamw_all": (AdamW, {"weight_decay": 0.3, "decay_all": True}),
    "adamw_settings": (AdamW, {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-4, "weight_decay": 0.3}),
    "rmsprop": (RMSprop, {}),
    "rmsprop_settings": (
        RMSprop,
        {"beta": 0.8, "epsilon": 1e-4, "momentum": 0.5, "weight_decay": 0.01},
    ),
}
# Adam, as any with a `usual_limit`, divides each gradient by its own size. One that is zero but for
# rounding, as before a batch normalisation, becomes a step of any size; with a larger epsilon it
# does not.
STABLE = sorted(
    name
    for name, (kind, chosen) in OPTIMIZERS.items()
    if kind.usual_limit is None or "epsilon" in chosen
)


def compare(
    plan: Architecture,
    optimizer: str,
    clip_norm: float | None,
    dtype: Any,
    tolerance: float,
    engine: Callable[..., Any] = NumpyEngine,
) -> None:
    """Train both for 20 steps and compare weights, buffers and outputs."""
    kind, settings_ = OPTIMIZERS[optimizer]
    network, own = plan.build(dtype=dtype), kind(**settings_)
    rate = 0.02 if own.usual_limit is None else 0.003
    twin = TorchTwin(network, np.random.default_rng(7))
    theirs = twin.optimizer(own, rate)
    x, target = plan.rows(ROWS, dtype=dtype)
    rows = np.random.default_rng(2).integers(ROWS, size=(STEPS, BATCH))
    start = network.theta.copy()

    own.allocate(network.theta)
    bounds = np.arange(STEPS + 1) * BATCH
    made = engine(network, own, x, target, rng=np.random.default_rng(7), clip_norm=clip_norm)
    made.run(Batches(rows.ravel(), bounds, np.full(STEPS, rate)))
    for batch in rows:
        twin.step(x[batch], target[batch], theirs, clip_norm)

    assert np.abs(network.theta - start).max() > 100 * tolerance
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(network.theta, twin.theta, **close)
    for name, array in twin.running.items():
        np.testing.assert_allclose(network.buffers[name], array, **close)
    loss, y = made.evaluate(x, target)
    expected_loss, expected = twin.evaluate(x, target)
    assert expected_loss == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(y, expected, **close)


@pytest.mark.parametrize(
    ("way", "seed"),
    [
        *(("numpy", seed) for seed in range(40)),
        *(("kernels", 1000 + seed) for seed in range(20)),
        *(("kernels that skip zeros", 2000 + seed) for seed in range(20)),
    ],
)
def test_weights_after_twenty_steps(way: str, seed: int, monkeypatch: pytest.MonkeyPatch):
    """Float64: every parameter and running statistic agrees to 1e-10, whatever the network; by
    kernels, on two threads, as closely, also where zeros are looked for in every product.
    """
    skips, deal = way.endswith("zeros"), at_random(seed)
    if skips:
        monkeypatch.setattr(sizes, "may_skip_zeros", lambda *sizes: True)
    images = seed % 1000 % (2 if skips else 3) != 0
    plan = draw(deal, images=images, batch_norm=True, dropout=True)
    clip_norm = None if skips else deal("clip", (None, 0.1))
    by_kernels = partial(TapeEngine, batch_size=BATCH, threads=2)
    engine = NumpyEngine if way == "numpy" else by_kernels
    rule = STABLE[seed % 1000 % len(STABLE)]
    compare(plan, rule, clip_norm, np.float64, 1e-10, engine)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_a_twin(name: str):
    """Float64: outputs and gradients of every layer agree with PyTorch's to 1e-10."""
    rng = np.random.default_rng(5)
    for make in NETWORKS[name]:
        network = Network(make(), MeanSquared(), (2, 7, 6))
        network.initialize(rng=rng)
        x = rng.standard_normal((4, 2, 7, 6))
        target = rng.standard_normal((4, *network.output_shape))
        twin = TorchTwin(network, np.random.default_rng(7))
        network.backpropagate(x, target, np.random.default_rng(7))
        twin.step(x, target, torch.optim.SGD(twin.weights.values(), 1.0), None)
        expected = network.theta - twin.theta  # one step at a rate of 1
        np.testing.assert_allclose(network.gradient, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize(
    ("seed", "images", "dtype", "tolerance"),
    [(40, False, "float64", 1e-10), (40, True, "float64", 1e-10), (41, True, "float32", 1e-4)],
)
def test_every_optimizer(optimizer: str, seed: int, images: bool, dtype: str, tolerance: float):
    """Every optimizer's weights agree to 1e-10, and in single precision to 1e-4."""
    compare(draw(at_random(seed), images=images), optimizer, None, np.dtype(dtype), tolerance)


@pytest.mark.parametrize("clip_norm", [0.001, 0.1, 1e6])
def test_clipping(clip_norm: float):
    """Gradients longer than the limit are scaled to it exactly; shorter ones are left alone."""
    compare(draw(at_random(42), images=False), "momentum", clip_norm, np.float64, 1e-10)


def with_rate(rate: float) -> torch.optim.Optimizer:
    """An optimizer whose learning rate a schedule of PyTorch changes."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def rates_of(optimizer: torch.optim.Optimizer, schedule: Any, *arguments: Any) -> list[float]:
    """The rate of each iteration; the schedule takes a step after each, with its argument."""
    rates = []
    for step in arguments:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*step)
    return rates


@pytest.mark.parametrize("rise", [0.05, 0.25, 0.3, 0.5, 0.9])
@pytest.mark.parametrize(("up", "down"), [(25, 1e4), (4, 2), (1, 10)])
def test_one_cycle(rise: float, up: float, down: float):
    """The rates of OneCycleLR, for each length up to 50 in which it rises for an iteration or more.

    In a shorter run that one does not begin at its initial rate.
    """
    for total in (total for total in range(1, 51) if rise * total > 1):
        optimizer = with_rate(1.0)
        twin = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            0.7,
            total,
            pct_start=rise,
            div_factor=up,
            final_div_factor=down,
            cycle_momentum=False,
        )
        expected = rates_of(optimizer, twin, *[()] * total)
        schedule = OneCycle(0.7, rise, 0.7 / up, 0.7 / up / down)
        actual = schedule.rates(np.arange(float(total)), total)
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("period", "growth"), [(7, 1), (5, 2), (3, 3)])
def test_cosine_restarts(period: int, growth: int):
    """The rates of CosineAnnealingWarmRestarts, over several restarts."""
    optimizer = with_rate(0.7)
    twin = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, period, growth, 0.1)
    expected = rates_of(optimizer, twin, *[()] * 100)
    actual = CosineRestarts(0.7, period, growth, 0.1).rates(np.arange(100.0), 100)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_reduce_on_plateau(patience: int):
    """The rates of ReduceLROnPlateau, whose patience is smaller by one, for the same losses."""
    losses = np.random.default_rng(patience).random(200).cumsum() % 7
    optimizer = with_rate(0.7)
    twin = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=0.0, min_lr=0.01, eps=0.0
    )
    schedule = ReduceOnPlateau(0.7, 0.5, patience, 0.01)
    expected = rates_of(optimizer, twin, *[(loss,) for loss in losses])
    actual = []
    for loss in losses:
        actual.append(schedule.rate_at(0, 200))
        schedule.observe(float(loss))
    assert expected == actual
