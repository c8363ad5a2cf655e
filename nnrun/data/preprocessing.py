"""Preprocessing that is fitted on the training split and stored with the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.layout import Columns, Layout
from nnrun.data.protocols import DatasetSettings
from nnrun.data.rows import RawRows
from nnrun.data.steps import (
    SCALERS,
    STEPS,
    AddsColumns,
    FeatureError,
    Impute,
    Numbers,
    PerFeature,
    Scaler,
    Step,
)
from nnrun.data.steps import FloatArray as Array
from nnrun.errors import DataError


class Preprocessing:
    """A sequence of steps for the features and at most one scaling of the target.

    `features` holds names of steps, in order (`"none"` does nothing); a step with an option is an
    object with the option as the attribute of the step's name (`binarize`). `target` is `"none"` or
    the name of a scaler. With `layout`, rows of another shape are refused, and missing numbers of a
    table are filled in first, with `indicators` as `DatasetSettings` has them. Columns that steps
    add stand after all features, in the order of the steps.
    """

    def __init__(
        self,
        features: Sequence[Any] = (),
        target: str = "none",
        layout: Layout | None = None,
        indicators: Mapping[str, bool] | None = None,
    ) -> None:
        if target != "none" and layout is not None and layout.task == "classification":
            raise DatasetProblem([(("dataset", "target"), CLASS_TARGET.format(target))])
        self.steps: list[Step] = [_step(step) for step in features if step != "none"]
        if layout is not None:
            self._check_steps(layout)
        columns = Columns(()) if layout is None else layout.columns
        self._indicated = _indicated(columns, indicators or {"": False})
        if columns.imputed or self._indicated:
            places = [place for every in self._indicated.values() for place in every]
            self.steps.insert(0, Impute(columns.imputed, indicated=places))
        self.target: Scaler | None = None if target == "none" else SCALERS[target]()
        self.layout = layout

    @classmethod
    def for_dataset(cls, dataset: Dataset, config: DatasetSettings) -> Preprocessing:
        """The preprocessing of a config, not fitted yet."""
        return cls(config.features, config.target, dataset.layout, config.indicators())

    def fit(self, x: RawRows | npt.NDArray[Any], y: npt.NDArray[Any]) -> Preprocessing:
        """Fit each step to the output of the steps before it, which is computed in blocks of rows.

        Args: x (rows, *shape) and y of the training split alone.
        Raises: DatasetProblem if a column to fill in has no values, or its statistics overflow, or
        an indicator has no blank to show.
        """
        self._check(x.shape if isinstance(x, RawRows) else x.shape[1:])
        for index, step in enumerate(self.steps):
            key = "missing" if isinstance(step, Impute) else "features"
            with self._named(key, "feature", self._names("features")):
                step.fit(Numbers(x, self.steps[:index]))
            if isinstance(step, Impute):
                self._check_indicators(step)
            if isinstance(step, PerFeature) and self.layout is not None:
                columns = self.layout.columns
                step.leave([*columns.codes, *(columns.one_hot if step.spares_one_hot else ())])
        if self.target is not None:
            with self._named("target", "target", self._names("target")):
                self.target.fit(Numbers(np.ascontiguousarray(y)))
        return self

    @property
    def widens(self) -> bool:
        """Whether steps add columns, as far as is known before they are fitted."""
        return any(isinstance(step, AddsColumns) and step.widens for step in self.steps)

    @property
    def added(self) -> int:
        """How many columns the fitted steps add."""
        return sum(len(step.place) for step in self.steps if isinstance(step, AddsColumns))

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The name of each of these columns, such as `age.piece_1`, and of the feature it is of."""
        names = self._names("features")
        columns = {} if self.layout is None else self.layout.columns.sources
        found = []
        for step in self.steps:
            if isinstance(step, AddsColumns):
                for place, title in zip(step.place.tolist(), step.titles(), strict=True):
                    feature = names[place] if place < len(names) else f"column {place + 1}"
                    # All parts of a date are missing at once.
                    of = columns.get(feature, feature) if isinstance(step, Impute) else feature
                    found.append((f"{of}.{title}", feature))
        return found

    def transform_x(self, x: npt.NDArray[Any]) -> Array:
        """A new float64 array: x after all steps, (rows, *shape), or of a table (rows, features and
        added columns).
        """
        self._check(x.shape[1:])
        current = np.array(x, dtype=np.float64)
        added: list[Array] = []
        for step in self.steps:
            if isinstance(step, AddsColumns) and len(step.place):
                added.append(step.added(current))
            current = step.apply(current)
        return np.concatenate([current, *added], axis=1) if added else current

    def transform_y(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The scaled target; class numbers are not changed."""
        if self.target is None:
            return y
        return self.target.apply(np.array(y, dtype=np.float64))

    def inverse_y(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Outputs of the network (rows, outputs) in the target's original units."""
        if self.target is None:
            return y
        return self.target.invert(np.array(y, dtype=np.float64))

    def to_dict(self) -> dict[str, Any]:
        """The fitted preprocessing as JSON-able values; floats survive JSON bit for bit."""
        return {
            "features": [{"step": step.name, **step.state()} for step in self.steps],
            "target": self.target and {"step": self.target.name, **self.target.state()},
            "layout": None if self.layout is None else self.layout.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Preprocessing:
        """The fitted preprocessing that `to_dict` described.

        Raises: DataError if the description is damaged.
        """
        try:
            layout = stored["layout"]
            fitted = cls(layout=None if layout is None else Layout.from_dict(layout))
            fitted.steps = [
                _restored({**STEPS, Impute.name: Impute}, step) for step in stored["features"]
            ]
            if stored["target"] is not None:
                fitted.target = _restored(SCALERS, stored["target"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"the stored preprocessing is damaged: {error!r}") from error
        return fitted

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Preprocessing) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # fitting changes it, as a list's content changes

    def _names(self, of: str) -> tuple[str, ...]:
        if self.layout is None:
            return ()
        return self.layout.target_names if of == "target" else self.layout.columns.feature_names

    def _check_steps(self, layout: Layout) -> None:
        """Refuse pieces of pixels, and steps that would change the numbers of categories."""
        codes = layout.columns.codes
        for index, step in enumerate(self.steps):
            if isinstance(step, AddsColumns) and len(layout.shape) > 1:
                message = f"'{step.name}' is for tables: it adds columns, and these rows are images"
                raise DatasetProblem([(("dataset", "features", index), message)])
            if codes and not isinstance(step, PerFeature):
                what = f"'{step.name}' would change the number of a category of the embedding"
                message = f"{what} '{next(iter(codes.values()))}'; use standard, minmax or robust"
                raise DatasetProblem([(("dataset", "features", index), message)])

    def _check_indicators(self, step: Impute) -> None:
        """Refuse a key of the config that asks for indicators where no training row is blank."""
        problems = [
            (path, INDICATOR)
            for path, places in self._indicated.items()
            if not np.isin(places, step.place).any()
        ]
        if problems:
            raise DatasetProblem(problems)

    @staticmethod
    @contextmanager
    def _named(key: str, what: str, names: Sequence[str]) -> Iterator[None]:
        """Turn a FeatureError into a DatasetProblem with the column's name and the config's key."""
        try:
            yield
        except FeatureError as error:
            place = error.feature
            name = f"column '{names[place]}'" if place < len(names) else f"{what} {place}"
            raise DatasetProblem([(("dataset", key), f"{name} {error.message}")]) from None

    def _check(self, shape: tuple[int, ...]) -> None:
        if self.layout is not None and shape != self.layout.shape:
            raise DataError(
                f"rows of shape {shape} were given where {self.layout.shape} are needed"
            )


INDICATOR = (
    "an indicator without a blank: no training row has a blank cell in a column of numbers or "
    "dates that this rule fills in; leave 'indicator' out (a missing category is one of its own)"
)
CLASS_TARGET = "'{}' scales numbers, but the target is a class; leave it at 'none'"


def _indicated(
    columns: Columns, indicators: Mapping[str, bool]
) -> dict[tuple[Any, ...], list[int]]:
    """The features with indicators by the key of the config that asks for them.

    Of a date it is the first part, since all parts are missing at once.
    """
    paths = {
        name: ("dataset", *(("columns", "missing", name) if name else ("missing",)), "indicator")
        for name, wanted in indicators.items()
        if wanted
    }
    found: dict[tuple[Any, ...], list[int]] = {path: [] for path in paths.values()}
    for column in columns:
        path = paths.get(column.source if column.source in indicators else "")
        if path is not None and column.imputed:
            found[path].append(columns.places[column.name].start)
    return found


def _step(step: Any) -> Step:
    if isinstance(step, str):
        return STEPS[step]()
    ((name, option),) = vars(step).items()
    make = STEPS[name]
    return make(**vars(option)) if getattr(make, "keyed", False) else make(option)


def _restored(table: Mapping[str, Any], stored: Mapping[str, Any]) -> Any:
    arguments = {key: value for key, value in stored.items() if key != "step"}
    return table[stored["step"]](**arguments)
