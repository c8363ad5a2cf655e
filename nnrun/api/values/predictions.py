"""Predictions for a table in memory, with columns of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.inference.frames import sound_rows
from nnrun.errors import UsageError
from nnrun.frames import to_frame
from nnrun.models.model import Model
from nnrun.models.writing.columns import check_carried, prediction_names
from nnrun.suggestions import suggestion


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
