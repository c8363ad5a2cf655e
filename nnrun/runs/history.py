"""A run's learning curve, as it was written."""

from __future__ import annotations

import csv
from math import nan
from pathlib import Path

HISTORY = "history.csv"


def read_history(folder: Path) -> dict[str, list[float]]:
    """The columns of history.csv by name; NaN where a cell is no number, empty without the file."""
    try:
        with (folder / HISTORY).open(newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    if not rows:
        return {}
    header, *lines = rows
    whole = [line for line in lines if len(line) == len(header)]
    return {name: [_number(line[i]) for line in whole] for i, name in enumerate(header)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan
