"""A column that gives the target by itself, as one does that is known only after it."""

from __future__ import annotations

import numpy as np

from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic

# The skill on held-out rows from which it is looked for, and the rows without which it is chance.
_NEARLY_ALL, _ROWS = 0.99, 30
# The correlation of two columns of numbers that are the same but for rounding.
_SAME = 0.9999


def one_column(case: DiagnosisInput) -> Diagnostic | None:
    """A column by which the training rows are in the order of their target.

    It is looked for where training and held-out rows are predicted nearly without error.
    """
    if "test" not in case.outputs or len(case.examples["train"]) < _ROWS or not case.features:
        return None
    if min(case.skill(split) or 0.0 for split in ("train", "test")) < _NEARLY_ALL:
        return None
    part = case.examples["train"]
    looked_for = (
        {"separates the classes": _separates}
        if case.classifies
        else {"is the target, in another unit,": _follows, "has the target's order": _orders}
    )
    found = [
        (name, what)
        for what, gives in looked_for.items()
        for name, x in zip(case.features, part.x.T, strict=True)
        if gives(x, part.y)
    ]
    if not found:
        return _blank_in_one_class(case) if case.classifies else None
    feature, what = found[0]
    source = case.sources.get(feature, feature)
    part_of = f", by {feature}," * (source != feature)
    text = (
        f"the column {source} alone{part_of} {what} in all {len(part):,} training rows: "
        "if it is known only after the target, name it in dataset.columns.drop"
    )
    return Diagnostic("leak", text)


def _blank_in_one_class(case: DiagnosisInput) -> Diagnostic | None:
    """A column with one value in all rows of one of two classes and in none of the other.

    What fills blanks may lie between other values, and so be no interval of its own. Of a date all
    parts together are compared: each alone may be that of another day.
    """
    part = case.examples["train"]
    if len(np.unique(part.y)) != 2:
        return None
    sources = [case.sources.get(feature, feature) for feature in case.features]
    for source in dict.fromkeys(sources):
        x = part.x[:, [name == source for name in sources]]
        for label in np.unique(part.y):
            own, others = x[part.y == label], x[part.y != label]
            if np.all(own == own[0]) and not np.any(np.all(others == own[0], axis=1)):
                text = (
                    f"the column {source} is blank or the same in all training rows of one class, "
                    "and in none of the other: if it is known only after the target, name it in "
                    "dataset.columns.drop"
                )
                return Diagnostic("leak", text)
    return None


def _separates(x: Array, y: Array) -> bool:
    """Whether each class has an interval of values of its own."""
    order = np.lexsort((y, x))
    changes = np.flatnonzero(np.diff(y[order]))
    apart = x[order][changes] < x[order][changes + 1]
    return len(changes) == len(np.unique(y)) - 1 > 0 and bool(apart.all())


def _follows(x: Array, y: Array) -> bool:
    """Whether the only target is a linear function of the column."""
    if y.shape[1] > 1 or not np.ptp(x):
        return False
    return abs(float(np.corrcoef(x, y[:, 0])[0, 1])) > _SAME


def _orders(x: Array, y: Array) -> bool:
    """Whether the only target rises or falls with the column, as with its logarithm or square."""
    if y.shape[1] > 1 or not np.ptp(x):
        return False
    first, second = (np.unique(values, return_inverse=True)[1] for values in (x, y[:, 0]))
    return abs(float(np.corrcoef(first, second)[0, 1])) > _SAME
