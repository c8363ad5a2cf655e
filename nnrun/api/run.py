"""What the functions of this package return of a run: the run itself, its curve and its
predictions.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, wraps
from inspect import signature
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

import numpy as np
import numpy.typing as npt

from nnrun.config.load import Experiment, load_config
from nnrun.config.overrides import format_override
from nnrun.config.source_map import plain
from nnrun.data.inference.table_rows import sound_rows
from nnrun.data.readers.opening import GIVEN
from nnrun.errors import NnrunError, UsageError
from nnrun.frames import to_frame
from nnrun.models.coverage import Covered
from nnrun.models.load import load_model, make_model
from nnrun.models.model import Model
from nnrun.models.writing import check_carried, prediction_names
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.plugins.loading import load, load_ambient
from nnrun.runs.pack import unpacked_for_good
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.contents import read_watched
from nnrun.runs.storage.reading import (
    HISTORY,
    load_history,
    no_model,
    read_run,
    refuse_changed,
    refuse_damaged,
    refuse_unusable_model,
)
from nnrun.suggestions import nearest, suggestion
from nnrun.sweeps.named_runs import pick_run
from nnrun.training.watched import Watched

if TYPE_CHECKING:  # slow to import
    from nnrun.reports.contributions import Contributions


class History(Mapping[str, Array]):
    """The evaluations of a run: a column for each name, such as `test_loss`.

    Args:
        rows: the evaluations in order; all have the same keys.
    """

    def __init__(self, rows: Sequence[Mapping[str, float | int]]) -> None:
        names = list(rows[0]) if rows else []
        self._columns = {name: np.array([row[name] for row in rows]) for name in names}
        self._length = len(rows)

    def __getitem__(self, name: str) -> Array:
        if name not in self._columns:
            raise KeyError(f"{name!r}; there are {', '.join(self._columns) or 'no columns'}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<History of {self._length} evaluations: {', '.join(self._columns)}>"

    def rows(self) -> list[dict[str, float | int]]:
        """A dictionary for each evaluation."""
        columns = {name: column.tolist() for name, column in self._columns.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_frame(self) -> Any:
        """A pandas DataFrame, indexed by iteration.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(self._columns).set_index("iteration", drop=False)


