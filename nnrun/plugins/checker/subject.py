"""A layer of a plugin in a network of its own, made and called as training does it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from inspect import Parameter, isclass, signature
from inspect import Parameter as Argument
from itertools import product
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from nnrun.nn.activations import Activation
from nnrun.nn.layer import Layer
from nnrun.nn.layer import Parameter as NetworkParameter
from nnrun.nn.layers import dense
from nnrun.nn.losses import MeanSquared
from nnrun.nn.network import Network
from nnrun.nn.sequential import Layers, Sequential
from nnrun.nn.signature import Array, Bounds, Named, Shape, ShapeError
from nnrun.plugins.checker.findings import Failed, Finding, differing, shape_words
from nnrun.plugins.kinds import layer_entry
from nnrun.plugins.part import Part, PluginError
from nnrun.plugins.running import describe_fault

# Arguments, rows and targets to try parts with.

ROWS, OUTPUTS = 5, 3
VECTORS: tuple[Shape, ...] = ((4,), (1,))
IMAGES: tuple[Shape, ...] = ((2, 4, 5), (1, 8, 8))
SERIES: Shape = (2, 1, 9)  # for layers that take no other rows
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
    if needs == "softplus":
        return np.log1p(np.exp(y)), rng.poisson(1, target.shape).astype(np.float64)
    return 1 / (1 + np.exp(-y)), (target > 0).astype(np.float64)


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
    def parameters(self) -> dict[str, NetworkParameter]:
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
        """Defaults of the arguments that have one."""
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


def unlisted(layers: list[Layer]) -> Iterator[NetworkParameter]:
    """Parameters that are attributes of a layer, and not in its list."""
    for layer in layers:
        for value in vars(layer).values():
            listed = any(value is known for known in layer.parameters)
            if isinstance(value, NetworkParameter) and not listed:
                yield value


def inner_layers(layers: list[Layer]) -> list[Layer]:
    """The layers and those inside them."""
    return [layer for _, layer in Sequential(layers).named_layers()]


# What a layer does besides its mathematics: shapes, arrays, calls, rows, parameters, dtypes.


def check_shapes(trial: Trial, taken: list[Shape]) -> Finding:
    """The shapes of y are those that `_connect` says; y are finite numbers."""
    words = []
    for shape in taken:
        subject = trial.subject(shape)
        y = subject.forward(rows(shape))
        said, row = subject.network.output_shape, y.shape[1:]
        if row != said or len(y) != ROWS:
            what = f"rows become {shape_words(said)}, and forward gives {shape_words(row)}"
            raise Failed("shapes", f"_connect says that {what}")
        if not np.isfinite(y).all():
            raise Failed("forward", "some numbers of y are not finite", str(y.ravel()[:3]))
        _check_written(subject, shape, y)
        words.append(f"{shape_words(shape)} → {shape_words(said)}")
    return Finding("shapes", True, "; ".join(words))


def _check_written(subject: Subject, shape: Shape, y: Array) -> None:
    layer = subject.layers[0]
    if not isinstance(layer, Activation) or y.any():
        return
    empty = np.full(y.shape, np.nan)
    with calling("forward"):
        layer.value(rows(shape), empty)
    if np.isnan(empty).all():
        says = "value writes nothing into y; write y[...] = … and not y = …"
        raise Failed("forward", says)


def check_input(trial: Trial, shape: Shape) -> Finding:
    """Neither x nor dy is overwritten."""
    subject, x = trial.subject(shape), rows(shape)
    given = x.copy()
    y = subject.forward(given)
    if differing(given, x).any():
        raise Failed("input", "forward overwrites its input x")
    dy = rows(y.shape[1:], seed=3)
    given = dy.copy()
    dx = backward(subject, given, x)
    if differing(given, dy).any():
        raise Failed("input", "backward overwrites dy")
    if not y.dtype == dx.dtype == x.dtype:
        raise Failed("float32", "float64 does not stay float64; keep the dtype of x")
    return Finding("input", True, "x and dy keep their numbers")


def check_calls(trial: Trial, shape: Shape) -> Finding:
    """The result depends on this call alone."""
    subject, x = trial.subject(shape), rows(shape)
    y = np.array(subject.forward(x))
    if differing(np.array(subject.forward(x)), y).any():
        says = "the same input gives another result the second time: state is carried over"
        raise Failed("calls", says)
    dy = rows(y.shape[1:], seed=3)
    dx = np.array(backward(subject, dy, x))
    subject.forward(x)
    again = np.array(backward(subject, dy, x))
    if differing(again, dx).any():
        says = "backward gives another result the second time, for the same dy"
        raise Failed("calls", says)
    used = trial.subject(shape)
    used.forward(rows(shape, seed=4))
    for count in (len(x), len(x) - 2):
        alone = _results(trial.subject(shape), x[:count], dy[:count])
        try:
            after_another = _results(used, x[:count], dy[:count])
        except Failed as error:
            says = "it fails for fewer rows than the call before had; batches differ in size"
            raise Failed("calls", says, error.finding.says) from error
        if any(differing(one, two).any() for one, two in zip(after_another, alone, strict=True)):
            raise Failed("calls", "backward uses what an earlier call of forward kept")
    return Finding("calls", True, "each gives what its own input asks for")


def _results(subject: Subject, x: Array, dy: Array) -> tuple[Array, Array]:
    """dL/dx, and the gradients of all parameters."""
    subject.network.gradient[...] = 0
    subject.forward(x)
    dx = np.array(backward(subject, dy, x))
    return dx, subject.network.gradient.copy()


def check_parameters(trial: Trial, shape: Shape) -> Finding:
    """Parameters are listed, named, used, and left to the optimizer."""
    subject, x = trial.subject(shape), rows(shape)
    everywhere = inner_layers(subject.layers)
    for parameter in unlisted(everywhere):
        says = f"{parameter.name} is not in self.parameters, so that it is never trained"
        raise Failed("parameters", says)
    for layer in everywhere:
        for name, count in Counter(each.name for each in layer.parameters).items():
            if count > 1:
                says = f"two are called {name}; each needs a name of its own"
                raise Failed("parameters", says)
    before = {name: p.value.copy() for name, p in subject.parameters.items()}
    y = subject.forward(x)
    for name, parameter in subject.parameters.items():
        if differing(parameter.value, before[name]).any():
            what = "only the optimizer does; compute y from a new array"
            raise Failed("parameters", f"forward changes {name}: {what}")
    backward(subject, rows(y.shape[1:], seed=3), x)
    for name, parameter in subject.parameters.items():
        if not np.shares_memory(parameter.grad, subject.network.gradient):
            place = f"write into it: {name}.grad[...] = …"
            says = f"backward puts a new array in the place of {name}.grad; {place}"
            raise Failed("parameters", says)
        if differing(parameter.value, before[name]).any():
            what = "an update is the optimizer's, and dL/dx needs the old value"
            raise Failed("parameters", f"backward changes {name}: {what}")
    names = ", ".join(before) or "it has none"
    return Finding("parameters", True, names)


def check_rows(trial: Trial, shape: Shape) -> Finding:
    """A row gives the same alone and in a batch."""
    subject, x = trial.subject(shape), rows(shape)
    if any(layer.batch_dependent for layer in inner_layers(subject.layers)):
        return Finding("rows", True, "it says that they depend on each other")
    y = np.array(subject.forward(x, training=False))
    for row in range(len(x)):
        alone = subject.forward(x[row : row + 1], training=False)
        if alone.shape != y[:1].shape or differing(alone[0], y[row]).any():
            says = "a row gives another result alone"
            says += "; if that is meant, say batch_dependent = True"
            return Finding("rows", False, says, f"row {row} of {len(x)}")
    return Finding("rows", True, "each gives the same alone and in a batch")


def check_float32(trial: Trial, shape: Shape) -> Finding:
    """float32 stays float32, and gives nearly the same numbers."""
    double, single = trial.subject(shape), trial.subject(shape, np.float32)
    x = rows(shape)
    dy = rows(double.network.output_shape, seed=3)
    wide = [double.forward(x), backward(double, dy, x)]
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    narrow = [single.forward(x), backward(single, dy, x)]
    if any(array.dtype != np.float32 for array in narrow):
        return Finding("float32", False, "float32 becomes float64; keep the dtype of x")
    for exact, near in zip(wide, narrow, strict=True):
        if (np.abs(exact - near) > 1e-3 * max(1.0, float(np.abs(exact).max()))).any():
            return Finding("float32", False, "in float32 the numbers are others")
    return Finding("float32", True, "it stays float32")


def check_needs_dx(trial: Trial, shape: Shape) -> Finding:
    """Gradients of parameters are written where dL/dx is not needed, too."""
    whole, short = trial.subject(shape), trial.subject(shape)
    x = rows(shape)
    for each, needed in ((whole, True), (short, False)):
        y = each.forward(x)
        each.backward(rows(y.shape[1:], seed=3), needs_dx=needed)
    for name, parameter in short.parameters.items():
        if differing(parameter.grad, whole.parameters[name].grad).any():
            says = f"without needs_dx the gradient of {name} is not written"
            return Finding("needs_dx", False, says)
    return Finding("needs_dx", True, "gradients of parameters do not depend on it")
