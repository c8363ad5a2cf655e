"""The gradient check of a config, on a few rows of its data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnrun.data.split_rows import SplitData
from nnrun.nn.gradient_check import GradientCheck, check_gradients
from nnrun.runs.preparation.config_cache import ConfigCache, GridCache
from nnrun.runs.preparation.prepared import Prepared

ROWS = 5


def check_run_gradients(
    prepared: Prepared, *, most: int = 500, directions: int = 4
) -> list[GradientCheck]:
    """Compare every parameter's gradient with a numerical one, always in float64.

    Of large parameters, `most` entries and some random directions are compared.
    """
    training = prepared.config.training.model_copy(update={"dtype": "float64"})
    config = prepared.config.model_copy(update={"training": training})
    grid = GridCache()
    double = replace(prepared, config=config, cache=ConfigCache(), grid=grid)
    # It is the same for each dtype.
    grid.get("preprocessing", double.rows, lambda: prepared.preprocessing)
    few, streams = _few_rows(prepared.split.train), double.streams
    double.network.initialize(rng=streams.weights)
    batch = double.prepare_rows(few)
    return check_gradients(
        double.network,
        batch.x,
        batch.loss_target,
        rng=streams.order,
        most=most,
        directions=directions,
    )


def _few_rows(train: SplitData) -> SplitData:
    """Some rows from all over the training split, since data may be sorted by class.

    Rows with a weight of 0 have no gradient.
    """
    weight = np.ones(len(train)) if train.weight is None else train.weight
    counting = np.flatnonzero(weight)
    picked = np.unique(np.linspace(0, len(counting) - 1, ROWS).astype(np.intp))
    return train.take(counting[picked])
