"""The cells of lines of CSV text."""

from __future__ import annotations

from typing import Any

from nnrun.compiler.language.numbers import doubles, integers
from nnrun.data.readers.text.scan.decimals import read_number
from nnrun.data.readers.text.scan.kinds import NUMBER, TEXT
from nnrun.data.readers.text.scan.words import byte

LONGEST = 100_000
"""A cell with more bytes is left to the module csv, which has a limit."""
_SPACE, _LINE, _RETURN, _QUOTE = 32, 10, 13, 34


def scan(
    text: Any,
    size: Any,
    separator: Any,
    point: Any,
    powers: Any,
    kinds: Any,
    columns: Any,
    rows: Any,
    numbers: Any,
    spans: Any,
    odd: Any,
    most_odd: Any,
    out: Any,
) -> None:
    """Read rows of cells, up to one that is not of the common form.

    In the common form a row is one line, with as many cells as there are columns, and quotes only
    around whole cells.

    Args:
        text: the address of whole lines.
        size: their bytes.
        separator: of cells.
        point: what stands before decimals.
        powers: the address of the table of `decimals.powers`.
        kinds: the address of the kind of each column.
        columns: how many there are.
        rows: how many to read at most.
        numbers: the address of a row of numbers for each column of numbers.
        spans: the address of starts and ends of cells, a row of both for each column of texts.
        odd: the address of the row, the column of numbers, the start and the end of cells that may
            be no numbers.
        most_odd: how many of them there is room for.
        out: the address of what is returned: rows, their bytes, and odd cells.
    """
    kinds, out, powers = integers(kinds), integers(out), integers(powers)
    numbers, spans, odd = doubles(numbers), integers(spans), integers(odd)
    at, row, count, common = 0, 0, 0, 1
    while (row < rows and at < size) and (common == 1 and count + columns <= most_odd):
        begin, before, column, number, label = at, count, 0, 0, 0
        inside = 1
        while inside == 1:
            start, quoted = opened(text, at)
            at, kind, value, plain = start, kinds[column], 0.0, 1
            if kind == NUMBER:
                at, value, plain = read_cell(text, start, separator, point, powers)
            end = end_of(text, at, quoted, separator)
            if kind == NUMBER:
                numbers[number * rows + row] = value
                if plain == 0 or end > at:
                    note(odd + 4 * count, row, number, start, end)
                    count += 1
                number += 1
            if kind == TEXT:
                spans[2 * label * rows + row] = start
                spans[(2 * label + 1) * rows + row] = end
                label += 1
            column += 1
            at, inside, common = after(text, end, quoted, separator, columns - column)
            common = common if end - start <= LONGEST else 0
            inside = inside if common == 1 else 0
        row += common
        if common == 0:
            at, count = begin, before
    out[0] = row
    out[1] = at
    out[2] = count


def opened(text: Any, at: Any) -> Any:
    """Where the content of a cell starts, and whether a quote is before it."""
    while byte(text + at) == _SPACE:
        at += 1
    quoted = byte(text + at) == _QUOTE
    return at + (1 if quoted else 0), quoted


def read_cell(text: Any, at: Any, separator: Any, point: Any, powers: Any) -> Any:
    """Where a number and the spaces behind it end, the number, and whether it is certain."""
    end, value, certain = read_number(text + at, point, powers)
    at = end - text
    if separator != _SPACE:
        while byte(text + at) == _SPACE:
            at += 1
    return at, value, 1 if certain else 0


def end_of(text: Any, at: Any, quoted: Any, separator: Any) -> Any:
    """Where the content of a cell ends, at the latest with its line."""
    last = _QUOTE if quoted else separator
    sign = byte(text + at)
    while sign != last and (sign != _LINE and sign != _RETURN):
        at += 1
        sign = byte(text + at)
    return at


def after(text: Any, at: Any, quoted: Any, separator: Any, left: Any) -> Any:
    """What comes after a cell: where, whether another cell, and whether that is the common form.

    `left` is the number of columns that are left.
    """
    closed = 1 if byte(text + at) == _QUOTE or not quoted else 0
    at += 1 if quoted else 0
    sign = byte(text + at)
    more = sign == separator
    at += 1 if sign == _RETURN and byte(text + at + 1) == _LINE else 0
    ended = byte(text + at) == _LINE
    fits = (more and left > 0) or (ended and left == 0)
    return at + 1, 1 if more else 0, closed if fits else 0


def note(place: Any, row: Any, number: Any, start: Any, end: Any) -> None:
    """Keep where a cell is."""
    place[0] = row
    place[1] = number
    place[2] = start
    place[3] = end
