"""A trained network that predicts classes, or values in their original units, from raw rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.columns.categories import Embedding as EmbeddedColumn
from nnrun.data.dataset import unboxed
from nnrun.data.inference.sources import completed, odd_code, without_missing
from nnrun.data.inference.table_rows import table_rows
from nnrun.data.labels import number
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.rows import RawRows
from nnrun.errors import DataError, UsageError
from nnrun.models.calibration import Calibration
from nnrun.models.coverage import Coverage, Covered, Promise
from nnrun.models.outside import Outside, Range, Sample
from nnrun.models.task import Classification, Decision, Task, task_of
from nnrun.nn.embedding import Embedding, Table
from nnrun.nn.layer import Layer
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.signature import Array


class Model:
    """A network with its fitted preprocessing, or several that predict with their mean.

    Args:
        network: the first one.
        others: networks with the same outputs.
        values: stored with the weights, to restore the model from.
    """

    def __init__(
        self,
        network: Network,
        preprocessing: Preprocessing,
        layout: Layout,
        run_id: str = "",
        values: dict[str, Any] | None = None,
        others: Sequence[Network] = (),
    ) -> None:
        self.network = network
        self.networks = (network, *others)
        self.preprocessing = preprocessing
        self.layout = layout
        self.run_id = run_id
        self.values = values
        self.task: Task = task_of(network, preprocessing, layout)
        self.errors: Coverage | None = None  # on rows that were not trained on
        self.calibration: Calibration | None = None  # of probabilities, by the same rows
        self.ranges: Sequence[Range] = ()  # of columns of numbers in training
        self.sample: Sample | None = None  # of training rows
        self._lock = Lock()

    @property
    def settings(self) -> int:
        """How many settings its networks have in turn."""
        members = (self.values or {}).get("members")
        return len(members["settings"]) if members else 1

    @property
    def classes(self) -> Array:
        """The labels by class number, of the type that they had in training: bool, number or
        text.
        """
        names = self.layout.classes
        if self.layout.bool_labels:
            return np.array([name == "True" for name in names])
        if not self.layout.numeric_labels:
            return np.array(names)
        return np.array([number(name) for name in names], dtype=None if names else np.int64)

    @property
    def probabilistic(self) -> bool:
        """Whether the network's outputs are probabilities of classes."""
        return isinstance(self.task, Classification) and self.task.probabilistic

    @property
    def decides(self) -> bool:
        """Whether a threshold can decide: there are probabilities of two classes."""
        return self.probabilistic and len(self.layout.classes) == 2

    @property
    def decision(self) -> Decision | None:
        """The threshold at which the positive class is predicted; None for the likelier class."""
        return self.task.decision if isinstance(self.task, Classification) else None

    @property
    def positive(self) -> int:
        """The number of the positive class of two: the second one, unless a run chose it."""
        return 1 if self.decision is None else self.decision.positive

    def decide(self, decision: Decision) -> None:
        """Predict by a threshold from now on.

        Raises:
            UsageError: the network has no probabilities of two classes.
        """
        self.task = self._decided(decision)

    def decide_from(self, threshold: float) -> None:
        """Predict the positive class from this probability on.

        Raises:
            UsageError: the threshold is no probability, or the network has none of two classes.
        """
        self.task = self._decided(self._from(threshold))

    def calibrated(self) -> Model:
        """The same network with calibrated probabilities, which predictions go by.

        A threshold that was fitted on those of the network stays on these.

        Raises:
            UsageError: there are no probabilities, or no rows that could calibrate them.
        """
        task = self.task
        if not isinstance(task, Classification) or not task.probabilistic:
            raise UsageError(f"there are no probabilities to calibrate: {self._without}")
        if self.calibration is None:
            raise UsageError(
                "there are no rows to calibrate probabilities by, which the network was not "
                "trained on; train with dataset.calibration_size=0.2, or with "
                "members: {number: 8, validation: own}"
            )
        if self.calibration.unfit:
            raise UsageError(self.calibration.unfit)
        found = object.__new__(Model)  # with the same networks, which take most of the memory
        vars(found).update(vars(self), task=replace(task, calibration=self.calibration))
        return found

    @property
    def calibrating(self) -> Calibration | None:
        """What changes the probabilities that predictions go by."""
        found: Calibration | None = getattr(self.task, "calibration", None)
        return found if found is not None and found.numbers else None

    @property
    def _without(self) -> str:
        """Why there are no probabilities."""
        if isinstance(self.task, Classification):
            return "the network ends in no softmax, and in no sigmoid for two classes"
        return "this is a regression"

    def _from(self, threshold: float) -> Decision:
        number = isinstance(threshold, Real) and not isinstance(threshold, bool)
        if not number or not 0 <= threshold <= 1:
            raise UsageError(f"the threshold {threshold!r} is not a number from 0 to 1")
        calibrated = getattr(self.task, "calibration", None) is not None
        return Decision(self.positive, float(threshold), calibrated)

    def _decided(self, decision: Decision) -> Classification:
        if not self.decides or not isinstance(self.task, Classification):
            what = f"{len(self.layout.classes)} classes" if self.layout.classes else "a regression"
            if len(self.layout.classes) == 2:
                what = "a network without probabilities"
            raise UsageError(f"a threshold decides between two classes, and this is {what}")
        return replace(self.task, decision=decision)

    def predict(self, x: npt.ArrayLike, *, threshold: float | None = None) -> Array:
        """Classes (rows,), or values in the target's units: (rows,) or (rows, outputs).

        Args:
            x: raw rows (rows, *shape) like the training data; images may also be flat.
            threshold: on the probability of the positive class; by default that of the run.

        Raises:
            DataError: the rows have another shape, or numbers that are not finite.
            UsageError: a threshold is no number from 0 to 1, or is given where there are no
                probabilities of two classes.
        """
        return self.decode(self.outputs(x), threshold)

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """The probability of each class: (rows, classes), columns as in `classes`.

        Raises:
            DataError: as for `predict`.
            UsageError: the network's outputs are not probabilities.
        """
        if not self.probabilistic:
            raise UsageError(f"there are no probabilities: {self._without}")
        return self.probabilities(self.outputs(x))

    def outputs(self, x: npt.ArrayLike) -> Array:
        """The network's outputs for raw rows: (rows, outputs), in its dtype."""
        return self.evaluate(self.rows(x))

    def evaluate(self, rows: Array | RawRows) -> Array:
        """The outputs for rows of a run's splits (rows, *shape), without checking the rows.

        A row with a category that is not in the training data has 0 in all its one-hot columns.
        """
        return self.evaluate_each(rows)[0]

    def evaluate_each(self, rows: Array | RawRows) -> tuple[Array, Array | None]:
        """The outputs as by `evaluate`, and the variance of those of several networks."""
        network = self.network
        outputs = np.empty((len(rows), *network.output_shape), network.dtype)
        variance = np.empty(outputs.shape) if len(self.networks) > 1 else None
        step = chunk_rows(network)
        # Layers keep intermediate arrays, so only one thread may compute at a time. Overflow shows
        # in the outputs.
        with self._lock, np.errstate(all="ignore"):
            for start in range(0, len(rows), step):
                stop = start + step
                chunk = rows.between(start, stop) if isinstance(rows, RawRows) else rows[start:stop]
                ready = self.preprocessing.transform_x(chunk).reshape(-1, *network.input_shape)
                ready = np.ascontiguousarray(ready, network.dtype)
                each = self._each(ready)
                outputs[start : start + step] = _mean(each)
                if variance is not None:
                    variance[start : start + step] = variance_of(each)
        return outputs, variance

    def forward(self, x: Array) -> Array:
        """The outputs for prepared rows, in the network's dtype: of several networks the mean."""
        return _mean(self._each(x))

    def _each(self, x: Array) -> list[Array]:
        """The outputs of each network for prepared rows."""
        first = self.network.predict(x)
        others = (
            other.predict(x.reshape(len(x), *other.input_shape).astype(other.dtype, copy=False))
            for other in self.networks[1:]
        )
        return [first, *others]

    def predict_covered(
        self,
        x: npt.ArrayLike,
        coverage: float,
        *,
        by_class: bool = False,
        threshold: float | None = None,
    ) -> Covered:
        """Predictions with intervals or sets that hold the truth of this share of rows.

        Args:
            x: as for `predict`.
            coverage: a share between 0 and 1.
            by_class: whether it is that of the rows of each class.
            threshold: as for `predict`.

        Raises:
            DataError: as for `predict`.
            UsageError: there are no errors on held-out rows to judge by, or too few.
        """
        promise = self.promise(coverage, by_class=by_class)
        outputs, variance = self.evaluate_each(self.rows(x))
        return self.covered(outputs, variance, promise, threshold)

    def promise(self, coverage: float, *, by_class: bool = False) -> Promise:
        """What intervals or sets of this network have to hold.

        Raises:
            UsageError: it is no share, or nothing is known by which it could be held.
        """
        promise = Promise.of(coverage, by_class=by_class)
        if self.layout.classes and not self.probabilistic:
            raise UsageError("sets of classes need probabilities: a last softmax, or one sigmoid")
        if by_class and not self.layout.classes:
            raise UsageError("a coverage by class is for classes, and this is a regression")
        if by_class and self.errors is not None and self.errors.groups:
            raise UsageError(
                "a coverage by class counts rows, and rows split by group are counted by group; "
                "leave --by-class out"
            )
        if self.errors is None:
            raise UsageError(
                "nothing is known of this network's errors on rows that it was not trained on; "
                "train with members: {number: 8, validation: own}, or with dataset.calibration_size"
            )
        return promise

    def covered(
        self,
        outputs: Array,
        variance: Array | None,
        promise: Promise,
        threshold: float | None = None,
    ) -> Covered:
        """The result of `predict_covered`, from what `evaluate_each` returns."""
        prediction = self.decode(outputs, threshold)
        assert self.errors is not None  # there is a promise
        if self.layout.classes:
            probabilities = self.probabilities(outputs, own=True)
            sets = self.errors.sets(probabilities, promise)
            order = np.argsort(-probabilities, axis=1, kind="stable")
            found = np.empty(len(sets), object)
            labels = self.classes
            for row, numbers in enumerate(order):
                found[row] = (*labels[numbers[sets[row, numbers]]].tolist(),)
            return Covered(prediction, set=found)
        ends = self.errors.interval(outputs, variance, len(self.networks), promise.coverage)
        low, high = (self.decode(end) for end in ends)
        return Covered(prediction, low, high)

    def outside(self, *, far: bool = False) -> Outside | None:
        """What looks for cells unlike those of training, and for rows `far` from all of these if
        that is asked for; None for arrays without columns.
        """
        columns, is_table = self.layout.columns, len(self.layout.shape) == 1
        known = self.ranges or columns.categories
        if not is_table or not known:
            return None
        return Outside(columns, self.ranges, self.sample if far else None)

    def unlike(self, x: npt.ArrayLike) -> Array:
        """How rows are unlike those of training, as `nnrun predict --outside` writes it.

        Raises a UsageError for images and arrays without columns, else as `predict` does.
        """
        outside = self.outside(far=True)
        if outside is None:
            raise UsageError("outside is for columns; this network takes images or bare arrays")
        return outside.add(self.rows(x).reshape(-1, *self.layout.shape))

    def decode(self, outputs: Array, threshold: float | None = None) -> Array:
        """The result of `predict`, from the network's outputs."""
        task = self.task if threshold is None else self._decided(self._from(threshold))
        decoded = task.decode(outputs)
        if isinstance(task, Classification):
            return self.classes[decoded]
        return decoded[:, 0] if decoded.shape[1] == 1 else decoded

    def probabilities(self, outputs: Array, *, own: bool = False) -> Array:
        """The result of `predict_proba`, from the network's outputs, which are probabilities.

        `own` leaves calibration out, as sets do, whose scores are of these.
        """
        assert isinstance(self.task, Classification)
        if own:
            return self.task.stacked(outputs)
        probabilities = self.task.probabilities(outputs)
        assert probabilities is not None
        return probabilities

    def rows(self, x: npt.ArrayLike) -> Array:
        """Raw rows as an array (rows, *shape), from such an array or a table.

        Raises:
            DataError: they have another shape, or numbers that are not finite, or no category in a
                column that had no missing values in training.
        """
        table = table_rows(x, self.layout)
        if table is not None:
            return table.reshape(len(table), *self.layout.shape)
        rows = unboxed(np.asarray(x))
        if rows.ndim == 0 and rows.dtype.kind == "U":
            raise DataError(
                f"'{rows}' was given where rows are needed; read a file first, as with "
                "pandas.read_csv, or have `nnrun predict` read it"
            )
        if rows.dtype.kind not in "buif":
            raise DataError(f"rows of {rows.dtype} were given where numbers are needed")
        if rows.ndim < 2:
            hint = "; for one row give [row]" if self.layout.fits(rows.shape) else ""
            given = f"an array of shape {rows.shape} was given"
            raise DataError(f"{given} where (rows, …) is needed{hint}")
        shape = self.layout.shape
        if not self.layout.fits(rows.shape[1:]):
            given = f"rows of shape {rows.shape[1:]} were given"
            raise DataError(f"{given} where {shape} are needed")
        rows = self.layout.arranged(rows)
        sound = np.isfinite(without_missing(rows, self.layout.columns))
        if not sound.all():
            raise DataError(self._not_finite(rows.reshape(len(rows), -1), sound))
        if (odd := odd_code(rows, self.layout.columns)) is not None:
            raise DataError(f"row {odd[0]} has {odd[1]}")
        return completed(rows, self.layout.columns)

    def _not_finite(self, rows: Array, sound: Array) -> str:
        """Place in words of the first number that is not finite, in rows that are no images."""
        row, place = np.argwhere(~sound.reshape(rows.shape))[0]
        names = self.layout.columns.feature_names
        column = f", column '{escaped(names[place], kept='')}'" if place < len(names) else ""
        return f"row {row}{column}: {rows[row, place]} is not a finite number"


