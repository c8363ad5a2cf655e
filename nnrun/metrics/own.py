"""The metrics that unequal classes get by default, in lines of NumPy.

To import scikit-learn's metrics takes 1.5 seconds of processor time, three times what a small run
takes as a whole. Tests compare these with its functions, to 1e-12.
"""

from __future__ import annotations

from math import nan

import numpy as np

from nnrun.nn.signature import Array


def balanced_accuracy(y: Array, predicted: Array, weight: Array | None = None) -> float:
    """The mean recall of the classes that have rows."""
    rows = np.bincount(y, weight)
    right = np.bincount(y[y == predicted], _of(weight, y == predicted), minlength=len(rows))
    there = rows > 0
    return float((right[there] / rows[there]).mean())


def roc_auc(y: Array, probabilities: Array, weight: Array | None = None) -> float:
    """The area under the ROC curve of the second of two classes, or the mean over more classes.

    NaN where all rows are of one class, or where a class of several has no rows.
    """
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [area_under_roc(y == k, probabilities[:, k], weight) for k in classes]
    return float(np.mean(areas))


def area_under_roc(is_class: Array, score: Array, weight: Array | None = None) -> float:
    """The share of pairs of a row of the class and another one in which the score of the first is
    larger; equal scores count half. NaN without such pairs.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    sizes = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    found, others = (
        np.append(0.0, np.cumsum(np.where(chosen, sizes, 0.0))[last])
        for chosen in (is_class[order], ~is_class[order])
    )
    if found[-1] == 0 or others[-1] == 0:
        return nan
    area = np.sum(np.diff(others) * (found[1:] + found[:-1]) / 2)
    return float(area / (found[-1] * others[-1]))


def _of(weight: Array | None, chosen: Array) -> Array | None:
    return None if weight is None else weight[chosen]
