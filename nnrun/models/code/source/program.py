"""The main program of scripts."""

from __future__ import annotations

import csv
import sys
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnrun.models.code.source.table import read_lines, shown, table_rows

# ruff: noqa: F821  # each script has values for these names
USAGE: str
COLUMNS: list[str]
SEPARATORS: str
ENCODING: str
HEADER: list[str]
LABELS: dict[str, str]
RESULTS: list[Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]]
BATCH: int
UNSEEN: dict[str, int]
READ: Callable[[str], np.ndarray[Any, Any]]
encode: Callable[[Mapping[str, str]], list[float]]


def read_table(path: str) -> np.ndarray[Any, Any]:
    """Raw rows from a CSV file, encoded as in training; - is stdin."""
    rows = []
    for line, row in table_rows(read_lines(path, ENCODING), COLUMNS, SEPARATORS):
        try:
            rows.append(encode(row))
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from None
    return np.array(rows, "f8")


def read_archive(path: str) -> np.ndarray[Any, Any]:
    """Raw rows from the array x of an npz file."""
    try:
        x: np.ndarray[Any, Any] = np.load(path)["x"]
    except (ValueError, KeyError, IndexError, zipfile.BadZipFile):
        raise ValueError("it is no npz file with an array x") from None
    return x


def read_rows(path: str) -> np.ndarray[Any, Any]:
    """Raw rows from a CSV file, or from the array x of an npz file."""
    archive = path != "-" and zipfile.is_zipfile(path)
    return read_archive(path) if archive else read_table(path)


def write(x: np.ndarray[Any, Any]) -> None:
    """Write predictions for raw rows as CSV to stdout, in the batches of `nnrun predict`."""
    with open(1, "w", encoding="utf-8", newline="", closefd=False) as stdout:
        stdout.write(",".join(HEADER) + "\n")
        for start in range(0, len(x), BATCH):
            found = [result(x[start : start + BATCH]) for result in RESULTS]
            columns = [column for each in found for column in np.atleast_2d(each.T)]
            cells = list(map(shown, columns))
            cells[0] = [LABELS.get(cell, cell) for cell in cells[0]]
            stdout.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))


def main() -> None:
    """Read the file that the command names, and write predictions for its rows."""
    try:
        (path,) = sys.argv[1:]
    except ValueError:
        sys.stderr.write(f"usage: python {sys.argv[0]} {USAGE}\n")
        sys.exit(2)
    try:
        x = READ(path)
    except (OSError, ValueError, csv.Error) as error:
        sys.stderr.write(f"{path}: {getattr(error, 'strerror', None) or error}\n")
        sys.exit(2)
    for name, count in UNSEEN.items():
        what = "cells have categories" if count > 1 else "cell has a category"
        sys.stderr.write(f"{path}: {name}: {count} {what} that training has not seen\n")
    write(x)
