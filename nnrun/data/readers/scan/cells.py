"""The cells of lines of CSV text."""

from __future__ import annotations

from typing import Any

from nnrun.data.readers.scan.decimals import read_number
from nnrun.data.readers.scan.kinds import NUMBER, TEXT
from nnrun.data.readers.scan.words import byte, doubles, integers

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
        odd: the address of the row, column of numbers, start and end of cells that may not be numbers.
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
            while byte(text + at) == _SPACE:
                at += 1
            quoted = byte(text + at) == _QUOTE
            if quoted:
                at += 1
            start, kind, plain, value = at, kinds[column], 0, 0.0
            if kind == NUMBER:
                end, value, certain = read_number(text + at, point, powers)
                at = end - text
                plain = 1 if certain else 0
                if separator != _SPACE:
                    while byte(text + at) == _SPACE:
                        at += 1
            reached, sign = at, byte(text + at)
            if quoted:
                while sign != _QUOTE and (sign != _LINE and sign != _RETURN):
                    at += 1
                    sign = byte(text + at)
            else:
                while sign != separator and (sign != _LINE and sign != _RETURN):
                    at += 1
                    sign = byte(text + at)
            end = at
            if quoted:
                common = 1 if sign == _QUOTE else 0
                at += common
                sign = byte(text + at)
            if kind == NUMBER:
                value_at = number * rows + row
                numbers[value_at] = value
                if plain == 0 or end > reached:
                    place = 4 * count
                    odd[place] = row
                    odd[place + 1] = number
                    odd[place + 2] = start
                    odd[place + 3] = end
                    count += 1
                number += 1
            if kind == TEXT:
                place = 2 * label * rows + row
                spans[place] = start
                spans[place + rows] = end
                label += 1
            common = common if end - start <= LONGEST else 0
            column += 1
            if sign == separator:
                at += 1
                inside = 1 if column < columns and common == 1 else 0
                common = common if column < columns else 0
            else:
                at += 1 if sign == _RETURN and byte(text + at + 1) == _LINE else 0
                inside = 0
                common = common if column == columns and byte(text + at) == _LINE else 0
                at += 1
        if common == 1:
            row += 1
        else:
            at, count = begin, before
    out[0] = row
    out[1] = at
    out[2] = count
