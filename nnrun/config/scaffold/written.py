"""How columns are written, as lines of a first config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnrun.config.yaml.dump import flow
from nnrun.data.formats.dates import DateFormat
from nnrun.data.formats.numbers import NumberFormat
from nnrun.data.readers.profile import ColumnProfile


def formats(columns: Sequence[ColumnProfile], decimal: str) -> Iterator[str]:
    """The lines of `formats`, for columns that are not written plainly; guesses are marked."""
    found = [(column, *_format(column, decimal)) for column in columns]
    lines = [f"      {flow(c.name)}: {flow(text)}{note}" for c, text, note in found if text]
    if lines:
        yield "    # How columns are written, by an example; other forms are errors."
        yield "    formats:"
        yield from lines


def guessed(columns: Sequence[ColumnProfile]) -> list[str]:
    """The names of columns that may be read in another way."""
    return [
        column.name
        for column in columns
        if (column.evidence.ambiguous if column.kind == "date" else _other_number(column))
    ]


def _format(column: ColumnProfile, decimal: str) -> tuple[str, str]:
    """An example for a column that is not written plainly, and a comment."""
    if column.kind == "date":
        form = column.evidence.format
        if form is None or not form.codes:
            return "", ""
        return form.example(), _other_days(column.evidence.formats)
    if column.shown is None or column.kind not in ("number", "counter", "constant"):
        return "", ""
    return _example(column, decimal), _other_number(column)


def _example(column: ColumnProfile, decimal: str) -> str:
    """The first cell, if it shows the format, else an example of it."""
    assert column.shown is not None
    form, first = column.shown.format, next(iter(column.values))
    try:
        shows = NumberFormat.from_example(first, decimal) == form
    except ValueError:
        shows = False
    return first if shows else form.example()


def _other_number(column: ColumnProfile) -> str:
    """That a comma or a point may be the other sign."""
    if column.shown is None or not column.shown.ambiguous:
        return ""
    form = column.shown.format
    grouped = next((text for text in column.values if form.thousands in text), "")
    if form.thousands and grouped:
        cell, other = grouped, NumberFormat("", form.thousands, form.before, form.after)
    else:
        cell = next((text for text in column.values if form.decimal in text), "")
        sign = "." if form.decimal == "," else ","
        other = NumberFormat(form.decimal, sign, form.before, form.after)
    meant = f"{form.read(cell) or 0:g}"
    return f"\ta guess: {cell} is {meant}; if not, {flow(other.example())}"


def _other_days(forms: Sequence[DateFormat]) -> str:
    """That the day may be the month."""
    if len(forms) < 2:
        return ""
    return f"\ta guess: no cell shows it; {flow(forms[1].example())} for the other order"
