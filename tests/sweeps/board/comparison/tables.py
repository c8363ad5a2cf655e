"""Tables of numbers to be compared, and designs."""

from __future__ import annotations

import numpy as np

from nnrun.sweeps.board.means import Table
from nnrun.sweeps.board.variance import Design


def plain(number):
    """The design of replicates that share nothing."""
    return Design.of([(each, each) for each in range(number)])


def table_of(values, overlap=0.0, resolution=0.0, design=None):
    """Rows of the same splits, all of them sound; replicates share nothing by default."""
    rows, columns = values.shape
    return Table(
        values,
        design or plain(columns),
        np.zeros(rows, dtype=np.intp),
        np.full(rows, overlap),
        np.full(rows, resolution),
        np.ones(rows, dtype=bool),
    )
