"""Causes in the numbers of the data: the scale of features, that of the target, and outliers."""

from __future__ import annotations

from math import ceil, log10

import numpy as np

from nnrun.runs.diagnosis.inputs import (
    FACTOR,
    DiagnosisInput,
    Diagnostic,
    reach,
    root_mean_square,
    rounded,
)

_LARGEST = 1e308
# A target has outliers if this share of the rows has more than that share of its variance. Of
# normal values the outermost 1% have 8%, of exponential ones 24%.
_FEW, _MOST = 0.01, 0.5


def feature_scale(case: DiagnosisInput) -> Diagnostic | None:
    """Columns whose sizes differ by orders of magnitude, or features that are all large.

    Both the largest values and the root mean squares must differ, so that a rare 1 among zeros, or
    an outlier, does not count.
    """
    names, x = case.numbers
    sizes = case.feature_sizes
    if names and sizes.any():
        largest = reach(x)
        there = np.where(sizes > 0, largest, np.inf)
        large, small = int(largest.argmax()), int(there.argmin())
        factor = min(float(largest[large] / largest[small]), _LARGEST)
        if factor >= FACTOR and sizes[large] >= FACTOR * sizes[small]:
            text = (
                f"features differ in scale: {names[large]} reaches {largest[large]:.3g} "
                f"and {names[small]} {largest[small]:.3g}, a factor of {rounded(factor)}; "
                "try dataset.features=standard"
            )
            return Diagnostic("feature_scale", text, log10(factor))
    size = case.feature_size
    if size >= FACTOR:
        step = "standard" if case.features else "minmax"
        text = f"features reach {reach(x).max():.3g}; try dataset.features={step}"
        return Diagnostic("feature_scale", text, log10(size))
    return None


def target_scale(case: DiagnosisInput) -> Diagnostic | None:
    """A target whose values, as the network must output them, are far from 1."""
    if case.classifies:
        return None
    target = case.examples["train"].target
    size = float(root_mean_square(target.reshape(-1, 1))[0])
    if size < FACTOR:
        return None
    largest = float(np.abs(target).max())
    text = f"the target is not scaled: it reaches {largest:.3g}; try dataset.target=standard"
    return Diagnostic("target_scale", text, log10(size))


def outliers(case: DiagnosisInput) -> Diagnostic | None:
    """A few training rows with most of the target's variance, which a squared error follows."""
    if case.classifies or case.config.loss.type != "mean_squared":
        return None
    y = case.examples["train"].y.astype(np.float64)
    middle = np.median(y, axis=0)
    parts = np.sort(((y - middle) ** 2).sum(axis=1))[::-1]
    few, total = ceil(_FEW * len(parts)), float(parts.sum())
    share = float(parts[:few].sum()) / total if 0 < total < np.inf else 0.0
    if len(parts) * _FEW < 1 or share <= _MOST:
        return None
    away, usual = np.sqrt(parts[0]), np.sqrt(np.median(parts))
    text = (
        f"{few:,} of {len(parts):,} training rows have {100 * share:.0f}% of the target's variance "
        f"(up to {away:.3g} from its median, half of the rows within {usual:.3g}), and the squared "
        "error follows them: check these rows, or try loss=huber"
    )
    return Diagnostic("outliers", text, 2 * share)
