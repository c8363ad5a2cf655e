"""Ten tables as people have them, from the data of scikit-learn and of nnrun.

They were chosen for what makes tables hard to read, before any network saw them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.data.builtin import fetched as builtin

Table = tuple[list[str], list[list[Any]]]


def _rows(dataset: Any) -> Table:
    """Header and rows of a data set, the target last: as a word for classes."""
    flat = dataset.x.reshape(len(dataset.x), -1)
    if dataset.classes:
        last = [dataset.classes[number] for number in dataset.y]
    else:
        last = dataset.y[:, 0].tolist()
    header = [*dataset.feature_names, *dataset.target_names]
    return header, [[*row, end] for row, end in zip(flat.tolist(), last, strict=True)]


def _blanked(table: Table, column: str, share: float, mark: str, seed: int) -> Table:
    header, rows = table
    place = header.index(column)
    gone = np.random.default_rng(seed).random(len(rows)) < share
    return header, [
        [mark if blank and i == place else cell for i, cell in enumerate(row)]
        for row, blank in zip(rows, gone, strict=True)
    ]


def _with(table: Table, name: str, cells: Sequence[Any], *, first: bool = False) -> Table:
    header, rows = table
    place = 0 if first else len(header) - 1
    return (
        [*header[:place], name, *header[place:]],
        [[*row[:place], cell, *row[place:]] for row, cell in zip(rows, cells, strict=True)],
    )


def _mapped(table: Table, column: str, words: Callable[[Any], str]) -> Table:
    header, rows = table
    place = header.index(column)
    return header, [[words(c) if i == place else c for i, c in enumerate(row)] for row in rows]


def _last(table: Table, column: str) -> Table:
    """The same with this column at the end."""
    header, rows = table
    order = [i for i, name in enumerate(header) if name != column] + [header.index(column)]
    return [header[i] for i in order], [[row[i] for i in order] for row in rows]


def _write(path: Path, table: Table, separator: str = ",", *, comma: bool = False) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(table[0])
        for row in table[1]:
            writer.writerow([str(c).replace(".", ",") if comma and isinstance(c, float) else c
                             for c in row])  # fmt: skip


def _diabetes() -> Table:
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    rows = np.column_stack([bunch.data, bunch.target]).tolist()
    table = [*bunch.feature_names, "progression"], rows
    return _blanked(_mapped(table, "sex", lambda c: "F" if c == 1 else "M"), "bmi", 0.05, "", 1)


def _cars() -> Table:
    table = _mapped(_rows(builtin.autompg()), "origin",
                    lambda c: {1.0: "USA", 2.0: "Europe", 3.0: "Japan"}[c])  # fmt: skip
    return _blanked(table, "horsepower", 0.02, "?", 2)


def _houses() -> Table:
    table = _blanked(_rows(builtin.boston()), "NOX", 0.1, "NA", 3)
    days = [f"1970-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(len(table[1]))]
    return _with(table, "surveyed", days)


def _tumours() -> Table:
    table = _rows(builtin.breast_cancer())
    table = _with(table, "id", range(1, len(table[1]) + 1), first=True)
    header, rows = table
    return [header[-1], *header[:-1]], [[row[-1], *row[:-1]] for row in rows]


def _petals() -> Table:
    return _last(_blanked(_rows(builtin.iris()), "species", 0.1, "", 4), "petal width (cm)")


# Of each file: its rows, its separator, the decimal sign, and the arguments of `init`.
TABLES: dict[str, tuple[Callable[[], Table], str, bool, tuple[str, ...]]] = {
    "iris": (lambda: _rows(builtin.iris()), ",", False, ()),
    "wine": (lambda: _rows(builtin.wine()), ";", True, ()),
    "tumours": (_tumours, ",", False, ("--target", "diagnosis")),
    "diabetes": (_diabetes, ",", False, ()),
    "cars": (_cars, "\t", False, ("--target", "mpg")),
    "houses": (_houses, ";", False, ()),
    "digits": (lambda: _rows(builtin.digits()), ",", False, ()),
    "petals": (_petals, ";", True, ()),
    "areas": (lambda: _rows(builtin.breast_cancer()), "|", False, ("--target", "worst area")),
    "origins": (lambda: _last(_cars(), "origin"), ";", True, ()),
}


def write_table(name: str) -> tuple[str, ...]:
    """Write `<name>.csv` into the current folder; returns the arguments of `init` for it."""
    rows, separator, comma, arguments = TABLES[name]
    _write(Path(f"{name}.csv"), rows(), separator, comma=comma)
    return ("--data", f"{name}.csv", *arguments)
