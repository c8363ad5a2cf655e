"""Predictions for any number of rows."""

from __future__ import annotations

import numpy as np

from nnrun.data.inference.sources import Rows
from nnrun.models.model import Model
from nnrun.models.outside import Outside
from nnrun.models.scores import Measured
from nnrun.models.task import Regression
from nnrun.models.writing import Writer
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array


def predict_rows(
    model: Model,
    rows: Rows,
    writer: Writer | None,
    score: Measured | None,
    outside: Outside | None = None,
    *,
    named: bool = False,
) -> int:
    """Write and score the predictions for all rows, and return the number of rows.

    `outside` counts cells that are unlike those of training; where they are `named`, they are the
    last of the carried columns.

    Raises:
        DataError: a row is wrong.
        OSError: the output cannot be written.
    """
    count = 0
    # The same chunks as in `Model.outputs`, so that the same rows get the same bits.
    for batch in rows.batches(chunk_rows(model.network)):
        outputs, variance = model.evaluate_each(batch.x)
        unlike = None if outside is None else outside.add(batch.x)
        if writer is not None:
            carried = (*batch.carried, unlike) if named and unlike is not None else batch.carried
            writer.add(outputs, carried, variance)
            writer.not_finite += _not_finite(model, outputs)
        if score is not None and batch.y is not None:
            score.add(outputs, batch.y, batch.weight)
        count += len(batch)
    return count


def _not_finite(model: Model, outputs: Array) -> int:
    """The number of rows whose prediction is no finite number."""
    numbers = model.task.decode(outputs) if isinstance(model.task, Regression) else outputs
    return int(np.count_nonzero(~np.isfinite(numbers).all(axis=1)))
