"""The gradient check of a config: its own network, on a few rows of its own data."""

from __future__ import annotations

import numpy as np

from nnrun.data.splits import Split, SplitData
from nnrun.nn.gradient_check import GradientCheck, check_gradients
from nnrun.runs.preparation.prepare import Prepared
from nnrun.training.streams import Streams

ROWS = 5


def check_run_gradients(prepared: Prepared) -> list[GradientCheck]:
    """Compare every parameter's gradient with a numerical one, in float64 whatever the config says.

    Args:
        prepared: the run; it is left as it is.
    """
    training = prepared.config.training.model_copy(update={"dtype": "float64"})
    config = prepared.config.model_copy(update={"training": training})
    few = Prepared(config, prepared.dataset, _few_rows(prepared.split))
    streams = Streams.of(config.seed)
    network = few.network()
    network.initialize(rng=streams.weights)
    preprocessing = prepared.preprocessing()
    batch = few.examples(network, preprocessing, few.task(network, preprocessing))["train"]
    return check_gradients(network, batch.x, batch.target, rng=streams.order)


def _few_rows(split: Split) -> Split:
    """Some training rows from all over the split, since data may be sorted by class."""
    train = split.train
    picked = np.unique(np.linspace(0, len(train) - 1, ROWS).astype(np.intp))
    part = SplitData(train.x[picked], train.y[picked], train.rows[picked])
    return Split(part, None, None, split.test_size)
