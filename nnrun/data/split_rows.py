"""The rows of each split, how many there are, and one fold of a splitter of scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import DatasetProblem
from nnrun.data.rows import RawRows

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SplitData:
    """Rows of a data set: `raw` has their features, y (rows, ...) their targets.

    `weight` (rows,) is None where rows have no weights.
    """

    raw: RawRows
    y: npt.NDArray[Any]
    weight: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def rows(self) -> Rows:
        """The numbers of the rows in the data set, with the set's own test rows last."""
        return self.raw.rows

    @property
    def x(self) -> npt.NDArray[Any]:
        """The raw rows as a new array; `raw` reads them in blocks."""
        return self.raw.all()

    def take(self, places: npt.NDArray[np.intp]) -> SplitData:
        """The rows at these places."""
        weight = None if self.weight is None else self.weight[places]
        return SplitData(self.raw.take(places), self.y[places], weight)


@dataclass(frozen=True)
class Unseen:
    """Categories of a column in a held-out split that no training row has, and in how many rows.

    `first` is the number of the first of these rows in the data, from 1 on.
    """

    part: str
    column: str
    rows: int
    categories: tuple[str, ...]
    first: int


@dataclass(frozen=True)
class Sizes:
    """How many rows splits have; `planned` as in `Split`."""

    train: int
    held_out: tuple[int, ...]
    planned: int

    @property
    def total(self) -> int:
        """Number of rows in all splits."""
        return self.train + sum(self.held_out)

    @property
    def largest(self) -> int:
        """The rows of the largest split."""
        return max(self.train, *self.held_out, 0)


