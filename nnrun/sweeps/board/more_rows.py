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
_POWERS = np.linspace(0.1, 2.0, 951)[:, np.newaxis]
_DRAWS, _FEWEST, _DRAWN, _ENDS = 1000, 3, 40, (0.025, 0.975)


class Curve(NamedTuple):
    """Values by training size, each with the ends of its 95% interval."""

    sizes: list[float]
    values: list[float]
    low: list[float]
    high: list[float]


class Gain(NamedTuple):
    """What twice the largest size would change, in units of the metric, with its 95% interval;
    the means that were measured, and the power law through them up to there.
    """

    split: str
    change: float
    low: float
    high: float
    means: Curve
    law: Curve


def gain_of(group: Group) -> Gain | None:
    """The gain on a board whose settings differ in the training size alone; None on others.

    It takes three sizes with an interval each. The interval of the gain is that of the fits to
    means drawn from theirs; runs that share their splits make it too wide, not too narrow.
    """
    rows = [row for row in group.rows if row.is_network]
    if len(rows) < _FEWEST or any({*row.choice} != {KEY} for row in rows):
        return None
    rows.sort(key=lambda row: (isinstance(row.choice[KEY], str), row.choice[KEY]))
    split = "test" if all(row.test is not None for row in rows) else group.ordered_by
    summaries = [summary for row in rows if (summary := row.summary(split)) is not None]
    halves = [summary.half for summary in summaries if summary.half is not None]
    sizes = [row.choice[KEY] for row in rows]
    if len({*map(type, sizes)}) > 1 or len(halves) < len(rows):
        return None
    means, half = np.array([each.mean for each in summaries]), np.array(halves)
    drawn = np.random.default_rng(0).normal(means, half / 1.96, (_DRAWS, len(means)))
    size = np.array(sizes, np.float64) / sizes[-1]
    at = np.geomspace(size[0], 2.0, _DRAWN)
    laws = _fitted(size, np.vstack([means, drawn]), np.append(at, 1.0))
    changes = laws[:, -2] - laws[:, -1]
    ends = np.quantile(laws[1:, :-1], _ENDS, axis=0)
    law = Curve((at * sizes[-1]).tolist(), laws[0, :-1].tolist(), *ends.tolist())
    measured = Curve(sizes, means.tolist(), (means - half).tolist(), (means + half).tolist())
    low, high = np.quantile(changes[1:], _ENDS)
    return Gain(split, float(changes[0]), float(low), float(high), measured, law)


def _fitted(size: Array, values: Array, at: Array) -> Array:
    """The heights of the best law for each row of values, at other sizes."""
    curves = size**-_POWERS
    level = curves.mean(axis=1, keepdims=True)
    middle, norms = values.mean(axis=1, keepdims=True), ((curves - level) ** 2).sum(axis=1)
    slopes = (values - middle) @ (curves - level).T / norms
    best = (slopes**2 * norms).argmax(axis=1)  # what the law explains of the squares
    slope = np.take_along_axis(slopes, best[:, np.newaxis], axis=1)
    heights: Array = middle + slope * (at ** -_POWERS[best] - level[best])
    return heights
