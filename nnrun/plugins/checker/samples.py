"""Arguments, rows and targets to try parts with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, isclass, signature
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from nnrun.nn.layers import dense
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Array, Bounds, Named, Shape

ROWS, OUTPUTS = 5, 3
VECTORS: tuple[Shape, ...] = ((4,), (1,))
IMAGES: tuple[Shape, ...] = ((2, 4, 5), (1, 8, 8))
# Values of arguments by name: sides that differ, and a stride that shows when it is forgotten.
_BY_NAME: Mapping[str, Any] = {
    "units": 3, "channels": 3, "kernel": (2, 3), "size": 2, "stride": 2, "name": "tanh",
}  # fmt: skip
_TRIED = (3, 0.5, 1, 2, 0.1, 0)


def arguments(entry: Callable[..., Any]) -> dict[str, Any]:
    """Values for the arguments without default.

    Raises: TypeError if there is none for one of them.
    """
    hints = get_type_hints(entry.__init__ if isclass(entry) else entry, include_extras=True)
    found = {}
    for parameter in signature(entry).parameters.values():
        varying = parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        if parameter.default is Parameter.empty and not varying:
            found[parameter.name] = _value(parameter.name, hints.get(parameter.name, int))
    return found


def _value(name: str, hint: Any) -> Any:
    if hint == Layers:
        return [dense(4, "tanh")]
    if name in _BY_NAME:
        return _BY_NAME[name]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _marked(parts[0], parts[1:])
    if origin is tuple:
        return tuple(_value(name, part) for part in parts)
    if origin in (Literal, Union, UnionType):
        return parts[0] if origin is Literal else _value(name, parts[0])
    if hint not in (int, float, bool, str):
        raise TypeError(f"the checker has no value for the argument '{name}'; give it a default")
    return hint(3)


def _marked(base: Any, marks: tuple[Any, ...]) -> Any:
    if any(isinstance(mark, Named) for mark in marks):
        return "tanh"
    bounds = [mark for mark in marks if isinstance(mark, Bounds)]
    return next(v for v in map(base, _TRIED) if all(_within(v, bound) for bound in bounds))


def _within(value: Any, bounds: Bounds) -> bool:
    low = (bounds.gt is None or value > bounds.gt) and (bounds.ge is None or value >= bounds.ge)
    return (
        low
        and (bounds.lt is None or value < bounds.lt)
        and (bounds.le is None or value <= bounds.le)
    )


def shapes(kind: str | None) -> Iterator[Shape]:
    """Shapes of rows to try a layer with: those of its `input_kind`, or both."""
    if kind != "images":
        yield from VECTORS
    if kind != "vectors":
        yield from IMAGES


def rows(shape: Shape, seed: int = 1, count: int = ROWS) -> Array:
    """Random rows of a shape."""
    return np.random.default_rng(seed).normal(size=(count, *shape))


def predictions(needs: str | None, rows: int = ROWS, seed: int = 2) -> tuple[Array, Array]:
    """Predictions and targets for a loss that needs this last activation."""
    rng = np.random.default_rng(seed)
    y, target = rng.normal(size=(2, rows, OUTPUTS))
    if needs is None:
        return y, target
    if needs == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        return y, np.eye(OUTPUTS)[rng.integers(OUTPUTS, size=rows)]
    return 1 / (1 + np.exp(-y)), (target > 0).astype(np.float64)
