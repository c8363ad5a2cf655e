"""How the columns of new rows differ from those of training: what moved most comes first."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.data.columns.categories import Categorical, TargetMean
from nnrun.models.outside import Sample, categories_of
from nnrun.nn.signature import Array

LEVEL, MOST_ROWS, _LEAST = 0.05, 100_000, 5


def drift_of(sample: Sample, new: Array) -> list[dict[str, Any]]:
    """Each column of training beside that of new rows, by the distance between the two.

    The distance is the largest difference between the shares of values up to a number (Kolmogorov
    and Smirnov), the share of rows with another category, or the difference between the shares of
    missing numbers where that is larger. `p` is corrected for the number of columns (Holm 1979).

    Args:
        sample: of training.
        new: as `values_of` returns them, (rows, values).
    """
    found, at = [], 0
    categories = categories_of(sample.columns)
    for column in sample.columns.every:
        for name in [column.name] if categories[at] else column.feature_names:
            # Means of the target are without a row's own fold in training, and so are others there.
            if not isinstance(column, TargetMean):
                labels = column.labels if isinstance(column, Categorical) else None
                found.append(
                    {"column": name, **_compared(sample.values[:, at], new[:, at], labels)}
                )
            at += 1
    least = 0.0
    for place, each in enumerate(sorted(found, key=lambda each: each["p"])):
        least = each["p"] = max(least, min(1.0, each["p"] * (len(found) - place)))
        each["moved"] = least < LEVEL
    return sorted(found, key=lambda each: (not each["moved"], -each["distance"]))


def _compared(then: Array, now: Array, labels: tuple[str, ...] | None) -> dict[str, Any]:
    """The distance between a column of both, the p-value, and what they are like."""
    from scipy.stats import ks_2samp  # noqa: PLC0415  # slow to import

    if labels is not None:
        counts = np.stack([np.bincount(v.astype(int), minlength=len(labels) + 1)
                           for v in (then, now)])  # fmt: skip
        shares = counts / counts.sum(axis=1, keepdims=True)
        most = int(np.abs(shares[1] - shares[0]).argmax())
        distance = float(np.abs(shares[1] - shares[0]).sum() / 2)
        category = [*labels, "(new)"][most]
        return {"distance": distance, "p": _p(counts), "category": category,
                "share": shares[:, most].tolist()}  # fmt: skip
    there = [part[np.isfinite(part)].astype(np.float64) for part in (then, now)]
    counts = np.array([[len(a), len(b) - len(a)] for a, b in zip(there, (then, now), strict=True)])
    missing = (counts[:, 1] / counts.sum(axis=1)).tolist()
    distance, p, middle = abs(missing[1] - missing[0]), _p(counts), {}
    if all(map(len, there)):
        test = ks_2samp(*there, method="asymp")
        distance = max(distance, float(test.statistic))
        p = min(1.0, 2 * min(p, float(test.pvalue))) if any(missing) else float(test.pvalue)
        middle = {"mean": [*map(float, map(np.mean, there))],
                  "median": [*map(float, map(np.median, there))]}  # fmt: skip
    return {"distance": distance, "p": p, "missing": missing, **middle}


def _p(counts: Array) -> float:
    """p of the chi-square test of a table (2, categories), the rarest of which count as one."""
    from scipy.stats import chi2_contingency  # noqa: PLC0415  # slow to import

    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    rare = expected < _LEAST
    table = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    table = table[:, table.any(axis=0)]
    return float(chi2_contingency(table, correction=False).pvalue) if table.shape[1] > 1 else 1.0
