"""What columns that a run leaves out tell of its errors on rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from nnrun.config.scaffold.columns import reason
from nnrun.config.scaffold.relations import share_explained
from nnrun.data.inference.sources import read_carried
from nnrun.data.readers.profile import Survey, survey
from nnrun.errors import NnrunError
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.reports.document import Block, Cell, Grid, Note
from nnrun.reports.predictions import LoadData, prepared_again
from nnrun.runs.execution.members import outputs_of_held_out
from nnrun.runs.record import RunRecord

# Bytes of a file that take seconds to look at.
_LARGE = 10_000_000
# The share of tables of chance in which a column is shown.
_LEVEL = 0.05


@dataclass(frozen=True)
class LeftOut:
    """A column that the config leaves out.

    Args:
        column: its name.
        why: what it seems to hold.
        share: of the variance of residuals of held-out rows that it explains, out of fold.
        low: the lower end of the interval of the share, which holds for all such columns at once.
    """

    column: str
    why: str
    share: float
    low: float


def left_out(record: RunRecord, model: Model, load_data: LoadData) -> list[LeftOut]:
    """The columns that explain residuals beyond chance, the largest share first.

    Held out are validation rows, or the out-of-bag rows of members; test rows are not looked at.
    There is nothing to say of large files, nor where the data are missing or have changed.
    """
    source = record.config["dataset"]
    path, dropped = Path(source.get("path") or ""), (source.get("columns") or {}).get("drop")
    try:
        if not dropped or not path.is_file() or path.stat().st_size > _LARGE:
            return []
        run = prepared_again(record, load_data)
        if run.split.validation is None:
            return []
        part, outputs, rows = outputs_of_held_out(run, model, "validation")
        residuals = _residuals(model, outputs, part.y)
        if len(residuals) < 2 or not np.isfinite(residuals).all():
            return []
        table = _survey(path, run.dataset.sha256)
        columns = [column for column in table.columns if column.name in dropped]
        names = [column.name for column in columns]
        cells = read_carried(path, names, table.separator, table.encoding)
    except (NnrunError, OSError, MemoryError):
        return []
    from scipy.stats import t  # noqa: PLC0415  # slow to import

    bound = float(t.ppf(1 - _LEVEL / max(1, len(columns)), len(residuals) - 1))
    places = run.dataset.row_numbers[rows] - 1
    found = []
    for column in columns:
        texts = [str(text).strip() for text in cells[column.name][places].tolist()]
        share, error = share_explained(column, texts, table.decimal, residuals)
        if share > bound * error > 0:
            found.append(LeftOut(column.name, reason(column), share, share - bound * error))
    return sorted(found, key=lambda one: -one.share)


def left_out_blocks(columns: Sequence[LeftOut]) -> list[Block]:
    """A table of the columns; nothing where there are none."""
    rows = [
        [Cell(one.column), Cell(one.why), *(Cell(f"{n:.1%}", n) for n in (one.share, one.low))]
        for one in columns
    ]
    header = ["left out", "why", "explains of residuals", "at least"]
    note = "Shares of the variance of residuals of held-out rows, out of fold, beyond chance."
    return [Grid("Columns that are left out", header, rows, texts=2), Note(note)] if rows else []


@lru_cache(maxsize=4)
def _survey(path: Path, digest: str) -> Survey:
    """The table of the data with this digest, which `init` looks at in the same way."""
    return survey(path)


def _residuals(model: Model, outputs: Array, y: Array) -> Array:
    """What predictions lack (rows, numbers); of classes, their probabilities if there are any."""
    if isinstance(model.task, Classification):
        probabilities = model.task.probabilities(outputs)
        if probabilities is None:
            return np.asarray(model.task.decode(outputs) != y, float)[:, None]
        return np.asarray((y[:, None] == np.arange(probabilities.shape[1])) - probabilities)
    errors = model.task.decode(outputs) - y.reshape(len(y), -1)
    return np.asarray(errors / (errors.std(axis=0) + np.finfo(float).tiny))
