"""Out-of-fold predictions as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from nnrun.characters import escaped
from nnrun.models.writing import cells
from nnrun.sweeps.out_of_fold.collect import OutOfFold


def write_csv(found: OutOfFold, sink: BinaryIO) -> None:
    """A table with a header."""
    table, text = found.columns(), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(escaped, table))
    writer.writerows(zip(*map(cells, table.values()), strict=True))
    sink.write(text.getvalue().encode())


def write_npz(found: OutOfFold, sink: BinaryIO) -> None:
    """Arrays `row`, `fold` (rows, seeds), `target`, `prediction` and, of classes, `probability`."""
    arrays: dict[str, Any] = {
        "row": found.rows,
        "fold": found.fold,
        "target": found.target,
        "prediction": found.prediction,
    }
    if found.probability is not None:
        arrays["probability"] = found.probability
    np.savez(sink, **arrays)


OUT_OF_FOLD_WRITERS: dict[str, Callable[[OutOfFold, BinaryIO], None]] = {
    "csv": write_csv,
    "npz": write_npz,
}
