"""Features whose scale is the cause."""

from __future__ import annotations

from math import log10

import numpy as np

from nnrun.runs.diagnosis.inputs import (
    FACTOR,
    DiagnosisInput,
    Diagnostic,
    root_mean_square,
    rounded,
)

_LARGEST = 1e308


def feature_scale(case: DiagnosisInput) -> Diagnostic | None:
    """Columns whose sizes differ by orders of magnitude, or features that are all large.

    Both the largest values and the root mean squares must differ, so that a rare 1 among zeros, or
    an outlier, does not count.
    """
    names, x = case.numbers
    sizes = root_mean_square(x)
    if names and sizes.any():
        reach = np.abs(x).max(axis=0).astype(np.float64)
        there = np.where(sizes > 0, reach, np.inf)
        large, small = int(reach.argmax()), int(there.argmin())
        factor = min(float(reach[large] / reach[small]), _LARGEST)
        if factor >= FACTOR and sizes[large] >= FACTOR * sizes[small]:
            text = (
                f"features differ in scale: {names[large]} reaches {reach[large]:.3g} and "
                f"{names[small]} {reach[small]:.3g}, a factor of {rounded(factor)}; "
                "try dataset.features=standard"
            )
            return Diagnostic("feature_scale", text, log10(factor))
    size = case.feature_size
    if size >= FACTOR:
        step = "standard" if case.features else "minmax"
        text = f"features reach {np.abs(x).max():.3g}; try dataset.features={step}"
        return Diagnostic("feature_scale", text, log10(size))
    return None
