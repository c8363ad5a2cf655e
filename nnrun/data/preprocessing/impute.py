"""Filling in missing numbers of a table, before all other steps of preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from nnrun.data.preprocessing.statistics import Numbers
from nnrun.data.preprocessing.steps import Array, FeatureError


class Impute:
    """Replaces NaN by a statistic of the feature over the training rows.

    `statistics` has `mean`, `median` or `most_frequent` (of equally frequent values the smallest),
    by the index of each feature that may be missing; `fill` the fitted values, for every feature.
    """

    name: ClassVar[str] = "impute"

    def __init__(self, statistics: Mapping[int, str] | None = None, fill: Any = None) -> None:
        self.statistics = dict(statistics or {})
        self.fill: Array | None = None if fill is None else np.asarray(fill, dtype=np.float64)

    def fit(self, rows: Numbers) -> None:
        fill = np.zeros(rows.shape)
        for feature, statistic in self.statistics.items():
            values = rows.column(feature)
            values = values[~np.isnan(values)]
            if not len(values):
                raise FeatureError(feature, "has no value in the training split to fill in from")
            fill[feature] = STATISTICS[statistic](values)
        self.fill = fill

    def apply(self, x: Array) -> Array:
        return np.where(np.isnan(x), self._fitted(), x)

    def state(self) -> dict[str, Any]:
        return {"fill": self._fitted().tolist()}

    def _fitted(self) -> Array:
        if self.fill is None:
            raise RuntimeError("preprocessing is used before it is fitted")
        return self.fill


def _most_frequent(values: Array) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


STATISTICS: dict[str, Callable[[Array], float]] = {
    "mean": lambda values: float(np.mean(values)),
    "median": lambda values: float(np.median(values)),
    "most_frequent": _most_frequent,
}
