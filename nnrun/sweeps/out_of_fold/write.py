"""Out-of-fold predictions as a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

from nnrun.characters import escaped
from nnrun.data.inference.npz_arrays import NpzArrays
from nnrun.models.writing.columns import carried_cells, cells, check_carried, csv_lines, quoted
from nnrun.models.writing.formats import JsonRows
from nnrun.sweeps.out_of_fold.table import OutOfFold


def write_csv(found: OutOfFold, sink: BinaryIO) -> None:
    """A table with a header."""
    table, carried = found.columns(), found.carried
    header = [[quoted(name if name in carried else escaped(name))] for name in table]
    columns = [
        (carried_cells if name in carried else cells)(column) for name, column in table.items()
    ]
    sink.write((csv_lines(header) + csv_lines(columns)).encode())


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
    check_carried(found.carried, arrays)
    archive = NpzArrays(sink)
    archive.add({**found.carried, **arrays})
    archive.close(complete=True)


def write_json(found: OutOfFold, sink: BinaryIO) -> None:
    """An array with an object for each row."""
    table = found.columns()
    rows = JsonRows(sink, list(table))
    rows.add(list(table.values()))
    rows.close()


OUT_OF_FOLD_WRITERS: dict[str, Callable[[OutOfFold, BinaryIO], None]] = {
    "csv": write_csv,
    "npz": write_npz,
    "json": write_json,
}
