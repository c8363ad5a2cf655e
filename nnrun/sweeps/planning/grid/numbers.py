"""The numbers in which a value may differ from others without a check of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from nnrun.config.canonical import canonical
from nnrun.config.schema.base.block import Block, is_block
from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.config.schema.experiment import lost_in_float32
from nnrun.config.schema.network import InitializerConfig
from nnrun.config.schema.training import ScheduleConfig, TrainingConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.plugins.loading import find

LENGTHS = ("iterations", "epochs")
"""Keys of `training` that an argument may replace for all runs."""
FOLLOWING = ("evaluate_every", "evaluate_rows")
"""Keys of `training` with defaults that follow from the data and the length of a run, so that a
given value may equal a default."""


class Numbers(NamedTuple):
    """The numbers of a value that may differ within a group.

    Args:
        shape: the same for values that differ in these numbers alone; empty if it is a number.
        paths: of the numbers, in the config.
        values: the numbers.
    """

    shape: str
    paths: tuple[KeyPath, ...]
    values: tuple[float, ...]


def numbers_in(block: Block, path: KeyPath, may_join: Callable[[KeyPath], bool]) -> Numbers:
    """Those of a block at a path; `may_join` says where a whole number may be one of them."""
    shape, paths, values = [], [], []
    for place, value, varies in _leaves(block, path, varies=True):
        whole = type(value) is int and may_join(place)
        if varies and (whole or isinstance(value, float)) and is_usual(value):
            paths.append(place)
            values.append(value)
        else:
            shape.append((place, value))
    return Numbers(repr(shape), tuple(paths), tuple(values))


def _leaves(value: Any, path: KeyPath, *, varies: bool) -> Iterator[tuple[KeyPath, Any, bool]]:
    """The values in blocks and lists, with their paths, and whether numbers may vary there."""
    if is_block(value):
        varies = varies and may_vary(value)
        for key, inner in vars(value).items():
            yield from _leaves(inner, (*path, key), varies=varies)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index), varies=varies)
    else:
        yield path, value, varies


def may_overlap(blocks: Mapping[int, Block], found: Mapping[int, Numbers]) -> bool:
    """Whether groups of blocks with these numbers may have a setting in common.

    That is so where blocks of different shapes are one setting, as with and without
    `training.watch`.
    """
    shapes = {index: numbers[:-1] for index, numbers in found.items()}
    if len({*shapes.values()}) in (1, len(shapes)):
        return False
    known: dict[str, Any] = {}
    return any(
        known.setdefault(_setting(block), shapes[index]) != shapes[index]
        for index, block in blocks.items()
    )


def _setting(block: Block) -> str:
    """The same for blocks that are one setting, and perhaps for others."""
    if isinstance(block, TrainingConfig):
        block = block.model_copy(update=dict.fromkeys(FOLLOWING))
    return json.dumps(canonical(block), sort_keys=True)


def may_vary(block: Block) -> bool:
    """Whether a block is valid for any numbers of its own.

    Numbers of data are checked together, and those of initializers go into other blocks. The rates
    of a schedule are at most its largest number, unless a factor above 1 makes them rise.
    """
    if isinstance(block, ScheduleConfig):
        return find("schedule", block.schedule) is None and getattr(block, "factor", 0) <= 1
    return not isinstance(block, DatasetConfig | InitializerConfig)


def free_numbers(
    values: Sequence[Any], kind: type[int] | type[float], field: TypeAdapter[Any]
) -> Sequence[int]:
    """The indices of the numbers that a field takes as ones of this kind."""
    numbers = [index for index, value in enumerate(values) if is_usual(value)]
    if not numbers:
        return []
    # Bounds are those of an interval.
    ends = [least(numbers, key=values.__getitem__) for least in (min, max)]
    if kind is float and all(_is_number(values[index], kind, field) for index in ends):
        return numbers
    return [index for index in numbers if _is_number(values[index], kind, field)]


def is_usual(value: Any) -> bool:
    """Whether it is a number that is neither 0 nor lost in float32."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        number = float(value)
    except OverflowError:
        return False
    return number != 0 and isfinite(number) and not any(lost_in_float32(number, ()))


def _is_number(value: Any, kind: type[int] | type[float], field: TypeAdapter[Any]) -> bool:
    """Whether a value is valid for a field, and is a number of a kind there."""
    try:
        return isinstance(field.validate_python(value), kind)
    except ValidationError:
        return False
