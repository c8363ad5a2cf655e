"""How much rounding to float32 changes a network's inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from nnrun.data.preprocessing import Preprocessing
from nnrun.data.steps import Clip, Impute, PiecewiseLinear, Robust, Scaler
from nnrun.data.steps import FloatArray as Array
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
            spread: the fitted standard deviation (`standard`), range (`minmax`) or distance of the
            quartiles (`robust`), or the column's narrowest piece. Infinite if float32 overflows.
        threshold: a number at which the results of a step jump, if rounding may move numbers across
            it.
        step: the name of that step.
    """

    column: str
    moved: float
    threshold: float | None = None
    step: str = ""

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
        return f"may move numbers across the threshold {self.threshold:.6g} of {self.step}"


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
    worst = Rounding(name, float(moved[at]), *_crossed(preprocessing))
    if preprocessing.target is not None:
        target = preprocessing.target
        moved = _scaled(target.shift, target.scale).ravel()
        at = int(moved.argmax())
        if moved[at] > worst.moved:
            worst = replace(worst, column=layout.target_names[at], moved=float(moved[at]))
    return worst


def _crossed(preprocessing: Preprocessing) -> tuple[float | None, str]:
    """The threshold that numbers may cross when they are rounded to float32, and its step's name.

    Rounding keeps numbers on their side of a threshold that float32 holds, but for those closer
    to it than float32 can tell; below 2^24 it tells all whole numbers apart.
    """
    steps = preprocessing.steps
    index = next((at for at, step in enumerate(steps) if _jump(step) is not None), None)
    if index is None:
        return None, ""
    raw = thresholds = np.asarray(_jump(steps[index]), np.float64)
    for step in reversed(steps[:index]):
        if isinstance(step, Impute | PiecewiseLinear | Clip):  # usual numbers stay as they are
            continue
        if not isinstance(step, Scaler):
            # A quotient by a root, say, which no float32 is sure to hold.
            return float(thresholds.flat[0]), steps[index].name
        raw = step.invert(raw)
    with np.errstate(over="ignore"):
        held = (raw.astype(np.float32) == raw) & (np.abs(raw) < _WHOLE)
    lost = np.broadcast_to(thresholds, raw.shape)[~held]
    return (float(lost[0]), steps[index].name) if len(lost) else (None, "")


def _jump(step: Any) -> Any:
    """The number at which a step's results jump, or an array of such numbers.

    Steps of plugins need not say that none do.
    """
    return getattr(step, "jump", None)


def _features(preprocessing: Preprocessing, shape: tuple[int, ...]) -> Array:
    """The change of each feature; 0 if no scaling or pieces were fitted."""
    moved: Array | None = None
    pieces, scalers = np.zeros(shape), list[Any]()
    for step in preprocessing.steps:
        if _jump(step) is not None:
            break
        if isinstance(step, Scaler | Robust):
            scale = np.asarray(step.scale, np.float64)
            moved = _scaled(step.shift, scale) if moved is None else moved / scale
            scalers.append(step)
        elif isinstance(step, PiecewiseLinear):
            start, width = step.start, step.width
            # In the column's own units, where numbers near 0 are held more exactly.
            for scaler in reversed(scalers):
                shift, scale = (
                    np.broadcast_to(each, shape)[step.place]
                    for each in (scaler.shift, scaler.scale)
                )
                start, width = start * scale + shift, width * scale
            np.maximum.at(pieces, step.place, _scaled(start, width))
    return np.maximum(pieces, 0 if moved is None else moved)


def _scaled(shift: Any, scale: Any) -> Array:
    """Half the spacing of float32 at the column's size, divided by its scale."""
    shift, scale = np.asarray(shift, np.float64), np.asarray(scale, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        largest = (np.abs(shift) + scale).astype(np.float32)
        half = np.spacing(largest).astype(np.float64) / 2
    moved: Array = np.where(np.isfinite(largest), half, np.inf) / scale
    return moved
