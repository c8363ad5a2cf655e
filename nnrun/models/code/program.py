"""The part of a script that reads files and writes predictions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from inspect import getsource
from typing import Any

from nnrun.characters import escaped
from nnrun.data.cells.cell_errors import MISSING_LABELS, MISSING_NUMBERS
from nnrun.data.columns.lag import Lag
from nnrun.data.formats import dates, numbers
from nnrun.models.code.encoding import encoding
from nnrun.models.code.language import constant
from nnrun.models.code.source import cells, program, table
from nnrun.models.model import Model
from nnrun.models.writing.columns import label_cells, prediction_names, spelled
from nnrun.nn.network import chunk_rows
from nnrun.spreadsheet import quoted

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    numbers.plain,
    numbers.unsigned,
    numbers.read_amount,
    dates.iso_date,
    dates.date_by,
    cells.date_part,
    cells.date,
    cells.amount,
    cells.number,
    cells.one_spelling,
    cells.category,
    cells.one_hot,
    table.read_lines,
    table.table_rows,
    program.read_table,
    program.read_archive,
    program.read_rows,
    table.shown,
    program.write,
    program.main,
)
"""What a script takes over where it is needed, before what needs it."""

_WORDS = {"MISSING_LABELS": MISSING_LABELS, "MISSING_NUMBERS": MISSING_NUMBERS}


def has_table(model: Model) -> bool:
    """Whether raw rows are those of a table, a row at a time, and no images."""
    columns = model.layout.columns
    flat = len(model.layout.shape) == 1 and bool(columns.features)
    return flat and not any(column.kind == Lag.kind for column in columns)


def usage(model: Model) -> str:
    """The arguments of the script."""
    return f"{'ROWS.csv' if has_table(model) else 'ROWS.npz'} > PREDICTIONS.csv"


def program_parts(model: Model) -> Iterator[str]:
    """Constants and functions up to `main`.

    Raises:
        UsageError: a column of the table cannot be exported.
    """
    table = has_table(model)
    *constants, encode = encoding(model.layout.columns) if table else [""]
    reading = f"READ = {'read_rows' if table else 'read_archive'}"
    functions = sources(FUNCTIONS, "\n".join([encode, reading, "main"]))
    for name, texts in _WORDS.items():
        if any(name in text for text in functions):
            constants.append(constant(name, sorted(texts)))
    yield "\n".join(constants)
    yield encode
    yield from functions
    yield "\n".join([*_constants(model), reading])


def _constants(model: Model) -> Iterator[str]:
    """What the functions of `nnrun.models.code.source.program` need to know."""
    yield constant("USAGE", usage(model))
    yield constant("HEADER", [quoted(escaped(name)) for name in prediction_names(model)])
    spellings = label_cells(spelled(model.classes).tolist())
    labels = zip(map(str, model.classes.tolist()), spellings, strict=True)
    yield constant("LABELS", {label: cell for label, cell in labels if label != cell})
    yield f"BATCH = {chunk_rows(model.network)}"
    yield "UNSEEN = {}"
    yield f"RESULTS = [{'predict, predict_proba' if model.probabilistic else 'predict'}]"


def sources(functions: Sequence[Callable[..., Any]], text: str) -> list[str]:
    """The sources of the functions that the text names, and of those that these name."""
    found: list[str] = []
    for function in reversed(functions):
        if re.search(rf"\b{function.__name__}\b", text):
            found.insert(0, _source(function))
            text += found[0]
    return found


@cache
def _source(function: Callable[..., Any]) -> str:
    return getsource(function).strip()
