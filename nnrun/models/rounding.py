"""How far float32 moves what a network is given, and what it predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.data.preprocessing.steps import Array, Binarize, MinMax, Standard
from nnrun.models.model import Model

LIMIT = 1e-5
"""More than this, in units of a column's spread, needs float64."""


@dataclass(frozen=True)
class Rounding:
    """The column that rounding to float32 moves most.

    Args:
        column: its name.
        moved: by how much at most where numbers lie within one spread of the offset, in units of
            that spread: the standard deviation (`standard`) or the range (`minmax`) that training
            fitted. Infinite where float32 overflows.
    """

    column: str
    moved: float

    @property
    def needs_float64(self) -> bool:
        """Whether that is more than exported models may differ from the run."""
        return self.moved > LIMIT


def rounding_of(model: Model) -> Rounding:
    """How far float32 moves raw features after their scaling, and a scaled target.

    It is a matter of the fitted offsets and scales, so that the data need not be there. A column
    of 1.7e9 ± 1e4 moves by 64 / 1e4, for float32 has a number every 128 there.
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
    """The distances by feature; 0 where no scaling has been fitted."""
    moved: Array | None = None
    for step in preprocessing.steps:
        if isinstance(step, Binarize):
            break
        if isinstance(step, Standard | MinMax):
            moved = _scaled(step) if moved is None else moved / np.asarray(step.scale)
    return np.zeros(shape) if moved is None else np.broadcast_to(moved, shape)


def _scaled(step: Standard | MinMax) -> Array:
    """Half the distance of two numbers of float32 where the column is, over its scale."""
    shift, scale = np.asarray(step.shift, np.float64), np.asarray(step.scale, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = (np.abs(shift) + scale).astype(np.float32)
        half = np.spacing(largest).astype(np.float64) / 2
    moved: Array = np.where(np.isfinite(largest), half, np.inf) / scale
    return moved
