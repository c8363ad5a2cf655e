"""The weight of each row in the loss, from the column of weights and the weights of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnrun.data.dataset import DatasetProblem
from nnrun.data.split_rows import Split, SplitData
from nnrun.nn.signature import Array

_COLUMN = ("dataset", "columns", "weight")
_CLASSES = ("training", "class_weight")


def class_factors(
    rule: str | Mapping[str, float] | None, classes: Sequence[str], train: SplitData
) -> Array | None:
    """The factor of each class, (classes,); None if classes have no weights.

    `balanced` gives all classes the same sum of weights in the training split, as scikit-learn's
    `compute_class_weight` does: the sum of all weights, divided by the number of classes there and
    by the sum of the class. A label without a weight has 1.
    """
    if rule is None:
        return None
    if not isinstance(rule, str):
        return np.array([rule.get(name, 1.0) for name in classes])
    sums = np.bincount(train.y, train.weight, len(classes)).astype(np.float64)
    there = sums > 0
    factors = np.ones(len(classes))
    factors[there] = sums.sum() / (there.sum() * sums[there])
    return factors


def row_weights(part: SplitData, factors: Array | None) -> Array | None:
    """The weight of each row, the class's included; None if rows have no weights."""
    if factors is None:
        return part.weight
    by_class: Array = factors[part.y]
    return by_class if part.weight is None else by_class * part.weight


def relative(weights: Array | None) -> Array | None:
    """The weights divided by their mean, so that a loss over all rows is a weighted mean."""
    if weights is None:
        return None
    largest = float(weights.max(initial=0))
    if not largest:
        return weights
    scaled = weights / largest  # the sum of large weights may overflow
    found: Array = scaled / scaled.mean()
    return found


def check_weights(
    split: Split, classes: Sequence[str], rule: str | Mapping[str, float] | None
) -> None:
    """Raise a DatasetProblem if weights leave a split without rows, or name unknown classes."""
    problems: list[tuple[Any, str]] = []
    if isinstance(rule, Mapping):
        known = ", ".join(classes[:10]) + ", …" * (len(classes) > 10)
        problems += [
            ((*_CLASSES, name), f"'{name}' is no class; the classes are {known}")
            for name in rule
            if name not in classes
        ]
    if rule is not None and not classes:
        problems = [(_CLASSES, "there are no classes: this is regression")]
    factors = None if problems else class_factors(rule, classes, split.train)
    for name, part in {"train": split.train, **split.held_out}.items():
        if part.weight is not None and not part.weight.any():
            problems.append((_COLUMN, f"every row of the {name} split has a weight of 0"))
        elif factors is not None and not np.any(row_weights(part, factors)):
            problems.append((_CLASSES, f"every row of the {name} split has a weight of 0"))
    if problems:
        raise DatasetProblem(problems)
