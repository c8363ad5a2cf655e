"""Features whose scale is the cause."""

from __future__ import annotations

from math import log10

import numpy as np

from nnrun.runs.diagnosis.inputs import (
    FACTOR,
    DiagnosisInput,
    Diagnostic,
    reach,
    rounded,
)

_LARGEST = 1e308


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
