"""Arguments with several values, which span a grid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from nnrun.config.overrides import OverrideError, parse_value, split_argument
from nnrun.errors import ConfigError, Problem

MAX_RANGE = 1_000_000
_RANGE = re.compile(r"range\(([-+]?\d{1,18})(?:,([-+]?\d{1,18}))?(?:,([-+]?\d{1,18}))?\)", re.ASCII)
_CALL = re.compile(r"\w+\([^()]*,[^()]*\)")
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""", re.DOTALL)
_BRACKETS = re.compile(r"""[]\["'{}]""")


def parse_grid(arguments: Iterable[str]) -> dict[str, Sequence[Any]]:
    """The values of each key, from arguments `key=1,2,3` or `key=range(0,20)`.

    Commas within brackets and quotes belong to a value: `network.sizes=[13,1],[26,1]` is two.

    Raises:
        ConfigError: arguments that are malformed, empty, or give one key twice.
    """
    grid: dict[str, Sequence[Any]] = {}
    problems = []
    for argument in arguments:
        try:
            steps, text = split_argument(argument)
            key = ".".join(steps)
            if key in grid:
                raise OverrideError(f"{key} is given twice; write {key}=1,2")
            grid[key] = values_of(text)
        except OverrideError as error:
            problems.append(Problem(str(error), argument=argument))
    if problems:
        raise ConfigError(problems)
    return grid


def values_of(text: str) -> Sequence[Any]:
    """The values of a grid in the text of an argument.

    Raises:
        OverrideError: it is no list of values.
    """
    counted = _RANGE.fullmatch(text.replace(" ", ""))
    if counted:
        first, second, step = (None if part is None else int(part) for part in counted.groups())
        numbers = range(first or 0) if second is None else range(first or 0, second, step or 1)
        if step == 0 or not 0 < len(numbers) <= MAX_RANGE:
            raise OverrideError(f"'{text.strip()}' holds no numbers, or more than {MAX_RANGE:,}")
        return numbers
    if _CALL.fullmatch(text.strip()):
        raise OverrideError(
            f"'{text.strip()}' is no list of values: range takes one to three whole numbers, and "
            "there is no other function; write the values, as 0.1,0.2"
        )
    pieces = _split_at_commas(text)
    if len(pieces) > 1 and not all(piece.strip() for piece in pieces):
        raise OverrideError("there is a comma with nothing before or after it")
    return [parse_value(piece) for piece in pieces]


def _split_at_commas(text: str) -> list[str]:
    """The pieces between commas that stand outside of brackets and quotes."""
    if not _BRACKETS.search(text):
        return text.split(",")
    pieces, begin, depth, position = [], 0, 0, 0
    at_start = True  # a quote opens quoted text only there, not in a word like it's
    while position < len(text):
        quoted = _QUOTED.match(text, position) if at_start else None
        character = text[position]
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            pieces.append(text[begin:position])
            begin = position + 1
        at_start = character in ",:[{" or (at_start and character.isspace())
        position = quoted.end() if quoted else position + 1
    return [*pieces, text[begin:]]
