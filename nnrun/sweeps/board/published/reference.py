"""Means from elsewhere of an experiment that was repeated, to hold ours against."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, isfinite, ldexp, sqrt
from pathlib import Path

from nnrun.errors import UsageError
from nnrun.sweeps.board.comparison.statistics import Summary

COLUMNS = ("experiment", "metric", "mean", "sd", "n", "source")
# The chance that any row of a table is marked though none differs.
LEVEL = 0.01
_MOST_RUNS = 10**15 - 1


@dataclass(frozen=True)
class Reference:
    """Mean, standard deviation and number of repeated runs, and who made them."""

    mean: float
    sd: float
    n: int
    source: str


def read_references(path: Path) -> dict[tuple[str, str], Reference]:
    """The references of a CSV file, by experiment and `<split>_<metric>`.

    Raises:
        UsageError: it is no such file, with the line that is wrong.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != COLUMNS:
                raise UsageError(f"{path}:1: the columns must be {','.join(COLUMNS)}")
            return {(row["experiment"], row["metric"]): _reference(path, rows, row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a CSV file: {error}") from None


def _reference(path: Path, rows: csv.DictReader[str], row: dict[str, str]) -> Reference:
    try:
        found = Reference(float(row["mean"]), float(row["sd"]), int(row["n"]), row["source"])
        finite = isfinite(found.mean) and isfinite(found.sd)
        if not (finite and found.sd >= 0 and 1 < found.n <= _MOST_RUNS):
            raise ValueError
    except (TypeError, ValueError):
        message = "mean and sd must be finite numbers, and n a whole number above 1, below 1e15"
        raise UsageError(f"{path}:{rows.line_num}: {message}") from None
    return found


def welch_p(ours: Summary, reference: Reference) -> float | None:
    """The p-value of the difference of two means whose variances may differ; None for one run.

    Welch, Biometrika 34 (1947), with Satterthwaite's degrees of freedom.
    """
    if ours.sd is None:
        return None
    # In a unit that is a power of two, squares of large numbers stay finite, and no bit changes.
    unit = ldexp(1.0, frexp(max(ours.sd, reference.sd))[1] - 1)
    a, b = (ours.sd / unit) ** 2 / ours.n, (reference.sd / unit) ** 2 / reference.n
    difference = abs(ours.mean - reference.mean) / unit
    if a + b == 0:
        return 1.0 if difference == 0 else 0.0
    from scipy.special import stdtr  # noqa: PLC0415  # slow to import

    degrees = (a + b) ** 2 / (a**2 / (ours.n - 1) + b**2 / (reference.n - 1))
    return float(2 * stdtr(degrees, -difference / sqrt(a + b)))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in their order. Holm, Scand. J. Statist. 6 (1979)."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted
