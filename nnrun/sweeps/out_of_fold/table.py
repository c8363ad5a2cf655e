"""Out-of-fold predictions as a table, and as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nnrun.characters import escaped
from nnrun.data.inference.npz_arrays import NpzArrays
from nnrun.frames import to_frame
from nnrun.models.scores import Metrics
from nnrun.models.writing.columns import (
    carried_cells,
    cells,
    check_carried,
    csv_lines,
    spelled,
)
from nnrun.models.writing.formats import JsonRows
from nnrun.nn.signature import Array
from nnrun.spreadsheet import quoted

Drawn = tuple[int | None, int]
"""The seed of the split, if it has its own, and that of the run."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of an experiment for the rows that its folds test, in the order of the file.

    Args:
        name: of the experiment.
        folds: the number of folds.
        drawn: the seed of the split, if it has its own, and that of the runs; with several such
            pairs, predictions are means over them: of values, or of the probabilities of classes.
        rows: the number of each row in the file, from 1 on.
        fold: the fold that tests the row, for each pair of seeds: (rows, pairs).
        target: values in their own units, or labels.
        prediction: likewise.
        probability: (rows, classes); None where the network's outputs are no probabilities.
        classes: the labels, in the order of the probabilities.
        targets: the names of the target columns.
        score: the metrics of the predictions.
        untested: how many rows no fold tests, as the first ones by time.
        incomplete: in words, the seeds that lack folds and are left out.
        carried: columns of the data, by name, as they are in the file.
    """

    name: str
    folds: int
    drawn: tuple[Drawn, ...]
    rows: npt.NDArray[np.intp]
    fold: npt.NDArray[np.intp]
    target: Array
    prediction: Array
    probability: Array | None
    classes: Array
    targets: tuple[str, ...]
    score: Metrics
    untested: int
    incomplete: tuple[str, ...]
    carried: Mapping[str, Array]

    @property
    def seeds(self) -> list[int]:
        """The seeds of the runs."""
        return [seed for _, seed in self.drawn]

    def columns(self) -> dict[str, Array]:
        """A table: carried columns, row, fold, target, prediction and, for classes, `p_<class>`.

        With several seeds, `fold` has the fold for each, as text. Several targets have columns
        `target_<name>` and `prediction_<name>`.

        Raises: UsageError if a carried column is called like one of the others.
        """
        one = self.fold.shape[1] == 1
        fold = self.fold[:, 0] if one else np.array([" ".join(map(str, f)) for f in self.fold])
        table: dict[str, Array] = {"row": self.rows, "fold": fold}
        for name, values in (("target", self.target), ("prediction", self.prediction)):
            several = zip(self.targets, values.T, strict=True) if values.ndim > 1 else ()
            table |= {f"{name}_{target}": column for target, column in several}
            if values.ndim == 1:
                table[name] = values
        if self.probability is not None:
            names = (f"p_{label}" for label in spelled(self.classes))
            table |= dict(zip(names, self.probability.T, strict=True))
        check_carried(self.carried, table)
        return {**self.carried, **table}

    def to_frame(self) -> Any:
        """The same as a pandas DataFrame.

        Raises: ModuleNotFoundError if pandas is not installed.
        """
        return to_frame(self.columns())


def _written(found: OutOfFold) -> dict[str, Array]:
    """The table with labels as the names of their columns spell them."""
    table = found.columns()
    if len(found.classes):
        table |= {name: spelled(table[name]) for name in ("target", "prediction")}
    return table


def write_csv(found: OutOfFold, sink: BinaryIO) -> None:
    """A table with a header."""
    table, carried = _written(found), found.carried
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
    table = _written(found)
    rows = JsonRows(sink, list(table))
    rows.add(list(table.values()))
    rows.close()


OUT_OF_FOLD_WRITERS: dict[str, Callable[[OutOfFold, BinaryIO], None]] = {
    "csv": write_csv,
    "npz": write_npz,
    "json": write_json,
}
