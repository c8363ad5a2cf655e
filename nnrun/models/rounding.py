"""How much rounding to float32 changes a network's inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.data.preprocessing.steps import Array, Binarize, MinMax, Standard
from nnrun.models.model import Model

LIMIT = 1e-5
"""A larger change, in units of a column's spread, needs float64."""


@dataclass(frozen=True)
class Rounding:
    """The column that rounding to float32 changes most.

    Args:
        column: its name.
        moved: the largest change of a number within one spread of the offset, in units of the
            spread: the fitted standard deviation (`standard`) or range (`minmax`). Infinite if
            float32 overflows.
    """

    column: str
    moved: float

    @property
    def needs_float64(self) -> bool:
        """Whether the change is larger than an exported model may differ from the run."""
        return self.moved > LIMIT


def rounding_of(model: Model) -> Rounding:
    """How much float32 changes raw features, relative to their scale, and a scaled target.

    It follows from the fitted offsets and scales, without the data. A column of 1.7e9 ± 1e4 changes
    by 64 / 1e4, since there float32 has a number every 128.
    """
    layout, preprocessing = model.layout, model.preprocessing
    moved = _features(preprocessing, layout.shape).ravel()
    names = layout.columns.feature_names
    at = int(moved.argmax())
    name = names[at] if at < len(names) else f"feature {at}"
    worst = Rounding(name, float(moved[at]))
    if preprocessing.target is not None:
        moved = _scaled(preprocessing.target).ravel()
        at = int(moved.argmax())
        if moved[at] > worst.moved:
            worst = Rounding(layout.target_names[at], float(moved[at]))
    return worst


def _features(preprocessing: Preprocessing, shape: tuple[int, ...]) -> Array:
    """The change of each feature; 0 if no scaling was fitted."""
    moved: Array | None = None
    for step in preprocessing.steps:
        if isinstance(step, Binarize):
            break
        if isinstance(step, Standard | MinMax):
            moved = _scaled(step) if moved is None else moved / np.asarray(step.scale)
    return np.zeros(shape) if moved is None else np.broadcast_to(moved, shape)


def _scaled(step: Standard | MinMax) -> Array:
    """Half the spacing of float32 at the column's size, divided by its scale."""
    shift, scale = np.asarray(step.shift, np.float64), np.asarray(step.scale, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = (np.abs(shift) + scale).astype(np.float32)
        half = np.spacing(largest).astype(np.float64) / 2
    moved: Array = np.where(np.isfinite(largest), half, np.inf) / scale
    return moved
