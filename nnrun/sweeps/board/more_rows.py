"""Whether more rows would help: a power law through the results of several training sizes.

Errors fall as a + b n^-c with the number n of training rows (Hestness et al., *Deep learning
scaling is predictable, empirically*, 2017), down to what the features leave unexplained.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnrun.nn.signature import Array
from nnrun.sweeps.board.rows import Group

KEY = "dataset.train_size"
_POWERS = np.linspace(0.1, 2.0, 39)
_DRAWS, _FEWEST = 1000, 3


class Gain(NamedTuple):
    """What twice the largest size would change, in units of the metric, with its 95% interval."""

    split: str
    change: float
    low: float
    high: float


def gain_of(group: Group) -> Gain | None:
    """The gain on a board whose settings differ in the training size alone; None on others.

    It takes three sizes with an interval each. The interval of the gain is that of the fits to
    means drawn from theirs; runs that share their splits make it too wide, not too narrow.
    """
    rows = [row for row in group.rows if row.is_network]
    if len(rows) < _FEWEST or any({*row.choice} != {KEY} for row in rows):
        return None
    split = "test" if all(row.test is not None for row in rows) else group.ordered_by
    summaries = [summary for row in rows if (summary := row.summary(split)) is not None]
    halves = [summary.half for summary in summaries if summary.half is not None]
    sizes = [row.choice[KEY] for row in rows]
    if len({*map(type, sizes)}) > 1 or len(halves) < len(rows):
        return None
    means, errors = np.array([each.mean for each in summaries]), np.array(halves) / 1.96
    drawn = means + np.random.default_rng(0).standard_normal((_DRAWS, len(means))) * errors
    size = np.array(sizes, np.float64) / max(sizes)
    changes = _doubled(size, np.vstack([means, drawn]))
    low, high = np.quantile(changes[1:], (0.025, 0.975))
    return Gain(split, float(changes[0]), float(low), float(high))


def _doubled(size: Array, values: Array) -> Array:
    """The change from size 1 to size 2, of the best fit to each row of values."""
    centred = values - values.mean(axis=1, keepdims=True)
    best, change = np.full(len(values), np.inf), np.zeros(len(values))
    for power in _POWERS:
        curve = size**-power - (size**-power).mean()
        slope = centred @ curve / (curve @ curve)
        left = ((centred - slope[:, np.newaxis] * curve) ** 2).sum(axis=1)
        change = np.where(left < best, slope * (2.0**-power - 1), change)
        best = np.minimum(left, best)
    return change
