"""The description of a library that scripts can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnrun.models.code import steps


@dataclass(frozen=True)
class Language:
    """A library and the parts of its scripts.

    Args:
        name: of the library, as in the tables of emitters.
        imports: of the library, after those of the standard library.
        helpers: functions by name; a script holds those that it calls.
        steps: emitters by the names of the steps of preprocessing.
        array: lines that return an array of a `shape` from the bytes `content`, numbers of `size`
            bytes each.
        take: an expression for rows x as float64.
        cast: an expression for h in the dtype `{dtype}`.
        reshape: an expression for h with rows of the shape `{shape}`.
        as_double: the end of an expression for an array as float64.
        inverse: an expression for h, which is float64, in the target's original units.
        argmax: an expression for the class numbers in h with a column for each class.
        above_half: the same for a single column.
        at_least: the same where the positive class is predicted from a threshold on.
        two_columns: an expression for the probabilities of both classes from that of the second.
        numbers: an expression for the result `{h}` as a NumPy array.
    """

    name: str
    imports: tuple[str, ...]
    helpers: Mapping[str, str]
    steps: Mapping[str, steps.Emitter]
    array: tuple[str, ...]
    take: str
    cast: str
    reshape: str
    as_double: str
    inverse: str
    argmax: str
    above_half: str
    at_least: str
    two_columns: str
    numbers: str