# Predictions for a table in memory, with columns of it.


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for the rows of a table.

    Args:
        table: the columns that `nnrun predict` writes, by name: those carried through, `prediction`
            and, for classes, `p_<class>`.
        rows: the position of each predicted row in the table, from 0 on.
        skipped: why other rows are not predicted, by position.
        index: of the predicted rows, if the table has one, as those of pandas have.
    """

    table: Mapping[str, Any]
    rows: npt.NDArray[np.intp]
    skipped: Mapping[int, str]
    index: Any = None

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame, with the index of the rows.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return to_frame(dict(self.table), index=self.index)


def predictions(
    model: Model, x: Any, ids: Sequence[str], skip_bad: bool, threshold: float | None
) -> Predictions:
    """Predictions with columns of the table x."""
    _check_ids(x, ids)
    found, skipped = sound_rows(x, model.layout) if skip_bad else (None, {})
    outputs = model.outputs(x) if found is None else model.evaluate(found)
    values = model.decode(outputs, threshold)
    columns = list(values.T) if values.ndim > 1 else [values]
    if model.probabilistic:
        columns += list(model.probabilities(outputs).T)
    names = prediction_names(model)
    check_carried(ids, names)
    rows = np.delete(np.arange(len(values) + len(skipped)), list(skipped))
    carried = {name: np.asarray(x[name])[rows] for name in ids}
    table = {**carried, **dict(zip(names, columns, strict=True))}
    index = x.index[rows] if hasattr(x, "index") and hasattr(x, "columns") else None
    return Predictions(table, rows, skipped, index)


def _check_ids(x: Any, ids: Sequence[str]) -> None:
    if isinstance(ids, str):
        raise UsageError(f"ids={ids!r}: give a list, as in ids=[{ids!r}]")
    names = [str(name) for name in getattr(x, "columns", ())]
    lacking = next((name for name in ids if name not in names), None)
    if lacking is not None:
        hint = suggestion(lacking, names) if names else "; only tables have columns"
        raise UsageError(f"ids: there is no column {lacking!r}{hint}")


# A run as a value: its report, its learning curve and its model.


class Run:
    """One run, trained now or before.

    Args:
        record: its report.
        path: its folder; None if nothing was saved.
        result: of training, if it is in memory; else the folder is read.
    """

    def __init__(
        self, record: RunRecord, path: Path | None, result: RunResult | None = None
    ) -> None:
        self.record = record
        self.path = path
        self._result = result

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else str(self.path)
        return f"<Run {self.record.name}/{self.record.run_id}: {self.status}, {where}>"

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.record.name

    @property
    def run_id(self) -> str:
        """The id of the run within its experiment."""
        return self.record.run_id

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.record.seed

    @property
    def status(self) -> str:
        """`completed`, `diverged`, `stopped` (by a callback), `interrupted` or `failed`."""
        return self.record.status

    @property
    def error(self) -> str | None:
        """Why the run is not completed, in a sentence; None if it is."""
        return self.record.error

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, with all defaults."""
        return self.record.config

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics by split: `metrics["test"]["accuracy"]`; None for a missing split."""
        return self.record.metrics

    @cached_property
    def history(self) -> History:
        """The learning curve: `history["test_loss"]` is an array; `history.to_frame()` a table."""
        if self._result is not None:
            return History(self._result.history)
        if self.path is None:
            return History([])
        refuse_changed(self.path, self.record, HISTORY)
        return History(load_history(self.path))

    @cached_property
    def watched(self) -> Watched | None:
        """What was recorded of the network while it trained; None without `training.watch`.

        Raises:
            NnrunError: its file has changed.
        """
        if self._result is not None:
            return self._result.watched
        return None if self.path is None else read_watched(self.path, self.record)

    @cached_property
    def model(self) -> Model:
        """The network with its weights and its fitted preprocessing.

        Raises:
            UsageError: there is none, since the run diverged or failed; or its file has changed.
        """
        if self._result is None and self.path is not None:
            refuse_unusable_model(self.path, self.record)
            return load_model(self.path)
        if self._result is None or self._result.weights is None:
            raise UsageError(no_model(self.record))
        values = json.loads(json.dumps(self._result.metadata))
        return make_model(self._result.weights, values, repr(self))

    @property
    def network(self) -> Network:
        """The network with its weights, for preprocessed rows."""
        return self.model.network

    @property
    def classes(self) -> Array:
        """The labels by class number, in the order of `predict_proba`'s columns."""
        return self.model.classes

    @overload
    def predict(self, x: npt.ArrayLike, *, threshold: float | None = None) -> Array: ...
    @overload
    def predict(
        self,
        x: npt.ArrayLike,
        *,
        coverage: float,
        by_class: bool = False,
        outside: bool = False,
        threshold: float | None = None,
    ) -> Covered: ...
    @overload
    def predict(
        self, x: npt.ArrayLike, *, outside: Literal[True], threshold: float | None = None
    ) -> Covered: ...
    def predict(
        self,
        x: npt.ArrayLike,
        *,
        threshold: float | None = None,
        coverage: float | None = None,
        by_class: bool = False,
        outside: bool = False,
    ) -> Array | Covered:
        """Classes (rows,) or values in the target's own units: (rows,), or (rows, outputs).

        Args:
            x: raw rows (rows, *shape) as in the training data, with categories one-hot encoded; or
                a DataFrame with the columns of the training file in any order; or an array of text
                with those columns in their order. In the last two, categories are as in the file.
            threshold: the probability from which on the positive one of two classes is predicted;
                by default that of the run, or the likelier class.
            coverage: the share of rows whose truth lies in an interval or a set; then the result
                has these, as `Covered`: `prediction`, and `low` and `high`, or `set`.
            by_class: whether the share is that of the rows of each class.
            outside: whether the result, as `Covered`, says how rows are unlike those of training:
                `outside` has the column that `nnrun predict --outside` writes.

        Raises:
            DataError: the rows have another shape, a missing column, numbers that are not finite,
                or a category that no training row has.
            UsageError: a threshold cannot decide here, or is no number from 0 to 1; or there are
                no held-out rows, or too few of them, for this coverage.
        """
        model = self.model
        if coverage is None:
            prediction = model.predict(x, threshold=threshold)
            return Covered(prediction, outside=model.unlike(x)) if outside else prediction
        covered = model.predict_covered(x, coverage, by_class=by_class, threshold=threshold)
        return replace(covered, outside=model.unlike(x)) if outside else covered

    def predict_proba(self, x: npt.ArrayLike, *, calibrated: bool = False) -> Array:
        """The probability of each class: (rows, classes), columns as in `classes`.

        Args:
            x: as for `predict`.
            calibrated: whether to return what rows held out from training make of these;
                `run.model.calibrated()` predicts by them, too.

        Raises:
            DataError: as `predict` does.
            UsageError: the network does not output probabilities, or there are too few held-out
                rows to calibrate them by.
        """
        return (self.model.calibrated() if calibrated else self.model).predict_proba(x)

    def explain(
        self, x: Any, *, background: Any = None, class_name: str | None = None
    ) -> Contributions:
        """What each column adds to the predictions for rows x, as `nnrun explain RUN --row` says.

        Args:
            x: raw rows, as for `predict`.
            background: rows to compare with; by default at most 100 training rows of the run.
            class_name: the class that `to_dict()` is about; by default the predicted one.

        Raises: as `predict` does; UsageError also for images, or if there is no such class.
        """
        from nnrun.reports import contributions as made  # noqa: PLC0415  # as charts
        from nnrun.reports.predictions import prepared_again  # noqa: PLC0415  # likewise
        from nnrun.sweeps.planning.variants import Datasets  # noqa: PLC0415  # likewise

        rows = self.model.rows(x)
        if background is None:
            prepared = prepared_again(self.record, Datasets().load)
            return made.contributions(self.model, rows, *made.background_of(prepared), class_name)
        background = self.model.rows(background)
        return made.contributions(self.model, rows, background, class_name=class_name)

    def predictions(
        self,
        x: Any,
        *,
        ids: Sequence[str] = (),
        skip_bad: bool = False,
        threshold: float | None = None,
    ) -> Predictions:
        """Predictions with columns of the table x, as `nnrun predict --id` and `--skip-bad`.

        Args:
            x: raw rows, as for `predict`.
            ids: columns of x that the result has in front, unchanged.
            skip_bad: whether rows with wrong cells are left out, and not an error; of arrays of
                numbers no row is.
            threshold: as for `predict`.

        Raises:
            DataError: as `predict` does; with `skip_bad`, for missing columns, or if no row is
                left.
            UsageError: as `predict` does, or x does not have one of the columns.
        """
        return predictions(self.model, x, ids, skip_bad, threshold)

    def _repr_html_(self) -> str:
        """The table of results and the learning curve, for notebooks."""
        from nnrun.reports.document import Code  # noqa: PLC0415  # as charts
        from nnrun.reports.notebook_blocks import document_html  # noqa: PLC0415  # imports charts
        from nnrun.reports.run import run_document, run_parts  # noqa: PLC0415  # as charts

        place = None if self.path is None else Code(str(self.path), "folder")
        history = {name: self.history[name].tolist() for name in self.history}
        parts = run_parts(self.record, history, place)
        return document_html(run_document(self.record, parts))


