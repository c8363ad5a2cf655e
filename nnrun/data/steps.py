"""Steps of preprocessing, fitted on the training split, and the statistics that they need.

NumPy sums the rows of an array in order, and a single column by pairwise summation. Here both
are done block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from nnrun.data.rows import RawRows, block_rows
from nnrun.errors import DataError
from nnrun.nn.signature import Bounds, NonNegativeFloat
from nnrun.nn.special import normal_quantile
from nnrun.tables import Table

Array = npt.NDArray[np.float64]
# NumPy halves sums of more numbers than this, at a multiple of eight.
_HALVED, _EIGHT = 128, 8
# The numbers of the columns that are in memory at once.
_COLUMNS = 1 << 22


class Step(Protocol):
    """A step of preprocessing; the keys of `state` are keywords of the constructor."""

    name: ClassVar[str]

    def fit(self, rows: Numbers) -> None: ...

    def apply(self, x: Array) -> Array: ...

    def state(self) -> dict[str, Any]: ...


class Numbers:
    """Rows as float64 numbers after some steps, read in blocks.

    Args:
        raw: the rows; an array is in C order.
        steps: all fitted.
    """

    def __init__(self, raw: RawRows | npt.NDArray[Any], steps: Sequence[Step] = ()) -> None:
        self.raw, self.steps = raw if isinstance(raw, RawRows) else RawRows.of(raw), steps
        self.shape = self.raw.shape
        self.step = max(_HALVED, block_rows(self.shape))
        # Choosing features of a table by NumPy gives an array whose columns are contiguous.
        self.by_columns = self.raw.view is not None or prod(self.shape) == 1

    def __len__(self) -> int:
        return len(self.raw)

    def between(self, start: int, stop: int) -> Array:
        """Rows from one place to another, as a new array (rows, *shape)."""
        x = np.array(self.raw.between(start, stop), dtype=np.float64)
        for step in self.steps:
            x = step.apply(x)
        return x

    def column(self, feature: int) -> Array:
        """One raw feature of all rows of a table."""
        values = self.raw.features(range(feature, feature + 1))
        return np.array(values[:, 0], dtype=np.float64)

    def columns(self) -> Iterator[tuple[int, Array]]:
        """The features of all rows, flattened, some at a time: the first one, and (rows, some)."""
        features = prod(self.shape)
        step = max(1, _COLUMNS // len(self))
        for first in range(0, features, step):
            # Copies, since a view would keep its whole block in memory.
            parts = [x.reshape(len(x), -1)[:, first : first + step].copy() for x in self._blocks()]
            yield first, np.concatenate(parts)

    def extremes(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each feature."""
        found = [(x.min(axis=0), x.max(axis=0)) for x in self._blocks()]
        low, high = (np.array(ends) for ends in zip(*found, strict=True))
        return low.min(axis=0), high.max(axis=0)

    def mean(self, of: Callable[[Array], Array] = lambda x: x) -> Array:
        """The mean of each feature over all rows, or that of a function of the rows."""
        return self._sum(of) / len(self)

    def variance(self, mean: Array) -> Array:
        """The population's variance of each feature over all rows."""
        return self.mean(lambda x: np.square(x - mean))

    def _blocks(self) -> Any:
        return (self.between(at, at + self.step) for at in range(0, len(self), self.step))

    def _sum(self, of: Callable[[Array], Array]) -> Array:
        """The sum of a function of the rows."""
        if self.by_columns:
            return self._sum_of_halves(of, 0, len(self))
        total: Array | None = None
        for x in self._blocks():
            terms = of(x) if total is None else np.concatenate([total[np.newaxis], of(x)])
            total = np.add.reduce(terms, axis=0)
        assert total is not None  # no split is empty
        return total

    def _sum_of_halves(self, of: Callable[[Array], Array], start: int, stop: int) -> Array:
        count = stop - start
        if count <= self.step:
            columns = np.asfortranarray(of(self.between(start, stop)))
            total: Array = np.add.reduce(columns, axis=0)
            return total
        half = start + count // 2 // _EIGHT * _EIGHT
        return self._sum_of_halves(of, start, half) + self._sum_of_halves(of, half, stop)


# The steps of preprocessing: fitted on training rows, then applied to all rows.
#
# Every step is applied to a float64 array of shape (rows, *shape) that it may overwrite, a block of
# rows at a time. Statistics are per feature (or per pixel), so they have the shape of one row, or
# one that broadcasts to it.
#
# `jump` is the number at which a step's results jump, so that rounding may change them at once;
# None where they do not. Exports choose float64 by it.

