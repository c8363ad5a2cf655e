"""What columns of a CSV file become in x, as lines of a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnrun.data.columns.categorical import Categorical
from nnrun.data.columns.column import Column
from nnrun.data.columns.date import Date
from nnrun.data.columns.date_parts import CYCLIC, PERIODS
from nnrun.data.columns.embedding import Embedding
from nnrun.data.columns.number import Number
from nnrun.data.columns.one_hot import OneHot
from nnrun.data.columns.target_mean import TargetMean
from nnrun.data.layout import Columns
from nnrun.data.readers.text.csv_table import DELIMITERS, RARER, SEPARATORS
from nnrun.models.code.language import constant
from nnrun.models.code.layers import SCRIPT
from nnrun.models.emitters import emitter_of


@dataclass(frozen=True)
class Cell:
    """A column of a file in a script.

    Args:
        features: an expression of `row`, a dict by the names of the columns: a number, or several
            as `*numbers`.
        constants: what the expression takes from dicts by the column's name, such as CATEGORIES.
    """

    features: str
    constants: Mapping[str, Any] = field(default_factory=dict)


Emitter = Callable[[Any, str, str], Cell]
"""From a column, an expression for its name, and the decimal sign of the file."""


def encoding(columns: Columns) -> Iterator[str]:
    """Constants, and a function `encode` from a row of texts to features.

    Raises:
        UsageError: a column cannot be exported.
    """
    cells = {column.name: _cell(column, repr(column.source), columns) for column in columns}
    yield constant("COLUMNS", list(columns.features))
    named = columns.separator is not None
    signs = SEPARATORS[str(columns.separator)] if named else "".join((*DELIMITERS, *RARER))
    yield constant("SEPARATORS", signs)
    for name in dict.fromkeys(name for cell in cells.values() for name in cell.constants):
        found = {key: cell.constants[name] for key, cell in cells.items() if name in cell.constants}
        yield constant(name, found)
    yield "\n".join(_encode(columns, [cell.features for cell in cells.values()]))


def _encode(columns: Columns, features: list[str]) -> Iterator[str]:
    yield "def encode(row):"
    yield '    """The features of a row, which is a dict of texts by the names of the columns."""'
    if columns.plain:
        alike = {_cell(column, "name", columns).features for column in columns}
        if len(alike) == 1:
            yield f"    return [{alike.pop()} for name in COLUMNS]"
            return
    yield "    return ["
    yield from (f"        {text}," for text in features)
    yield "    ]"


def _cell(column: Column, name: str, columns: Columns) -> Cell:
    return emitter_of(CELLS, column.kind, SCRIPT)(column, name, columns.decimal)


def _number(column: Number, name: str, decimal: str) -> Cell:
    if column.form is not None:
        form, fills = column.form, ", fills=True" * bool(column.imputed)
        signs = (form.pattern, form.thousands, form.decimal, form.before, form.after)
        return Cell(f"amount(row, {name}, AMOUNTS[{column.name!r}]{fills})", {"AMOUNTS": signs})
    options = [f"decimal={decimal!r}"] if decimal != "." else []
    options += ["fills=True"] if column.imputed else []
    return Cell(f"number({', '.join(['row', name, *options])})")


def _category(
    column: Categorical, name: str, decimal: str, form: str, more: Mapping[str, Any] | None = None
) -> Cell:
    """A cell of a form that has `{place}`, the place of its category."""
    constants: dict[str, Any] = {"CATEGORIES": list(column.known)}
    arguments = ["row", name, f"CATEGORIES[{column.name!r}]"]
    if column.rare:
        constants["OTHERS"] = list(column.rare)
        arguments.append(f"others=OTHERS[{column.name!r}]")
    if column.otherwise is not None:
        arguments.append(f"otherwise={column.otherwise}")
    if column.by_value:
        arguments.append(f"decimal={decimal!r}")
    place = f"category({', '.join(arguments)})"
    return Cell(form.replace("{place}", place), {**constants, **(more or {})})


def _one_hot(column: OneHot, name: str, decimal: str) -> Cell:
    return _category(column, name, decimal, f"*one_hot({{place}}, {column.width})")


def _embedding(column: Embedding, name: str, decimal: str) -> Cell:
    return _category(column, name, decimal, "float({place})")


def _target_mean(column: TargetMean, name: str, decimal: str) -> Cell:
    means = {"MEANS": [list(row) for row in column.means]}
    return _category(column, name, decimal, f"*MEANS[{column.name!r}][{{place}}]", means)


def _date(column: Date, name: str, decimal: str) -> Cell:
    circle = PERIODS if CYCLIC in column.wanted else {}
    parts = [(part, *circle.get(part, (0, 0))) for part in column.wanted if part != CYCLIC]
    options = ", fills=True" * bool(column.imputed)
    options += "" if column.zoned is None else f", zoned={column.zoned}"
    taken = f"DATES[{column.name!r}], PARTS[{column.name!r}]"
    constants = {"DATES": column.form.pattern, "PARTS": parts}
    return Cell(f"*date(row, {name}, {taken}{options})", constants)


CELLS: dict[str, Emitter] = {
    "number": _number,
    "one_hot": _one_hot,
    "embedding": _embedding,
    "target_mean": _target_mean,
    "date": _date,
}
