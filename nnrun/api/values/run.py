"""A run as a value: its report, its learning curve and its model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nnrun.api.values.history import History
from nnrun.api.values.predictions import Predictions, predictions
from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load as load_model
from nnrun.models.load import make_model
from nnrun.models.model import Model
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.record import RunRecord, RunResult
from nnrun.runs.storage.contents.history import load_history
from nnrun.runs.storage.contents.names import HISTORY
from nnrun.runs.storage.contents.watched import read_watched
from nnrun.runs.storage.integrity import no_model, refuse_changed, refuse_unusable_model
from nnrun.runs.storage.reading import read_run, refuse_damaged
from nnrun.training.watching.watched import Watched


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

    def predict(self, x: npt.ArrayLike, *, threshold: float | None = None) -> Array:
        """Classes (rows,) or values in the target's own units: (rows,), or (rows, outputs).

        Args:
            x: raw rows (rows, *shape) as in the training data, with categories one-hot encoded; or
                a DataFrame with the columns of the training file in any order; or an array of text
                with those columns in their order. In the last two, categories are as in the file.
            threshold: the probability from which on the positive one of two classes is predicted;
                by default that of the run, or the likelier class.

        Raises:
            DataError: the rows have another shape, a missing column, numbers that are not finite,
                or a category that no training row has.
            UsageError: a threshold cannot decide here, or is no number from 0 to 1.
        """
        return self.model.predict(x, threshold=threshold)

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """The probability of each class: (rows, classes), columns as in `classes`.

        Raises:
            DataError: as `predict` does.
            UsageError: the network does not output probabilities.
        """
        return self.model.predict_proba(x)

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
        from nnrun.reports.notebook.parts import document_html  # noqa: PLC0415  # imports charts
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