FloatArray = npt.NDArray[np.float64]


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

    def apply(self, x: FloatArray) -> FloatArray:
        flat = x.reshape(len(x), -1)
        # Dividing by the largest entry first keeps the squares from overflow and underflow.
        largest = np.abs(flat).max(axis=1, keepdims=True, initial=0.0)
        flat /= np.where(largest > 0, largest, 1.0)
        length = np.sqrt(sums_of_squares(flat))[:, None]
        flat /= np.where(length > 0, length, 1.0)
        return flat.reshape(x.shape)

    def state(self) -> dict[str, Any]:
        return {}


def sums_of_squares(x: FloatArray) -> FloatArray:
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
    total: FloatArray = sums[:, 0] + sums[:, 1]
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

    def apply(self, x: FloatArray) -> FloatArray:
        return np.greater_equal(x, self.threshold).astype(np.float64)

    def state(self) -> dict[str, Any]:
        return {"threshold": self.threshold}

    @property
    def jump(self) -> float:
        """The threshold."""
        return self.threshold


class PerFeature:
    """The base class of steps with statistics of each feature, which may leave some alone."""

    kept: Sequence[int] = ()
    """Features of a table that are not changed, unless their statistics say so."""
    spares_one_hot: ClassVar[bool] = False
    """Whether one-hot features are left alone, too."""

    def leave(self, features: Sequence[int]) -> None:
        """Do not change these features, nor add columns for them."""
        self.kept = [*features]

    def sound(self, shape: tuple[int, ...]) -> bool:
        """Whether stored statistics are those of rows of this shape."""
        return True


class AddsColumns:
    """The base class of steps that put columns beside the features of a table.

    Their number is known once the step is fitted. Later steps neither see nor change them.
    """

    place: npt.NDArray[np.intp]
    """The feature that each added column is made of."""
    widens: bool = True
    """Whether there may be such columns, before the step is fitted."""

    def added(self, x: FloatArray) -> FloatArray:
        """The columns for rows as they are before the step: (rows, columns)."""
        raise NotImplementedError

    def titles(self) -> list[str]:
        """What each column is of its feature, for names."""
        raise NotImplementedError


class Scaler(PerFeature):
    """The base class of steps that can be undone: (x - shift) / scale with fitted statistics."""

    name: ClassVar[str]
    jump = None

    def __init__(self, shift: Any = None, scale: Any = None) -> None:
        self.shift: FloatArray | None = (
            None if shift is None else np.asarray(shift, dtype=np.float64)
        )
        self.scale: FloatArray | None = (
            None if scale is None else np.asarray(scale, dtype=np.float64)
        )

    def fit(self, rows: Numbers) -> None:
        """Compute the statistics and keep them."""
        raise NotImplementedError

    def leave(self, features: Sequence[int]) -> None:
        if len(features):
            shift, scale = self._fitted()
            shift[features], scale[features] = 0, 1

    def apply(self, x: FloatArray) -> FloatArray:
        shift, scale = self._fitted()
        x -= shift
        x /= scale
        return x

    def invert(self, x: FloatArray) -> FloatArray:
        shift, scale = self._fitted()
        return x * scale + shift

    def state(self) -> dict[str, Any]:
        shift, scale = self._fitted()
        return {"shift": shift.tolist(), "scale": scale.tolist()}

    def _fitted(self) -> tuple[FloatArray, FloatArray]:
        if self.shift is None or self.scale is None:
            raise RuntimeError("preprocessing is used before it is fitted")
        return self.shift, self.scale

    def _keep(self, shift: FloatArray, scale: FloatArray) -> None:
        _require_finite(np.isfinite(shift) & np.isfinite(scale))
        self.shift, self.scale = shift, np.where(scale > 0, scale, 1.0)


def _require_finite(sound: npt.NDArray[np.bool_], first: int = 0) -> None:
    """Raise a FeatureError for the first feature without sound statistics."""
    if not sound.all():
        message = "has values too large to be scaled: their spread overflows float64"
        raise FeatureError(first + int(sound.argmin()), message)


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
    """`standard` with one mean and one deviation for all pixels of a channel.

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


def _over_pixels(values: FloatArray) -> FloatArray:
    """The mean of each channel of (channels, height, width), as (channels, 1, 1).

    Of the features of a table, one mean for each of them.
    """
    if values.ndim == 1:
        return np.full(values.shape, values.mean())
    pixels = np.ascontiguousarray(values.reshape(len(values), -1).T)
    means: FloatArray = pixels.mean(axis=0)
    return means.reshape(-1, 1, 1)


def _rounding(rows: int, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """The largest variance that rounding can give for equal numbers.

    Chan, Golub and LeVeque, The American Statistician 37 (1983), as in scikit-learn.
    """
    epsilon = np.finfo(np.float64).eps
    bound: FloatArray = rows * epsilon * variance + (rows * mean * epsilon) ** 2
    return bound


class MinMax(Scaler):
    """(x - min) / (max - min), so that the training rows fill [0, 1]; of a constant, x - min."""

    name: ClassVar[str] = "minmax"

    def fit(self, rows: Numbers) -> None:
        low, high = rows.extremes()
        with np.errstate(over="ignore"):
            self._keep(low, high - low)


class Robust(PerFeature):
    """z / √(1 + (z/3)²) of z = (x - median) / (upper - lower quartile), which stays within ±3.

    Where the quartiles are equal, half the range divides, and a constant feature is not divided.
    Holzmüller, Grinsztajn and Steinwart, "Better by Default", arXiv:2407.04491 (2024).
    """

    name: ClassVar[str] = "robust"
    jump = None

    def __init__(self, shift: Any = (), scale: Any = (), kept: Sequence[int] = ()) -> None:
        self.shift, self.scale = (np.asarray(each, np.float64) for each in (shift, scale))
        self.kept = kept

    def fit(self, rows: Numbers) -> None:
        parts = []
        for first, columns in rows.columns():
            with np.errstate(over="ignore", invalid="ignore"):
                lower, median, upper = np.quantile(columns, [0.25, 0.5, 0.75], axis=0)
                scale = upper - lower
            _require_finite(np.isfinite(median) & np.isfinite(scale), first)
            halved = columns.max(axis=0) / 2 - columns.min(axis=0) / 2
            scale = np.where(scale > 0, scale, halved)
            parts.append((median, np.where(scale > 0, scale, 1.0)))
        self.shift, self.scale = (
            np.concatenate(each).reshape(rows.shape) for each in zip(*parts, strict=True)
        )

    def apply(self, x: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            z = np.clip((x - self.shift) / self.scale, -MOST, MOST)
        y: FloatArray = z / np.sqrt(1 + np.square(z / 3))
        y[:, self.kept] = x[:, self.kept]
        return y

    def sound(self, shape: tuple[int, ...]) -> bool:
        return self.shift.shape == self.scale.shape == shape and bool((self.scale > 0).all())

    def state(self) -> dict[str, Any]:
        fitted = {"shift": self.shift.tolist(), "scale": self.scale.tolist()}
        return {**fitted, **({"kept": [*self.kept]} if self.kept else {})}


MOST = 1e100
"""The size at which `robust` cuts numbers off, so that their squares do not overflow."""


class Quantile(PerFeature):
    """The normal distribution's quantile of the share of training rows below a number.

    Shares are interpolated between at most 1,000 quantiles of the training rows; a number that
    several of them equal has the mean of their shares. It is what scikit-learn's
    `QuantileTransformer(output_distribution="normal")` computes from all rows: between ±5.2, which
    numbers within 1e-7 of the smallest and of the largest one become, too. One-hot features stay.
    """

    name: ClassVar[str] = "quantile"
    spares_one_hot = True

    def __init__(self, quantiles: Any = (), kept: Sequence[int] = ()) -> None:
        self.quantiles = np.asarray(quantiles, np.float64)
        self.kept = kept

    @property
    def jump(self) -> FloatArray:
        """The quantiles: a number that several of them equal is apart from those beside it."""
        return self.quantiles

    def fit(self, rows: Numbers) -> None:
        percent = np.linspace(0, 1, min(_QUANTILES, len(rows))) * 100
        parts = []
        for first, columns in rows.columns():
            with np.errstate(over="ignore", invalid="ignore"):
                # Rounding may put quantiles of equal numbers out of order.
                found = np.maximum.accumulate(np.percentile(columns, percent, axis=0))
                sound = np.isfinite(found).all(axis=0) & np.isfinite(found[-1] - found[0])
            _require_finite(sound, first)
            parts.append(found)
        self.quantiles = np.concatenate(parts, axis=1).reshape(-1, *rows.shape)

    def apply(self, x: FloatArray) -> FloatArray:
        y = normal_scores(x, self.quantiles)
        y[:, self.kept] = x[:, self.kept]
        return y

    def sound(self, shape: tuple[int, ...]) -> bool:
        table = self.quantiles
        return (
            table.shape[1:] == shape
            and len(table) > 0
            and bool((np.diff(table, axis=0) >= 0).all())
        )

    def state(self) -> dict[str, Any]:
        kept = {"kept": [*self.kept]} if self.kept else {}
        return {"quantiles": self.quantiles.tolist(), **kept}


_QUANTILES = 1000
# As in scikit-learn: so near the ends of the training rows, numbers count as beyond them; and the
# smallest share.
NEAR, LEAST = 1e-7, 1e-7 - 2.0**-52


def normal_scores(x: Array, quantiles: Array) -> Array:
    """Quantiles of the normal distribution for x (rows, *shape), by quantiles (some, *shape)."""
    flat, table = x.reshape(len(x), -1), quantiles.reshape(len(quantiles), -1)
    shares = np.empty(flat.shape)
    last = max(1, len(table) - 1)
    for feature, edges in enumerate(np.ascontiguousarray(table.T)):
        values = np.ascontiguousarray(flat[:, feature])
        below, up_to = (np.searchsorted(edges, values, side) for side in ("left", "right"))
        at = np.clip(up_to - 1, 0, max(0, len(edges) - 2))
        with np.errstate(all="ignore"):
            width = edges[np.minimum(at + 1, len(edges) - 1)] - edges[at]
            share = (at + (values - edges[at]) / width) / last
            share = np.where(up_to > below, (below + up_to - 1) / 2 / last, share)
            share[values + NEAR > edges[-1]] = 1
            share[values - NEAR < edges[0]] = 0
        shares[:, feature] = share
    return normal_quantile(np.clip(shares, LEAST, 1 - LEAST)).reshape(x.shape)


class PiecewiseLinear(PerFeature, AddsColumns):
    """Each feature as it is, and beside all features its pieces, as numbers from 0 to 1.

    The edges e of a feature's pieces are quantiles of the training rows, of which equal ones count
    once. Piece t is (x - e[t]) / (e[t+1] - e[t]), 0 below and 1 above. A feature of one or two
    different values has no pieces. Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical
    Features in Tabular Deep Learning", arXiv:2203.05556 (2022).

    Args:
        bins: Into how many pieces the training rows of a feature are divided, at most.
    """

    name: ClassVar[str] = "piecewise_linear"
    jump = None
    spares_one_hot = True
    keyed: ClassVar[bool] = True

    def __init__(
        self,
        bins: Annotated[int, Bounds(ge=2)],
        place: Any = (),
        start: Any = (),
        width: Any = (),
    ) -> None:
        self.bins = bins
        self.place = np.asarray(place, np.intp)
        self.start, self.width = (np.asarray(each, np.float64) for each in (start, width))

    def fit(self, rows: Numbers) -> None:
        edges = {
            first + index: self._edges(column)
            for first, columns in rows.columns()
            for index, column in enumerate(columns.T)
        }
        with np.errstate(over="ignore"):
            widths = {feature: np.diff(each) for feature, each in edges.items()}
        _require_finite(np.array([np.isfinite(each).all() for each in widths.values()]))
        self.place = np.repeat([*widths], [len(each) for each in widths.values()]).astype(np.intp)
        self.start = np.concatenate([each[:-1] for each in edges.values()])
        self.width = np.concatenate([*widths.values()])

    def _edges(self, column: FloatArray) -> FloatArray:
        """The ends of the pieces of a feature; a single one where it has no pieces."""
        # More bins than that have the same edges: all values.
        shares = np.linspace(0, 1, min(self.bins, max(1, len(column) - 1)) + 1)
        few = len(np.unique(column)) <= 2
        edges: FloatArray = np.unique(np.quantile(column, shares, method="nearest"))
        return edges[:1] if few else edges

    def leave(self, features: Sequence[int]) -> None:
        pieces = ~np.isin(self.place, features)
        self.place = self.place[pieces]
        self.start, self.width = self.start[pieces], self.width[pieces]

    def sound(self, shape: tuple[int, ...]) -> bool:
        alike = self.place.shape == self.start.shape == self.width.shape
        return alike and bool((self.width > 0).all())

    def apply(self, x: FloatArray) -> FloatArray:
        return x

    def added(self, x: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            pieces: FloatArray = np.clip((x[:, self.place] - self.start) / self.width, 0, 1)
        return pieces

    def titles(self) -> list[str]:
        first = np.searchsorted(self.place, self.place)
        return [f"piece_{1 + index - start}" for index, start in enumerate(first.tolist())]

    def state(self) -> dict[str, Any]:
        fitted = {"place": self.place, "start": self.start, "width": self.width}
        return {"bins": self.bins, **{name: each.tolist() for name, each in fitted.items()}}


class Clip(PerFeature):
    """Each feature cut off where it leaves the range of the training rows, widened by `margin`.

    It lies between low - m (high - low) and high + m (high - low), so that a number that no
    training row comes near, such as one with its point lost, is taken for the nearest usual one.

    Args:
        margin: The share m of the range by which it is widened on both sides.
    """

    name: ClassVar[str] = "clip"
    jump = None
    keyed: ClassVar[bool] = True

    def __init__(
        self, margin: NonNegativeFloat, low: Any = (), high: Any = (), kept: Sequence[int] = ()
    ) -> None:
        self.margin = float(margin)
        self.low, self.high = (np.asarray(each, np.float64) for each in (low, high))
        self.kept = kept

    def fit(self, rows: Numbers) -> None:
        low, high = rows.extremes()
        with np.errstate(over="ignore", invalid="ignore"):
            more = self.margin * (high - low)
            self.low, self.high = low - more, high + more
        _require_finite((np.isfinite(self.low) & np.isfinite(self.high)).ravel())

    def apply(self, x: FloatArray) -> FloatArray:
        kept = x[:, self.kept]
        np.clip(x, self.low, self.high, out=x)
        x[:, self.kept] = kept
        return x

    def sound(self, shape: tuple[int, ...]) -> bool:
        return self.low.shape == self.high.shape == shape and bool((self.low <= self.high).all())

    def state(self) -> dict[str, Any]:
        fitted = {"margin": self.margin, "low": self.low.tolist(), "high": self.high.tolist()}
        return {**fitted, **({"kept": [*self.kept]} if self.kept else {})}


STEPS: Table[Callable[..., Step]] = Table(
    "step",
    {
        step.name: step
        for step in (
            L2,
            Standard,
            PerChannel,
            MinMax,
            Robust,
            Quantile,
            Binarize,
            Clip,
            PiecewiseLinear,
        )
    },
)
SCALERS: Table[type[Scaler]] = Table("step", {scaler.name: scaler for scaler in (Standard, MinMax)})


# Filling in missing numbers of a table, before all other steps of preprocessing.


class Impute(AddsColumns):
    """Replaces NaN by a statistic of the feature over the training rows.

    `statistics` has `mean`, `median` or `most_frequent` (of equally frequent values the smallest),
    by the index of each feature that may be missing; `fill` the fitted values, for every feature.
    The features of `indicated` that are missing in training rows also have an indicator each, which
    is 1 where the feature is missing and else 0; `place` has the fitted ones.
    """

    name: ClassVar[str] = "impute"

    def __init__(
        self,
        statistics: Mapping[int, str] | None = None,
        fill: Any = None,
        place: Any = (),
        indicated: Sequence[int] = (),
    ) -> None:
        self.statistics = dict(statistics or {})
        self.fill: FloatArray | None = None if fill is None else np.asarray(fill, dtype=np.float64)
        self.place = np.asarray(place, np.intp)
        self.indicated = sorted(indicated)
        self.widens = bool(indicated)

    def fit(self, rows: Numbers) -> None:
        fill = np.zeros(rows.shape)
        for feature, statistic in self.statistics.items():
            values = rows.column(feature)
            values = values[~np.isnan(values)]
            if not len(values):
                raise FeatureError(feature, "has no value in the training split to fill in from")
            fill[feature] = STATISTICS[statistic](values)
        self.fill = fill
        blank = [place for place in self.indicated if np.isnan(rows.column(place)).any()]
        self.place = np.array(blank, np.intp)

    def apply(self, x: FloatArray) -> FloatArray:
        return np.where(np.isnan(x), self._fitted(), x)

    def added(self, x: FloatArray) -> FloatArray:
        return np.isnan(x[:, self.place]).astype(np.float64)

    def titles(self) -> list[str]:
        return ["missing"] * len(self.place)

    def state(self) -> dict[str, Any]:
        indicators = {"place": self.place.tolist()} if len(self.place) else {}
        return {"fill": self._fitted().tolist(), **indicators}

    def _fitted(self) -> FloatArray:
        if self.fill is None:
            raise RuntimeError("preprocessing is used before it is fitted")
        return self.fill


def _most_frequent(values: FloatArray) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


STATISTICS: dict[str, Callable[[FloatArray], float]] = {
    "mean": lambda values: float(np.mean(values)),
    "median": lambda values: float(np.median(values)),
    "most_frequent": _most_frequent,
}
