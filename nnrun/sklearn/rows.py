"""Rows for an estimator: zeros of sparse ones are written out, where memory allows it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy.sparse import issparse

from nnrun.data.layout import Layout
from nnrun.data.memory import refuse_if_too_big
from nnrun.errors import DataError
from nnrun.models.model import Model
from nnrun.nn.network import chunk_rows
from nnrun.nn.signature import Array

FORMAT = "csr"
"""The format of SciPy whose rows can be taken; others are converted."""


def dense(x: Any) -> Array:
    """The rows with their zeros; those that are dense are returned as they are.

    Raises: ValueError if they do not fit into memory.
    """
    if issparse(x):
        try:
            refuse_if_too_big(prod(x.shape) * x.dtype.itemsize, "X, written out with its zeros,")
        except DataError as error:
            raise ValueError(str(error)) from None
        x = x.toarray()
    found: Array = x
    return found


def shaped(x: Any, shape: tuple[int, ...] | None) -> Array:
    """Rows, dense or sparse, in the shape that the network takes."""
    rows = dense(x)
    if shape is None:
        return rows
    try:
        return rows.reshape(len(rows), *shape)
    except ValueError:
        given = f"rows of {rows.shape[1]} features do not fit"
        raise ValueError(f"input_shape: {given} {shape}") from None


def outputs_of(model: Model, x: Any) -> Array:
    """The outputs for checked rows; zeros of sparse ones are written out in blocks of rows."""
    if not issparse(x):
        return model.outputs(x)
    step = chunk_rows(model.network)
    return np.concatenate(
        [model.outputs(dense(x[start : start + step])) for start in range(0, x.shape[0], step)]
    )


def has_categories(x: Any, layout: Layout) -> bool:
    """Whether these are rows as a file has them, with categories that are not encoded."""
    if layout.columns.plain or issparse(x):
        return False
    if hasattr(x, "columns"):
        return set(layout.columns.features) <= set(x.columns)
    return np.asarray(x).dtype.kind in "OU"
