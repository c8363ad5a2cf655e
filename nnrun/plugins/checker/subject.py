"""A layer of a plugin in a network of its own, made and called as training does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from inspect import Parameter as Argument
from inspect import signature
from itertools import product
from typing import Any

import numpy as np

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.losses import MeanSquared
from nnrun.nn.network import Network
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import Array, Shape, ShapeError
from nnrun.plugins.checker.findings import Failed, shape_words
from nnrun.plugins.checker.samples import ROWS
from nnrun.plugins.entries import layer_entry
from nnrun.plugins.part import Part, PluginError
from nnrun.plugins.running import describe_fault

Build = Callable[[], Layer | list[Layer]]
_NOISE = 0.3


class Subject:
    """A layer, or the layers of a block, with initial parameters and some noise on them.

    Two subjects with the same arguments have the same numbers.
    """

    def __init__(self, build: Build, shape: Shape, dtype: Any = np.float64) -> None:
        with calling("shapes"):
            block = build()
            self.layers = block if isinstance(block, list) else [block]
            self.network = Network([block], MeanSquared(), shape, dtype)
            self.network.initialize(rng=np.random.default_rng(7))
        noise = np.random.default_rng(8).standard_normal(self.network.size)
        self.network.theta += (_NOISE * noise).astype(dtype)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters, without the number of the block in their names."""
        return {name.partition(".")[2]: p for name, p in self.network.parameters.items()}

    def forward(self, x: Array, *, training: bool = True) -> Array:
        """y; each time with the same random numbers."""
        rng = np.random.default_rng(9) if training else None
        with calling("forward"):
            y: Any = self.network.forward(x, rng)
        if y is None:
            raise Failed("forward", "it returns nothing; it ends in return y")
        if not isinstance(y, np.ndarray):
            raise Failed("forward", f"it returns a {type(y).__name__}, and no array of NumPy")
        return y

    def backward(self, dy: Array, *, needs_dx: bool = True) -> Array:
        """dL/dx; with the gradients of all parameters set to zero before."""
        with calling("backward"):
            return self.network.backward(dy, needs_dx)


@dataclass(frozen=True)
class Trial:
    """A part with its arguments."""

    part: Part
    arguments: dict[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the arguments that have one."""
        known = signature(self.part.entry).parameters.values()
        return {one.name: one.default for one in known if one.default is not Argument.empty}

    def build(self, **changes: Any) -> Callable[[], Layer | list[Layer]]:
        """Makes the layer, or the layers of the block."""
        arguments = {**self.arguments, **changes}
        made = layer_entry(self.part)
        return lambda: made(**deepcopy(arguments))  # which may hold layers

    def subject(self, shape: Shape, dtype: Any = np.float64) -> Subject:
        """The layer for rows of this shape."""
        return Subject(self.build(), shape, dtype)

    def plain(self, shape: Shape) -> Subject | None:
        """The same layer with a stride of one, and the same weights; None if it has no stride."""
        stride = {**self.defaults, **self.arguments}.get("stride")
        return None if stride in (None, 1, (1, 1)) else Subject(self.build(stride=1), shape)


def backward(subject: Subject, dy: Array, x: Array) -> Array:
    """dL/dx, of x's shape.

    Raises: Failed if it is not.
    """
    dx: Any = subject.backward(dy)
    if dx is None:
        raise Failed("gradient of x", "backward returns nothing; it ends in return dx")
    dx = np.asarray(dx)
    assert isinstance(dx, np.ndarray)
    if dx.shape != x.shape:
        found, right = shape_words(dx.shape), shape_words(x.shape)
        transpose = ": it is the transpose" if dx.shape == x.T.shape else ""
        raise Failed("gradient of x", f"its shape is {found}, and that of x {right}{transpose}")
    return dx


@contextmanager
def calling(check: str) -> Iterator[None]:
    """Fail this check if the code of a plugin raises an error.

    Raises: Failed with the error and its line.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (Failed, ShapeError):
        raise
    except PluginError as error:
        raise Failed(check, str(error).partition(": ")[2]) from error
    except NotImplementedError as error:
        raise Failed(check, "it is not written yet") from error
    except (Exception, SystemExit) as error:
        says = describe_fault(error) or f"{type(error).__name__}: {error}"
        raise Failed(check, says + _cause(str(error))) from error


def _cause(message: str) -> str:
    """The usual mistake behind arrays that do not fit each other; empty if it is another."""
    if "matmul" in message and "mismatch" in message:
        return "; the sizes of a matrix product do not fit, as where a transpose is missing"
    if "broadcast" not in message:
        return ""
    found = re.findall(r"\(([\d, ]+)\)", message)
    shapes = [tuple(map(int, re.findall(r"\d+", shape))) for shape in found]
    for one, two in product(shapes, repeat=2):
        if one == two[::-1] != two:
            return "; one is the transpose of the other"
        if one == (ROWS, *two):
            return "; the sum over the rows is missing"
    return ""


def accepts(build: Build, shape: Shape) -> bool:
    """Whether a layer takes rows of this shape.

    Raises: Failed if its `_connect` is wrong.
    """
    with calling("shapes"):
        block = build()
        layers = block if isinstance(block, list) else [block]
        for layer in layers:
            if not hasattr(layer, "parameters"):
                raise Failed("shapes", "__init__ does not call super().__init__()")
            try:
                shape = _connected(layer, shape)
            except ShapeError:
                return False
    return True


def _connected(layer: Layer, shape: Shape) -> Shape:
    found: Any = layer.connect(shape)
    if found is None:
        says = "_connect returns nothing; it ends in return and the shape of a row of y"
        raise Failed("shapes", says)
    whole = isinstance(found, tuple) and all(
        isinstance(side, int | np.integer) and side > 0 for side in found
    )
    if not whole:
        raise Failed("shapes", f"_connect returns {found!r}, which is no shape like (4,)")
    return tuple(int(side) for side in found)


def unlisted(layers: list[Layer]) -> Iterator[Parameter]:
    """Parameters that are attributes of a layer, and not in its list."""
    for layer in layers:
        for value in vars(layer).values():
            listed = any(value is known for known in layer.parameters)
            if isinstance(value, Parameter) and not listed:
                yield value


def inner_layers(layers: list[Layer]) -> list[Layer]:
    """The layers and those inside them."""
    return [layer for _, layer in Sequential(layers).named_layers()]