@dataclass(frozen=True, eq=False)
class Split:
    """The splits of a data set.

    `test_size` is the size used, with defaults resolved; None with folds. `stratified` says whether
    classes were kept in proportion. `planned` is the number of training rows that the sizes ask
    for: whole groups may be more or fewer, as the seed draws them. `left_out` counts rows in no
    split: the set's own test rows if the config wants no test split, hidden ones, and with folds by
    time what comes later. `unseen` lists categories of held-out rows that no training row has.
    `calibration` has rows that take no part in training, in stopping or in choosing.
    """

    train: SplitData
    validation: SplitData | None
    test: SplitData | None
    test_size: float | int | str | None
    stratified: bool = False
    planned: int = 0
    left_out: int = 0
    unseen: tuple[Unseen, ...] = ()
    calibration: SplitData | None = None

    @property
    def held_out(self) -> dict[str, SplitData]:
        """The validation and test splits that exist, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def untrained(self) -> dict[str, SplitData]:
        """These, and the calibration split, which is not evaluated on the way."""
        aside = {} if self.calibration is None else {"calibration": self.calibration}
        return {**self.held_out, **aside}

    @cached_property
    def sizes(self) -> Sizes:
        """Numbers of rows in its parts."""
        return Sizes(len(self.train), tuple(map(len, self.held_out.values())), self.planned)

    def in_file_order(self) -> Split:
        """The same split with the training rows in the order of the file."""
        return replace(self, train=self.train.take(np.argsort(self.train.rows)))


def count_of(size: float | int | str, available: int, key: str) -> int:
    """The rows of a fraction or number, ceil(rows · fraction) like scikit-learn.

    Raises: DatasetProblem at `key` if none of the available rows would be left.
    """
    if isinstance(size, str) or not 0 <= size < math.inf:
        raise problem(key, f"{size!r} is neither a fraction nor a number of rows")
    if isinstance(size, float) and size >= 1:
        raise problem(key, f"{size} is no fraction below 1; a number of rows is written whole")
    count = asked(size, available)
    if count >= available > 0 and count > 0:
        raise problem(key, f"{size} takes {count} of {available} rows and leaves none to train on")
    return count


def asked(size: float | int | str, available: int) -> int:
    """The same unchecked: where whole groups are held out, fewer rows may be left than planned."""
    return math.ceil(size * available) if isinstance(size, float) else int(size)


def nearest(sums: npt.NDArray[np.intp], wanted: int) -> int:
    """The index of the sum that is nearest to a wanted number, the first of two."""
    return int(np.abs(sums - wanted).argmin())


def check_enough(there: int, leave: int, what: str, key: str) -> None:
    """Raise a DatasetProblem at `key` unless one can be held out of these groups or times."""
    if there <= leave:
        raise problem(key, f"this takes {leave + 1} {what} or more; there are {there}")


def problem(key: str, message: str) -> DatasetProblem:
    """A mistake at a key of the `dataset` block."""
    return DatasetProblem([(("dataset", key), message)])


def check_folds(folds: int, available: int, what: str) -> None:
    """Raise a DatasetProblem unless there is one of these for each fold."""
    if available < folds:
        raise problem("folds", f"{folds} folds need as many {what}; there are {available}")


def check_classes(folds: int, labels: npt.NDArray[Any]) -> None:
    """Raise a DatasetProblem if every class has fewer rows than there are folds."""
    most = int(np.unique(labels, return_counts=True)[1].max())
    if most < folds:
        message = (
            f"no class has a row for each of {folds} folds, the largest has {most}; use fewer "
            "folds, or stratify: false"
        )
        raise problem("folds", message)


def take(
    splitter: Any, fold: int, rows: Rows, labels: npt.NDArray[Any] | None = None
) -> tuple[Rows, Rows]:
    """The training and the test rows of one fold, from 1 on."""
    return take_all(splitter, rows, labels)[fold - 1]


def take_all(
    splitter: Any,
    rows: Rows,
    labels: npt.NDArray[Any] | None = None,
    groups: npt.NDArray[Any] | None = None,
) -> list[tuple[Rows, Rows]]:
    """The training and the test rows of each fold."""
    with warnings.catch_warnings():
        # Of rare classes: they are in some folds only, which is no mistake.
        warnings.simplefilter("ignore", UserWarning)
        parts = splitter.split(np.zeros(len(rows)), labels, groups)
        return [(rows[train], rows[test]) for train, test in parts]


# Rows at random, each class in proportion if they are stratified.


@dataclass(frozen=True)
class AtRandom:
    """Splits of single rows.

    Args:
        labels: the class of each row of the data set, if rows are stratified.
        rng: the stream of the split.
        strict: whether classes too rare to be in each part are a mistake; else these are not
            stratified.
    """

    labels: npt.NDArray[Any] | None
    rng: np.random.Generator
    strict: bool = True

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The training and the test rows of one fold, by KFold or StratifiedKFold."""
        from sklearn.model_selection import KFold, StratifiedKFold  # noqa: PLC0415  # slow

        check_folds(folds, len(rows), "rows")
        seed = int(self.rng.integers(2**32))
        if self.labels is None:
            return take(KFold(folds, shuffle=True, random_state=seed), fold, rows)
        labels = self.labels[rows]
        check_classes(folds, labels)
        return take(StratifiedKFold(folds, shuffle=True, random_state=seed), fold, rows, labels)

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The remaining rows and the held-out rows, in random order."""
        count = count_of(size, len(rows), key)
        if count == 0:
            return rows, rows[:0]
        labels = None if self.labels is None else self.labels[rows]
        if labels is not None and not self.strict:
            labels = _without_rare(labels, min(count, len(rows) - count))
        if labels is None:
            order = self.rng.permutation(len(rows))
            return rows[order[count:]], rows[order[:count]]
        return _stratified(rows, labels, count, key, self.rng)


def _without_rare(labels: npt.NDArray[Any], fewest: int) -> npt.NDArray[Any] | None:
    """Labels with single rows joined to the largest class; None if they cannot be stratified."""
    _, numbers, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    numbers = np.where(sizes[numbers] < 2, sizes.argmax(), numbers)
    left = len(np.unique(numbers))
    return None if left > fewest or sizes.max() < 2 else numbers


def _stratified(
    rows: Rows, labels: npt.NDArray[Any], count: int, key: str, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    from sklearn.model_selection import StratifiedShuffleSplit  # noqa: PLC0415  # slow

    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < 2:
        class_ = f"class '{classes[sizes.argmin()]}'"
        message = f"{class_} has a single row, too few for a training and a test part"
        if key in ("validation_size", "calibration_size"):
            part = key.removesuffix("_size")
            message = f"of {class_} a single row is left for the training and the {part} part"
        raise problem("stratify", message)
    rest = len(rows) - count
    if min(count, rest) < len(classes):
        message = f"with stratify, {count} and {rest} rows are too few for {len(classes)} classes"
        raise problem(key, message)
    seed = int(rng.integers(2**32))
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=count, random_state=seed)
    kept, held_out = next(splitter.split(np.zeros(len(rows)), labels))
    return rows[kept], rows[held_out]


# Splits by a column: whole groups of rows, or training before validation before test.

# Groups are stratified by parts of at least this share of the rows.
_PARTS = 20


@dataclass(frozen=True)
class ByGroup:
    """Splits of groups, whose numbers of rows come near to what is asked for.

    Args:
        groups: a number for the group of each row of the data set.
        labels: the class of each row, if classes are stratified as far as groups allow.
        rng: the stream of the split.
    """

    groups: npt.NDArray[np.int64]
    labels: npt.NDArray[Any] | None
    rng: np.random.Generator

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The training and the test rows of one fold."""
        check_folds(folds, len(np.unique(self.groups[rows])), "groups")
        if self.labels is not None:
            check_classes(folds, self.labels[rows])
        test = self._dealt(rows, folds, leave) == fold - 1
        return rows[~test], rows[test]

    def _dealt(self, rows: Rows, folds: int, leave: int) -> npt.NDArray[np.intp]:
        """The fold of each row, from 0 on: groups in a drawn order, each to the emptiest fold.

        A fold is full as far as it has the rows, and with labels those of the classes, that the
        group has. StratifiedGroupKFold goes by size alone, which gives most seeds the same folds.
        """
        _, numbers = np.unique(self.groups[rows], return_inverse=True)
        # Of rows in a drawn order, the first of each group: larger groups tend to come early, so
        # that small ones even out the folds.
        _, first = np.unique(numbers[self.rng.permutation(len(rows))], return_index=True)
        shares = self._shares(rows, numbers)
        full, dealt = np.zeros((shares.shape[1], folds)), np.empty(len(first), dtype=np.intp)
        number = np.zeros(folds, dtype=np.intp)
        for group in np.argsort(first):
            # Not `@`, whose last bits depend on the BLAS.
            fullness = sum(f * s for f, s in zip(full, shares[group], strict=True))
            fold = np.argmin(np.where(number < len(first) - leave, fullness, np.inf))
            dealt[group] = fold
            full[:, fold] += shares[group]
            number[fold] += 1
        return dealt[numbers]

    def _shares(self, rows: Rows, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Share of the rows that each group has, and with labels of the rows of each class."""
        labels = [np.zeros(len(rows), dtype=np.intp)]
        if self.labels is not None:
            labels.append(np.unique(self.labels[rows], return_inverse=True)[1])
        counts = [np.zeros((numbers.max() + 1, each.max() + 1)) for each in labels]
        for count, each in zip(counts, labels, strict=True):
            np.add.at(count, (numbers, each), 1)
        return np.hstack([count / count.sum(axis=0) for count in counts])

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The remaining rows and those of the groups held out."""
        count = asked(size, len(rows))
        if count == 0:
            return rows, rows[:0]
        names, numbers = np.unique(self.groups[rows], return_inverse=True)
        check_enough(len(names), leave, "groups", key)
        if self.labels is not None:
            return self._stratified(rows, count, len(names), leave)
        order = self.rng.permutation(len(names))
        sums = np.cumsum(np.bincount(numbers)[order])[:-leave]
        held_out = np.isin(numbers, order[: nearest(sums, count) + 1])
        return rows[~held_out], rows[held_out]

    def _stratified(self, rows: Rows, count: int, groups: int, leave: int) -> tuple[Rows, Rows]:
        """Some of many equal parts, so that their share of the rows is the one asked for."""
        labels = self.labels[rows] if self.labels is not None else rows
        most = int(np.unique(labels, return_counts=True)[1].max())
        finest = min(groups, most, _PARTS)
        if finest <= leave:
            rows_of_it = f"{most} row{'s' * (most != 1)}"
            message = f"the largest class has {rows_of_it}, too few to stratify groups"
            raise problem("stratify", message)
        share = Fraction(count, len(rows)).limit_denominator(finest)
        parts = max(leave + 1, share.denominator if 0 < share < 1 else finest)
        taken = min(max(1, round(parts * count / len(rows))), parts - leave)
        splitter = self._stratifier(parts)
        # A large group is in the first part regardless of the seed, so parts are drawn too.
        drawn = self.rng.permutation(parts)[:taken]
        tests = [test for _, test in take_all(splitter, rows, labels, self.groups[rows])]
        held_out = np.isin(rows, np.concatenate([tests[part] for part in drawn]))
        return rows[~held_out], rows[held_out]

    def _stratifier(self, parts: int) -> Any:
        from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415  # slow

        seed = int(self.rng.integers(2**32))
        return StratifiedGroupKFold(parts, shuffle=True, random_state=seed)


@dataclass(frozen=True)
class ByTime:
    """Splits at points in time, which come near to the sizes asked for; nothing is drawn.

    Args:
        times: of each row of the data set.
    """

    times: npt.NDArray[Any]

    def fold(self, rows: Rows, folds: int, fold: int, leave: int = 1) -> tuple[Rows, Rows]:
        """The rows of one fold and all before it, as TimeSeriesSplit has them."""
        from sklearn.model_selection import TimeSeriesSplit  # noqa: PLC0415  # slow

        rows, cuts = self._in_order(rows)
        needed = folds + leave
        if len(cuts) + 1 < needed:
            message = f"{folds} folds by time need {needed} different times"
            raise problem("folds", f"{message}; there are {len(cuts) + 1}")
        starts = [int(test[0]) for _, test in TimeSeriesSplit(folds).split(rows)]
        starts = _between_times(starts, cuts[leave - 1 :])
        start, end = [*starts, len(rows)][fold - 1 : fold + 1]
        return rows[:start], rows[start:end]

    def held_out(
        self, rows: Rows, size: float | int | str, key: str, leave: int = 1
    ) -> tuple[Rows, Rows]:
        """The earlier rows and the held-out later ones, in the order of time."""
        count = asked(size, len(rows))
        if count == 0:
            return rows, rows[:0]
        rows, cuts = self._in_order(rows)
        check_enough(len(cuts) + 1, leave, "different times", key)
        start = cuts[leave - 1 :][nearest(cuts[leave - 1 :], len(rows) - count)]
        return rows[:start], rows[start:]

    def _in_order(self, rows: Rows) -> tuple[Rows, Rows]:
        """The rows in the order of time, and where the time changes among them."""
        times = self.times[rows]
        order = np.argsort(times, kind="stable")
        return rows[order], np.flatnonzero(np.diff(times[order])) + 1


def _between_times(starts: Sequence[int], cuts: Rows) -> list[int]:
    """Places where the time changes, the nearest to each start of a fold, all different."""
    found, first = [], 0
    for left, start in zip(range(len(starts) - 1, -1, -1), starts, strict=True):
        first += nearest(cuts[first : len(cuts) - left], start)
        found.append(int(cuts[first]))
        first += 1
    return found
