"""Probabilities that mean what they say, by rows that the network was not trained on.

Three maps are fitted to these rows: a temperature, which divides the logarithms of probabilities
(Guo et al., *On calibration of modern neural networks*, 2017); and for two classes Platt's line
through the log odds (1999) and a monotone function (Zadrozny and Elkan 2002). The one with the
least log loss in five folds is taken, if it is better than none beyond one standard error. Fits
have the same bits on every processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from typing import Any, NamedTuple, Self

import numpy as np

from nnrun.models.calibration_form import UNFIT, is_calibration
from nnrun.nn.signature import Array
from nnrun.nn.special import portable_exp, portable_log

FEWEST = 20
"""Fewer rows say too little about probabilities."""
MOST_POINTS = 4000
"""Of a monotone function with more numbers, some corners are left out."""
OF_TWO = ("platt", "isotonic")
_FOLDS, _BINS, _STEEPEST = 5, 15, 20.0


class Judged(NamedTuple):
    """Probabilities (rows, classes), the true class numbers (rows,), and what each row counts."""

    probabilities: Array
    truth: Array
    weight: Array

    def take(self, places: Array) -> Self:
        """Some of the rows."""
        probabilities, truth, weight = (part[places] for part in self)
        return self._replace(probabilities=probabilities, truth=truth, weight=weight)

    @property
    def losses(self) -> Array:
        """-log p of the true class, (rows,), clipped as the metric log_loss is."""
        epsilon = np.finfo(self.probabilities.dtype).eps
        right = self.probabilities[np.arange(len(self.truth)), self.truth]
        found: Array = -portable_log(np.clip(right, epsilon, 1 - epsilon).astype(np.float64))
        return found

    def scores(self) -> dict[str, float]:
        """The log loss, the Brier score and the expected calibration error.

        The last is the mean distance of the probability of the predicted class from how often it
        is right, over 15 bins of that probability (Guo et al. 2017).
        """
        weight, exact = self.weight / self.weight.sum(), self.probabilities.astype(np.float64)
        squares = ((exact - np.eye(exact.shape[1])[self.truth]) ** 2).sum(axis=1)
        sure = exact.max(axis=1)
        gaps = weight * (sure - (exact.argmax(axis=1) == self.truth))
        bins = np.minimum((sure * _BINS).astype(np.intp), _BINS - 1)
        return {
            "log_loss": float((weight * self.losses).sum()),
            "brier": float((weight * squares).sum()) / (1 + (exact.shape[1] == 2)),
            "calibration_error": float(np.abs(np.bincount(bins, gaps)).sum()),
        }


@dataclass(frozen=True)
class Calibration:
    """A map of probabilities, and what it was fitted to.

    Args:
        method: `none`, `temperature`, `platt` or `isotonic`; or why there is none: `too_few` rows,
            or rows of `one_class`.
        numbers: the temperature; or slope and shift of a line; or the corners of a monotone
            function: probabilities of the second class, ascending, then what each becomes.
        source: of the rows: `calibration`, `out_of_bag` or `validation`.
        rows: how many there were.
        used: whether the run predicts by it.
    """

    method: str
    numbers: tuple[float, ...] = ()
    source: str = ""
    rows: int = 0
    used: bool = False

    def apply(self, probabilities: Array) -> Array:
        """Calibrated probabilities (rows, classes), in the same dtype."""
        if not self.numbers:
            return probabilities
        if self.method == "isotonic":
            return monotone(probabilities, self.numbers)
        return by_line(probabilities, *self.line)

    @property
    def line(self) -> tuple[float, Array]:
        """What multiplies the logarithms of probabilities, and what is added for each class."""
        slope, *shift = self.numbers
        if self.method == "temperature":
            return 1 / slope, np.zeros(1)
        return slope, np.array([0.0, *shift])

    @property
    def unfit(self) -> str:
        """Why there is none, and what to set; empty if it could be fitted."""
        more = "set dataset.calibration_size to set more aside"
        return {
            "too_few": f"probabilities are calibrated by {FEWEST} or more rows that the network "
            f"was not trained on, and there are {self.rows}; {more}",
            "one_class": f"all {self.rows} rows that could calibrate probabilities are of one "
            f"class; {more}, or dataset.stratify to true",
        }.get(self.method, "")

    @property
    def sound(self) -> bool:
        """Whether the numbers can be those of its method."""
        return is_calibration(self.method, self.numbers)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {**vars(self), "numbers": [*self.numbers]}


# Fits; None where there is no best one.


def fit_line(judged: Judged, shifted: Sequence[float] = (0.0,)) -> Calibration | None:
    """The temperature, or the slope and the shift of log odds, with the least log loss, by Newton.

    None if steeper lines are always better, since they part the classes: then the loss falls below
    that of a row with two likeliest classes. None, too, if the slope is not above 0, or above 20.
    """
    z, weight = logarithms(judged.probabilities), judged.weight[:, np.newaxis]
    shifts = np.broadcast_to(shifted, z.shape)
    rows, parted = np.arange(len(z)), log(2) * weight.min()

    def fit(a: float, b: float) -> tuple[Array, float]:
        p = normalized(a * z + b * shifts)
        return p, float((judged.weight * judged._replace(probabilities=p).losses).sum())

    a, b = 1.0, 0.0
    p, loss = fit(a, b)
    for _ in range(100):
        means = [(p * part).sum(axis=1, keepdims=True) for part in (z, shifts)]
        by_z, by_shift = (
            float((weight * (mean - part[rows, judged.truth, np.newaxis])).sum())
            for mean, part in zip(means, (z, shifts), strict=True)
        )
        dz, ds, wp = z - means[0], shifts - means[1], weight * p
        zz, zs, ss = (float((wp * part).sum()) for part in (dz * dz, dz * ds, ds * ds))
        ss = ss or 1.0  # without a shift
        ground = zz * ss - zs * zs  # no BLAS solves this: its bits are those of a processor
        if not ground > 0:
            return None
        da, db = (ss * by_z - zs * by_shift) / ground, (zz * by_shift - zs * by_z) / ground
        p, new = fit(a - da, b - db)
        while new > loss and abs(da) + abs(db) > 1e-12:
            da, db = da / 2, db / 2
            p, new = fit(a - da, b - db)
        a, b, gain, loss = a - da, b - db, loss - new, new
        if loss < parted or gain <= 1e-15 * loss:
            break
    if loss < parted or not 0 < a < _STEEPEST:
        return None
    if len(shifted) == 1:
        return Calibration("temperature", (1 / a,))
    return Calibration("platt", (a, b))


def fit_isotonic(judged: Judged) -> Calibration | None:
    """The monotone function of the second class's probability with the least squared error.

    Neighbours that are out of order are pooled. Of n rows, values stay 1 / (n + 2) away from 0 and
    1, so that no later row is impossible.
    """
    x, places = np.unique(judged.probabilities[:, 1].astype(np.float64), return_inverse=True)
    weights = np.bincount(places, judged.weight)
    sums = np.bincount(places, judged.weight * judged.truth)
    blocks: list[tuple[float, float, int]] = []  # weight of the second class, weight, places
    for block in zip(sums.tolist(), weights.tolist(), [1] * len(x), strict=True):
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = last[0] + block[0], last[1] + block[1], last[2] + block[2]  # noqa: PLW2901
        blocks.append(block)
    least = 1 / (len(judged.truth) + 2)
    y = np.repeat([p / w for p, w, _ in blocks], [n for *_, n in blocks]).clip(least, 1 - least)
    edge = np.append(True, np.diff(y) != 0)
    corners = np.flatnonzero(edge | np.append(edge[1:], True))
    if len(corners) > MOST_POINTS // 2:
        corners = corners[np.linspace(0, len(corners) - 1, MOST_POINTS // 2).astype(np.intp)]
    return Calibration("isotonic", (*x[corners].tolist(), *y[corners].tolist()))


FITS: Mapping[str, Callable[[Judged], Calibration | None]] = {
    "temperature": fit_line,
    "platt": partial(fit_line, shifted=(0.0, 1.0)),
    "isotonic": fit_isotonic,
}


def calibrated(judged: Judged, source: str) -> tuple[Calibration, dict[str, float]]:
    """The calibration to take, and the log loss of each in folds, `none` first."""
    judged = judged.take(np.flatnonzero(judged.weight > 0))
    rows, classes = judged.probabilities.shape
    if rows < FEWEST or len(set(judged.truth.tolist())) < 2:
        return Calibration(UNFIT[rows >= FEWEST], source=source, rows=rows), {}
    # Rows of a class are dealt to the folds in turn, in an order that is always the same.
    order = np.random.default_rng(0).permutation(rows)
    order = order[np.argsort(judged.truth[order], kind="stable")]
    fold, weight = np.empty(rows, np.intp), judged.weight / judged.weight.sum()
    fold[order] = np.arange(rows) % _FOLDS
    losses = {"none": judged.losses}
    for method, fit in FITS.items():
        if classes > 2 and method in OF_TWO:
            continue
        out = judged.losses
        for number in range(_FOLDS):
            found, here = fit(judged.take(fold != number)), np.flatnonzero(fold == number)
            if found is None:
                break
            part = judged.take(here)
            out[here] = part._replace(probabilities=found.apply(part.probabilities)).losses
        else:
            losses[method] = out
    means = {name: float((weight * each).sum()) for name, each in losses.items()}
    best = min(means, key=lambda name: means[name])
    gain = means["none"] - means[best]
    error = np.sqrt((weight**2 * (losses["none"] - losses[best] - gain) ** 2).sum())
    chosen = FITS[best](judged) if gain > error else None
    return replace(chosen or Calibration("none"), source=source, rows=rows), means


# Scripts take these functions over with their source.


def monotone(probabilities: Array, numbers: Sequence[float]) -> Array:
    """Calibrated probabilities of two classes, by the corners of a monotone function."""
    x, y = np.reshape(numbers, (2, -1))
    second = np.interp(probabilities[:, 1].astype(np.float64), x, y)
    return np.stack([1 - second, second], axis=1).astype(probabilities.dtype)


def by_line(probabilities: Array, slope: float, shift: Array) -> Array:
    """Calibrated probabilities, by a line through their logarithms."""
    with np.errstate(all="ignore"):
        z = slope * logarithms(probabilities) + shift
        return normalized(z).astype(probabilities.dtype)


def logarithms(probabilities: Array) -> Array:
    """Logarithms of probabilities, of which none is below the rounding of 1."""
    epsilon = np.finfo(probabilities.dtype).eps
    return portable_log(np.maximum(probabilities, epsilon).astype(np.float64))


def normalized(z: Array) -> Array:
    """exp(z) / sum exp(z), by rows."""
    e = portable_exp(z - z.max(axis=1, keepdims=True))
    found: Array = e / e.sum(axis=1, keepdims=True)
    return found
