"""How much rounding to float32 changes a network's inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from nnrun.data.preprocessing import Preprocessing
from nnrun.data.steps import FloatArray as Array
from nnrun.data.steps import Impute, Scaler
from nnrun.models.model import Model

LIMIT = 1e-5
"""A larger change, in units of a column's spread, needs float64."""

# Below it, float32 holds every whole number.
_WHOLE = 2.0**24


@dataclass(frozen=True)
class Rounding:
    """The column that rounding to float32 changes most.

    Args:
        moved: the largest change of a number within one spread of the offset, in units of the
            spread: the fitted standard deviation (`standard`) or range (`minmax`). Infinite if
            float32 overflows.
        threshold: of `binarize`, if rounding may move numbers across it.
    """

    column: str
    moved: float
    threshold: float | None = None

    @property
    def needs_float64(self) -> bool:
        """Whether that is more than exported models may differ from the run."""
        return self.moved > LIMIT or self.threshold is not None

    @property
    def effect(self) -> str:
        """What float32 does, for a message."""
        if self.moved == inf:
            return f"would make '{self.column}' infinite"
        if self.moved > LIMIT:
            return f"would move '{self.column}' by up to {self.moved:.2g} of its spread"
        return f"may move numbers across the threshold {self.threshold:.6g} of binarize"


def rounding_of(model: Model) -> Rounding:
    """How far float32 moves raw features after their scaling, and a scaled target; and whether it
    moves any across a threshold.

    It follows from the fitted offsets and scales, without the data. A column of 1.7e9 ± 1e4 changes
    by 64 / 1e4, since there float32 has a number every 128.
    """
    layout, preprocessing = model.layout, model.preprocessing
    moved = _features(preprocessing, layout.shape).ravel()
    names = layout.columns.feature_names
    at = int(moved.argmax())
    name = names[at] if at < len(names) else f"feature {at}"
    worst = Rounding(name, float(moved[at]), _crossed(preprocessing))
    if preprocessing.target is not None:
        moved = _scaled(preprocessing.target).ravel()
        at = int(moved.argmax())
        if moved[at] > worst.moved:
            worst = replace(worst, column=layout.target_names[at], moved=float(moved[at]))
    return worst


def _crossed(preprocessing: Preprocessing) -> float | None:
    """The threshold that numbers may cross when they are rounded to float32; None if none can.

    Rounding keeps numbers on their side of a threshold that float32 holds, but for those closer
    to it than float32 can tell; below 2^24 it tells all whole numbers apart.
    """
    jumps = [_jump(step) for step in preprocessing.steps]
    threshold = next((jump for jump in jumps if jump is not None), None)
    if threshold is None:
        return None
    raw = np.asarray(threshold, np.float64)
    for step in reversed(preprocessing.steps[: jumps.index(threshold)]):
        if isinstance(step, Impute):  # fills in what is missing, and changes no number
            continue
        if not isinstance(step, Scaler):
            return threshold  # a quotient by a root, say, which no float32 is sure to hold
        raw = step.invert(raw)
    with np.errstate(over="ignore"):
        held = raw.astype(np.float32) == raw
    return None if np.all(held & (np.abs(raw) < _WHOLE)) else threshold


def _jump(step: Any) -> float | None:
    """The number at which a step's results jump; steps of plugins need not say that none do."""
    jump: float | None = getattr(step, "jump", None)
    return jump


def _features(preprocessing: Preprocessing, shape: tuple[int, ...]) -> Array:
    """The change of each feature; 0 if no scaling was fitted."""
    moved: Array | None = None
    for step in preprocessing.steps:
        if _jump(step) is not None:
            break
        if isinstance(step, Scaler):
            moved = _scaled(step) if moved is None else moved / np.asarray(step.scale)
    return np.zeros(shape) if moved is None else np.broadcast_to(moved, shape)


def _scaled(step: Scaler) -> Array:
    """Half the spacing of float32 at the column's size, divided by its scale."""
    shift, scale = np.asarray(step.shift, np.float64), np.asarray(step.scale, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = (np.abs(shift) + scale).astype(np.float32)
        half = np.spacing(largest).astype(np.float64) / 2
    moved: Array = np.where(np.isfinite(largest), half, np.inf) / scale
    return moved
