"""A small trainer, made anew for every test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from nnrun.engines.base import Sampler
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.models.task import Regression
from nnrun.nn import SGD, BatchNorm, Dropout, MeanSquared, Network, dense
from nnrun.nn.schedules import Constant
from nnrun.training.state import PreparedSplit, Streams
from nnrun.training.stopping import EarlyStopping
from nnrun.training.trainer import Trainer


@dataclass
class Settings:
    """What a test may vary."""

    iterations: int = 60
    evaluate_every: int = 20
    learning_rate: float = 0.05
    batch_size: int = 4
    sampling: str = "shuffle"
    stopping: EarlyStopping | None = None
    optimizer: object = None
    noise: float = 0.1
    linear: bool = False
    dtype: str = "float64"
    outlier: float | None = None  # of one row's features
    engine: Callable = NumpyEngine


def make(settings: Settings) -> Trainer:
    streams = Streams(7)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + settings.noise * rng.standard_normal((50, 1))
    if settings.outlier is not None:
        x[17] = settings.outlier
    x, target = x.astype(settings.dtype), y.astype(settings.dtype)
    splits = {
        "train": PreparedSplit(x[:30], target[:30], y[:30]),
        "validation": PreparedSplit(x[30:], target[30:], y[30:]),
    }
    hidden = [] if settings.linear else [dense(5, "tanh"), BatchNorm(), Dropout(0.2)]
    blocks = [*hidden, dense(1)]
    network = Network(blocks, MeanSquared(), (3,), settings.dtype)
    network.initialize(rng=streams.weights)
    optimizer = settings.optimizer or SGD(momentum=0.9)
    optimizer.allocate(network.theta)
    train = splits["train"]
    return Trainer(
        network=network,
        optimizer=optimizer,
        engine=settings.engine(network, optimizer, train.x, train.target, rng=streams.dropout),
        sampler=Sampler(30, settings.batch_size, settings.sampling, rng=streams.order),
        schedule=Constant(settings.learning_rate),
        dropout=streams.dropout,
        splits=splits,
        task=Regression(lambda y: y, lambda y: y),
        iterations=settings.iterations,
        evaluate_every=settings.evaluate_every,
        baseline=float(np.var(y[:30])),
        stopping=settings.stopping,
    )


@pytest.fixture
def trainer():
    """Makes a trainer from keyword settings."""
    return lambda **settings: make(Settings(**settings))