def _mean(each: Sequence[Array]) -> Array:
    total = sum(each[1:], start=each[0])
    mean: Array = total / len(each) if len(each) > 1 else total
    return mean


def variance_of(each: Sequence[Array]) -> Array:
    """The variance of the outputs of several networks, in float64."""
    variance: Array = np.var(np.stack(each).astype(np.float64), axis=0, ddof=1)
    return variance


# The embeddings that the columns of a table put before a network.

Blocks = Sequence[Layer | list[Layer]]


def tables_of(columns: Columns | None) -> list[Table]:
    """The tables of vectors of the columns that have some."""
    every, places = ((), {}) if columns is None else (columns.every, columns.places)
    return [
        Table(places[column.name].start, column.entries, column.dimensions)
        for column in every
        if isinstance(column, EmbeddedColumn)
    ]


def input_names(columns: Columns) -> list[str]:
    """The names of what the first layer of the config takes, a vector's numbers as `shop[0]`."""
    names: list[str] = []
    for column in columns:
        names += (
            [f"{column.name}[{i}]" for i in range(column.dimensions)]
            if isinstance(column, EmbeddedColumn)
            else column.feature_names
        )
    return names


def with_embeddings(blocks: Blocks, columns: Columns | None) -> Blocks:
    """The blocks of a network, the first one with the embeddings before it.

    They are part of that block, so that layers keep the numbers that they have in the config.
    """
    tables = tables_of(columns)
    if not tables:
        return blocks
    first = blocks[0] if isinstance(blocks[0], list) else [blocks[0]]
    return [[Embedding(tables), *first], *blocks[1:]]
