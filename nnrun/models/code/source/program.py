"""The main program of scripts."""

from __future__ import annotations

import csv
import sys
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnrun.models.code.source.table import read_lines, shown, table_rows
from nnrun.models.coverage import quantile

# ruff: noqa: F821  # each script has values for these names
USAGE: str
COLUMNS: list[str]
SEPARATORS: str
ENCODING: str
HEADER: list[str]
LABELS: dict[str, str]
RESULTS: list[Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]]
OPTIONS: dict[str, Callable[[str], None]]
COVERED: list[str]
COVERING: Callable[[np.ndarray[Any, Any], float], np.ndarray[Any, Any]]
ROWS: list[int]
UNITS: str
SPELLED: list[tuple[str, str, str]]
W: dict[str, Any]
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


def limits(coverage: float) -> np.ndarray[Any, Any]:
    """The largest scores that are predicted, by rows that the network was not trained on."""
    found = []
    for at, rows in enumerate(ROWS):
        scores = np.asarray(W[f"errors.{at}.scores"])
        stands = np.asarray(W.get(f"errors.{at}.stands", np.ones(len(scores))))
        found.append(quantile(scores, stands, rows, coverage, UNITS))
    return np.array(found)


def labels(probabilities: np.ndarray[Any, Any], sets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The cells of a CSV file with the labels in sets, those with most probability first."""
    order = np.argsort(-np.asarray(probabilities), axis=1, kind="stable")
    found = np.empty(len(order), object)
    for row, (classes, within) in enumerate(zip(order, sets, strict=True)):
        first, *others = (SPELLED[at] for at in classes if within[at])
        text = "; ".join([first[1], *(other[2] for other in others)])
        found[row] = f'"{text}"' if others else first[0]
    return found


def cover(text: str) -> None:
    """Have intervals or sets with this coverage written after the predictions."""
    try:
        coverage = float(text)
    except ValueError:
        coverage = 0.0
    if not 0 < coverage < 1:
        raise ValueError(f"--coverage {text} is no share between 0 and 1, such as 0.9")
    limits(coverage)
    HEADER[:] = COVERED
    RESULTS.insert(1, lambda x: COVERING(x, coverage))


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
    words = sys.argv[1:]
    try:
        while len(words) > 1 and words[0] in OPTIONS:
            OPTIONS[words[0]](words[1])
            del words[:2]
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    if len(words) != 1:
        sys.stderr.write(f"usage: python {sys.argv[0]} {USAGE}\n")
        sys.exit(2)
    (path,) = words
    try:
        x = READ(path)
    except (OSError, ValueError, csv.Error) as error:
        sys.stderr.write(f"{path}: {getattr(error, 'strerror', None) or error}\n")
        sys.exit(2)
    for name, count in UNSEEN.items():
        what = "cells have categories" if count > 1 else "cell has a category"
        sys.stderr.write(f"{path}: {name}: {count} {what} that training has not seen\n")
    write(x)
