"""The steps of preprocessing: fitted on training rows, then applied to all rows.

Every step is applied to a float64 array of shape (rows, *shape) that it may overwrite, a block of
rows at a time. Statistics are per feature (or per pixel), so they have the shape of one row, or one
that broadcasts to it.

`jump` is the number at which a step's results jump, so that rounding may change them at once; None
where they do not. Exports choose float64 by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nnrun.data.preprocessing.statistics import Numbers, Step
from nnrun.errors import DataError
from nnrun.tables import Table

Array = npt.NDArray[np.float64]


class FeatureError(DataError):
    """An error about one feature, by its index in a flattened row."""

    def __init__(self, feature: int, message: str) -> None:
        super().__init__(f"feature {feature} {message}")
        self.feature = feature
        self.message = message


class L2:
    """Each row divided by its Euclidean length: x / sqrt(sum x²). A row of zeros stays zero."""

    name: ClassVar[str] = "l2"
    jump = None

    def fit(self, rows: Numbers) -> None:
        """Nothing to fit: each row is divided by its own length."""

    def apply(self, x: Array) -> Array:
        flat = x.reshape(len(x), -1)
        # Dividing by the largest entry first keeps the squares from overflow and underflow.
        largest = np.abs(flat).max(axis=1, keepdims=True, initial=0.0)
        flat /= np.where(largest > 0, largest, 1.0)
        length = np.sqrt(sums_of_squares(flat))[:, None]
        flat /= np.where(length > 0, length, 1.0)
        return flat.reshape(x.shape)

    def state(self) -> dict[str, Any]:
        return {}


def sums_of_squares(x: Array) -> Array:
    """Σ x² of each row, with the same bits on every processor.

    Even and odd columns are summed separately, four pairs at a time from the last to the first.
    That is the order of `np.einsum` on x86-64; on ARM64 it also rounds differently.
    """
    rows, columns = x.shape
    in_fours = columns // 8 * 8
    starts = [four + 6 - 2 * k for four in range(0, in_fours, 8) for k in range(4)]
    sums = np.zeros((rows, 2))
    for start in (*starts, *range(in_fours, columns, 2)):
        pair = x[:, start : start + 2]
        sums[:, : pair.shape[1]] += pair**2
    total: Array = sums[:, 0] + sums[:, 1]
    return total


class Binarize:
    """1 where x ≥ threshold, else 0.

    Args:
        threshold: The threshold.
    """

    name: ClassVar[str] = "binarize"

    def __init__(self, threshold: float) -> None:
        self.threshold = float(threshold)

    def fit(self, rows: Numbers) -> None:
        """Nothing to fit: the threshold is an argument."""

    def apply(self, x: Array) -> Array:
        return np.greater_equal(x, self.threshold).astype(np.float64)

    def state(self) -> dict[str, Any]:
        return {"threshold": self.threshold}

    @property
    def jump(self) -> float:
        """The threshold."""
        return self.threshold


class Scaler:
    """The base class of steps that can be undone: (x - shift) / scale with fitted statistics."""

    name: ClassVar[str]
    jump = None

    def __init__(self, shift: Any = None, scale: Any = None) -> None:
        self.shift: Array | None = None if shift is None else np.asarray(shift, dtype=np.float64)
        self.scale: Array | None = None if scale is None else np.asarray(scale, dtype=np.float64)

    def fit(self, rows: Numbers) -> None:
        """Compute the statistics and keep them."""
        raise NotImplementedError

    def leave(self, features: Sequence[int]) -> None:
        """Do not change these features."""
        if len(features):
            shift, scale = self._fitted()
            shift[features], scale[features] = 0, 1

    def apply(self, x: Array) -> Array:
        shift, scale = self._fitted()
        x -= shift
        x /= scale
        return x

    def invert(self, x: Array) -> Array:
        shift, scale = self._fitted()
        return x * scale + shift

    def state(self) -> dict[str, Any]:
        shift, scale = self._fitted()
        return {"shift": shift.tolist(), "scale": scale.tolist()}

    def _fitted(self) -> tuple[Array, Array]:
        if self.shift is None or self.scale is None:
            raise RuntimeError("preprocessing is used before it is fitted")
        return self.shift, self.scale

    def _keep(self, shift: Array, scale: Array) -> None:
        sound = np.isfinite(shift) & np.isfinite(scale)
        if not sound.all():
            message = "has values too large to be scaled: their spread overflows float64"
            raise FeatureError(int(sound.argmin()), message)
        self.shift, self.scale = shift, np.where(scale > 0, scale, 1.0)


class Standard(Scaler):
    """(x - mean) / standard deviation (the population's); of a constant feature, x - mean.

    A feature that differs from its mean by rounding alone counts as constant, as it does for
    scikit-learn's `StandardScaler`: it is not divided.
    """

    name: ClassVar[str] = "standard"

    def fit(self, rows: Numbers) -> None:
        low, high = rows.extremes()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = rows.mean()
            variance = rows.variance(mean)
            # The computed mean of equal numbers may be rounded, and the variance then not zero.
            mean = np.where(low == high, low, mean)
            variance = np.where(low == high, 0.0, variance)
            noise = np.isfinite(variance) & (variance <= _rounding(len(rows), mean, variance))
        self._keep(mean, np.sqrt(np.where(noise, 0.0, variance)))


class PerChannel(Scaler):
    """As `standard`, with one mean and one deviation for all pixels of a channel.

    Pixels stay comparable, so that images may be shifted and turned once they are prepared. A row
    that is no image is one channel.
    """

    name: ClassVar[str] = "per_channel"

    def fit(self, rows: Numbers) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            means = rows.mean()  # of each pixel
            variances = rows.variance(means)
            mean = _over_pixels(means)
            variance = _over_pixels(variances + (means - mean) ** 2)
            numbers = len(rows) * means.size // mean.size
            noise = np.isfinite(variance) & (variance <= _rounding(numbers, mean, variance))
        self._keep(mean, np.sqrt(np.where(noise, 0.0, variance)))


def _over_pixels(values: Array) -> Array:
    """The mean of each channel of (channels, height, width), as (channels, 1, 1).

    Of the features of a table, one mean for each of them.
    """
    if values.ndim == 1:
        return np.full(values.shape, values.mean())
    pixels = np.ascontiguousarray(values.reshape(len(values), -1).T)
    means: Array = pixels.mean(axis=0)
    return means.reshape(-1, 1, 1)


def _rounding(rows: int, mean: Array, variance: Array) -> Array:
    """The largest variance that rounding can give for equal numbers.

    Chan, Golub and LeVeque, The American Statistician 37 (1983), as in scikit-learn.
    """
    epsilon = np.finfo(np.float64).eps
    bound: Array = rows * epsilon * variance + (rows * mean * epsilon) ** 2
    return bound


class MinMax(Scaler):
    """(x - min) / (max - min), so that the training rows fill [0, 1]; of a constant, x - min."""

    name: ClassVar[str] = "minmax"

    def fit(self, rows: Numbers) -> None:
        low, high = rows.extremes()
        with np.errstate(over="ignore"):
            self._keep(low, high - low)


STEPS: Table[Callable[..., Step]] = Table(
    "step", {step.name: step for step in (L2, Standard, PerChannel, MinMax, Binarize)}
)
SCALERS: Table[type[Scaler]] = Table("step", {scaler.name: scaler for scaler in (Standard, MinMax)})
