"""Writing and reading the learning curve of a run, history.csv."""

from __future__ import annotations

import csv
import io
from math import nan
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.errors import NnrunError
from nnrun.runs.storage.contents.names import HISTORY
from nnrun.runs.storage.durable.files import read_regular
from nnrun.spreadsheet import csv_line

if TYPE_CHECKING:  # slow to import
    from nnrun.training.state import HistoryRow

_MOST_BYTES = 2**30
_COUNTS = ("iteration", "_rows")


def history_csv(history: list[HistoryRow]) -> str:
    """A line for each evaluation; floats in their shortest exact form."""
    columns = list(history[0]) if history else ["iteration", "epoch", "learning_rate"]
    return "".join(map(csv_line, [columns, *map(itemgetter(*columns), history)]))


def load_history(folder: Path) -> list[HistoryRow]:
    """The evaluations that `history_csv` wrote, to the last bit; empty without the file.

    Raises: NnrunError if it is damaged, or cannot be read.
    """
    file = folder / HISTORY
    try:
        header, *rows = csv.reader(_lines(file), strict=True)
        return [
            {name: _cell(name, cell) for name, cell in zip(header, row, strict=True)}
            for row in rows
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise NnrunError(f"{file}: damaged, or cannot be read ({error})") from error


def _cell(name: str, text: str) -> float | int:
    return int(text) if name.endswith(_COUNTS) else float(text)


def read_history(folder: Path) -> dict[str, list[float]]:
    """The columns of history.csv by name, for display: NaN for cells that are not numbers; empty if
    the file is no learning curve.
    """
    try:
        rows = list(csv.reader(_lines(folder / HISTORY)))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    if not rows or "iteration" not in rows[0]:
        return {}
    header, *lines = rows
    whole = [line for line in lines if len(line) == len(header)]
    return {name: [_number(line[i]) for line in whole] for i, name in enumerate(header)}


def _lines(file: Path) -> io.StringIO:
    """The lines of a file, which others may have changed."""
    return io.StringIO(read_regular(file, _MOST_BYTES).decode(), newline="")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan
