"""Rows of a CSV file as `nnrun.data.readers.text_lines` reads them, and cells of predictions."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def read_lines(path: str, encoding: str) -> list[str]:
    """The lines of a file, or of stdin for -; they keep their ends."""
    with open(0 if path == "-" else path, encoding=encoding, newline="") as file:
        return file.readlines()


def table_rows(
    lines: list[str], columns: Sequence[str], separators: str
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line, by the names in the header; the columns have to be among them.

    The separator is the first one by which they are. Blank lines are left out.
    """
    lacking = [*columns]
    for separator in separators:
        table = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
        try:
            header = [name.strip() for name in next(table, [])]
            header[:1] = [name or "Unnamed: 0" for name in header[:1]]
        except csv.Error:
            header = []
        if set(columns) <= set(header):
            break
        # By another separator than that of the file, all columns are lacking.
        lacking = min(lacking, [name for name in columns if name not in header], key=len)
    else:
        raise ValueError(f"line 1: there is no column {', '.join(map(repr, lacking))}")
    needed = set(columns)
    if sum(name in needed for name in header) > len(needed):
        raise ValueError("line 1: several columns have the same name")
    line = table.line_num + 1
    for cells in table:
        if any(cells) or len(cells) > 1 or (cells and len(header) == 1):
            if len(cells) != len(header):
                raise ValueError(f"line {line}: has {len(cells)} cells, the header {len(header)}")
            yield line, dict(zip(header, cells, strict=True))
        line = table.line_num + 1


def shown(column: np.ndarray[Any, Any]) -> list[str]:
    """Labels, and numbers in their shortest exact form."""
    return list(map(str, column if column.dtype == np.float32 else column.tolist()))