def read(folder: Path, *, placed: bool = False) -> Run:
    """A run on disk.

    Args:
        folder: of the run.
        placed: whether the folder is in a results folder.

    Raises:
        UsageError: there is none, or it is damaged.
        NnrunError: it has no report yet.
    """
    found = read_run(folder, placed=placed)
    if found is None:
        raise UsageError(f"{folder}: there is no run")
    refuse_damaged(found, folder)
    if found.record is None:
        raise NnrunError(f"{folder}: {found.problem}")
    return Run(found.record, folder)


# The arguments of functions: configs, data and runs, numbers, and errors for unknown names.

P = ParamSpec("P")
R = TypeVar("R")

Path_ = str | os.PathLike[str]
Config = Path_ | Mapping[str, Any]
Plugins = Path_ | Iterable[Path_]
FROM_DATA = {"dataset.path": GIVEN}
"""The override for data that are given in place of a file."""


def experiment_of(
    config: Config,
    overrides: Mapping[str, Any] | None,
    seed: int | None,
    iterations: int | None,
    data: Any,
) -> Experiment:
    """The config as an experiment.

    Raises:
        ConfigError: with all mistakes of the config.
    """
    origin = config if isinstance(config, Mapping) else Path(config)
    given = words(overrides) + ([] if seed is None else words({"seed": seed}))
    given += [] if data is None else words(FROM_DATA)
    return load_config(origin, given, iterations)


def words(overrides: Mapping[str, Any] | None) -> list[str]:
    """Overrides in the form of the command line, which errors refer to.

    Raises:
        ConfigError: a value cannot be written in a config.
    """
    if not isinstance(overrides or {}, Mapping):
        raise UsageError('overrides are a dictionary such as {"training.learning_rate": 0.1}')
    return [format_override(key, value) for key, value in plain(overrides or {}).items()]


def folder_of(run: Run | Path_, results: Path_ | None) -> Path:
    """The folder of a stored run."""
    if not isinstance(run, Run):
        place, root = os.fspath(run), Path(results or "results")
        return unpacked_for_good(Path(place)) if is_packed(place) else pick_run(place, root)
    if run.path is None:
        raise UsageError(f"{run.name}/{run.run_id}: it was kept in memory, and no file of it is")
    return run.path


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with an error for unknown keywords that names the setting that was meant.

    Settings of a config are given as `overrides`, and not as arguments. Plugins are loaded first:
    those of installed packages and of NNRUN_PLUGINS, and the files of the argument `plugins`.
    """
    known = signature(function).parameters

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in kwargs.items():
            if name not in known:
                hint = _hint(name, value, known)
                raise TypeError(f"nnrun.{function.__name__} has no argument '{name}'{hint}")
        load_ambient()
        files: Any = kwargs.get("plugins", ())
        load(*([files] if isinstance(files, str | os.PathLike) else files))
        try:
            return function(*args, **kwargs)
        except UsageError as error:  # which names the options of commands
            text, values = str(error), signature(function).bind(*args, **kwargs).arguments
            for name in known:
                option, value = f"--{name.replace('_', '-')}(?![a-z-])", values.get(name)
                named = f"{name}={value!r}" if isinstance(value, str | int) else name
                text = re.sub(f"{option}( [^ :]+)?:", named.replace("\\", r"\\") + ":", text)
                # Within a command that is shown it stays.
                shown = f"(nnrun [a-z][^;]*?)?{option}"
                text = re.sub(shown, partial(_outside, name), text)
            error.args = (text,)
            raise

    return call


def _outside(name: str, option: re.Match[str]) -> str:
    """The name of an argument for an option that is not part of a command."""
    return option[0] if option[1] else name


def at_least_one(name: str, value: int | None) -> int | None:
    """A whole number of at least 1, such as a number of threads; None stands for the default.

    Raises:
        UsageError: the value is no whole number, or less than 1.
    """
    if value is None:
        return None
    try:
        number = index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"{name}={value!r}: a whole number of at least 1 is needed")
    return number


def _hint(name: str, value: object, known: Collection[str]) -> str:
    from nnrun.config.hints import place_of  # noqa: PLC0415  # slow to import

    near = nearest(name, known)
    place = place_of(name) if "overrides" in known else None
    if place is not None and near is None:
        return f"; settings are overrides, as in overrides={{{place!r}: {value!r}}}"
    return f"; did you mean '{near}'?" if near else f"; there are {', '.join(known)}"
