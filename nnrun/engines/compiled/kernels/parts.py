"""The part of the batch that a task works on."""

from __future__ import annotations


def row_range(task, rows, n):
    """The task's rows, `rows` of them at most; all where `rows` is 0."""
    first = task * rows
    last = min(first + rows, n)
    if rows == 0:
        last = n
    return first, last


def column_range(task, columns, numbers):
    """The task's columns of a line, `columns` of them at most; all where `columns` is 0."""
    first = min(task * columns, numbers)
    last = min(first + columns, numbers)
    if columns == 0:
        last = numbers
    return first, last
