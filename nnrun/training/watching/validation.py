"""Validation of a record of a watched run, which others may have written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from nnrun.nn.signature import Array
from nnrun.training.watching.watched import BINS, COLUMNS, OWNERS, Watched

_MOST_LOOKS, _MOST_FRAMES = 1000, 100
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,200}")
_COLUMNS = {
    "parameters": {"name": str, "size": int},
    "layers": {"layer": str, "type": str, "size": int},
    "units": {"layer": str, "activation": str, "units": int},
}


def is_valid(watched: Watched) -> bool:
    """Whether arrays and values have the forms that `Watched` describes."""
    try:
        return _has_its_form(watched)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return False


def _has_its_form(watched: Watched) -> bool:
    arrays, values = watched.arrays, watched.values
    looks = len(arrays["iterations"])
    if not looks <= _MOST_LOOKS or not _are_iterations(arrays["iterations"].tolist()):
        return False
    if not all(_are_columns(values[owner], form) for owner, form in _COLUMNS.items()):
        return False
    known = {owner: len(values[owner]) for owner in _COLUMNS}
    wanted: dict[str, tuple[int, ...]] = {
        name: (looks, known[owner]) for name, owner in COLUMNS.items()
    }
    wanted |= {"rates": (looks,), "losses": (looks,)}
    wanted |= {f"{name}.range": (looks, known[owner], 2) for name, owner in OWNERS.items()}
    counts = {f"{name}.histogram": (looks, known[owner], BINS) for name, owner in OWNERS.items()}
    return (
        type(watched.rows) is int
        and watched.rows > 0
        and all(_has(arrays[name], shape, np.float64) for name, shape in wanted.items())
        and all(_has(arrays[name], shape, np.uint32) for name, shape in counts.items())
        and all(_are_ranges(arrays[f"{name}.range"]) for name in OWNERS)
        and _are_frames(values["frames"], watched)
    )


def _has(array: Array, shape: tuple[int, ...], dtype: type[np.generic]) -> bool:
    return array.shape == shape and array.dtype == dtype


def _are_ranges(ends: Array) -> bool:
    return bool(np.isfinite(ends).all() and (ends[..., 0] <= ends[..., 1]).all())


def _are_columns(columns: Any, form: Mapping[str, type]) -> bool:
    return isinstance(columns, list) and all(
        isinstance(column, dict)
        and {key: type(value) for key, value in column.items()} == form
        and all(
            value >= 0 if isinstance(value, int) else _NAME.fullmatch(value)
            for value in column.values()
        )
        for column in columns
    )


def _are_iterations(found: Sequence[Any]) -> bool:
    """Whether they are ascending whole numbers from 0 on."""
    return all(type(one) is int and one >= 0 for one in found) and all(
        one < next_one for one, next_one in pairwise(found)
    )


def _are_frames(iterations: Any, watched: Watched) -> bool:
    """Whether all of them have the same weights, and finite ones."""
    if not isinstance(iterations, list) or len(iterations) > _MOST_FRAMES:
        return False
    frames = [weights for _, weights in watched.frames]
    forms = [{n: (array.shape, array.dtype) for n, array in one.items()} for one in frames]
    return (
        _are_iterations(iterations)
        and all(form == forms[0] and form for form in forms)
        and all(
            array.dtype in (np.float32, np.float64) and bool(np.isfinite(array).all())
            for weights in frames
            for array in weights.values()
        )
    )
