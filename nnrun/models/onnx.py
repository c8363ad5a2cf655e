"""Models in the exchange format ONNX; needs the package `onnx`, the extra `nnrun[onnx]`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nnrun import __version__
from nnrun.data.columns.categories import Categorical, OneHot
from nnrun.data.columns.cell_errors import MISSING_LABELS
from nnrun.data.columns.cells import MISSING
from nnrun.data.columns.column import Number
from nnrun.data.columns.missing_words import MissingWords
from nnrun.data.layout import Columns, Layout
from nnrun.data.steps import LEAST, MOST, NEAR, AddsColumns
from nnrun.errors import UsageError
from nnrun.models.calibration import Calibration
from nnrun.models.coverage import Coverage, Promise
from nnrun.models.emitters import EXPORTED, emitter_of, is_scaler, own_form, own_form_of_step
from nnrun.models.load import Names
from nnrun.models.model import Model
from nnrun.models.task import Classification, Decision
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Sequential
from nnrun.nn.signature import Array
from nnrun.nn.special import FAR_OUT, MIDDLE

# ONNX's operators for layers, steps and columns, put into a graph.

# The oldest versions with all operators, so that most runtimes can read the file.
OPSET, IR_VERSION = 13, 8
# The format's version that a newer operator set needs.
_IR_VERSIONS = {20: 9}
# Of operators for machine learning, which are a part of the standard; LabelEncoder is in 2.
LABELS_DOMAIN, LABELS_OPSET = "ai.onnx.ml", 2


class Graph:
    """Collects operators (nodes) and constants, under unique names."""

    def __init__(self, opset: int = OPSET, taken: Collection[str] = ()) -> None:
        self.opset = opset
        self._taken = frozenset(taken)
        self.uses_labels = False
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    @property
    def ir_version(self) -> int:
        """The version of the file format for these operators."""
        return _IR_VERSIONS.get(self.opset, IR_VERSION)

    def constant(self, name: str, value: Any) -> str:
        """Store a constant array under this name, and return the name."""
        name = self.free(name)
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        title: str | None = None,
        more: Sequence[str] = (),
        **attributes: Any,
    ) -> str:
        """Append an operator and return the name of its output, the first where there are `more`.

        `title` is its own name, which runtimes show in errors; by default that of its output.
        """
        name = output or self.free(f"{operator.lower()}_{len(self.nodes)}")
        node = helper.make_node(operator, inputs, [name, *more], name=title or name, **attributes)
        self.nodes.append(node)
        return name

    def numbers_of(self, x: str, numbers: Mapping[str, int], otherwise: int, title: str) -> str:
        """Append the numbers of texts, and another number for all other texts."""
        self.uses_labels = True
        return self.add(
            "LabelEncoder",
            x,
            title=title,
            domain=LABELS_DOMAIN,
            keys_strings=list(numbers),
            values_int64s=list(numbers.values()),
            default_int64=otherwise,
        )

    def free(self, name: str) -> str:
        """The name, or one like it that no input has."""
        while name in self._taken:
            name += "_"
        return name

    def reduce(self, operator: str, x: str, axes: list[int]) -> str:
        """Append a reduction that keeps its axes; newer operator sets take the axes as an input."""
        if operator == "ReduceSum" or self.opset >= 18:
            named = self.constant(f"axes_{'_'.join(map(str, axes))}", np.array(axes, np.int64))
            return self.add(operator, x, named, keepdims=1)
        return self.add(operator, x, axes=axes, keepdims=1)

    def weight(self, name: str, value: Array) -> str:
        """Store a weight of the network, in float32, and return its name."""
        return self.constant(name, value.astype(np.float32))


# The steps of preprocessing as ONNX operators, in float64 as in training.
#
# A threshold or a mean rounded to float32 would put some rows on its other side.

StepEmitter = Callable[[Graph, str, Any, str], str]


def emit_step(graph: Graph, name: str, step: Any, x: str) -> str:
    """Append a step, whose arrays have this prefix; raises a UsageError if it has no emitter."""
    own = own_form_of_step(step, "onnx")
    if own is not None:
        written: str = own(graph, name, x)
        return written
    kind = "standard" if is_scaler(step) else step.name
    return emitter_of(STEPS, kind, "ONNX")(graph, name, step, x)


def _affine(graph: Graph, name: str, step: Any, x: str) -> str:
    shift = graph.constant(f"{name}.shift", step.shift)
    scale = graph.constant(f"{name}.scale", step.scale)
    return graph.add("Div", graph.add("Sub", x, shift), scale)


def _binarize(graph: Graph, name: str, step: Any, x: str) -> str:
    threshold = graph.constant(f"{name}.threshold", np.float64(step.threshold))
    return graph.add("Cast", graph.add("GreaterOrEqual", x, threshold), to=DOUBLE)


def _clip(graph: Graph, name: str, step: Any, x: str) -> str:
    x = graph.add("Max", x, graph.constant(f"{name}.low", step.low))
    return graph.add("Min", x, graph.constant(f"{name}.high", step.high))


def _impute(graph: Graph, name: str, step: Any, x: str) -> str:
    return graph.add("Where", graph.add("IsNaN", x), graph.constant(f"{name}.fill", step.fill), x)


def _robust(graph: Graph, name: str, step: Any, x: str) -> str:
    most = (_double(graph, -MOST), _double(graph, MOST))
    z = graph.add("Clip", _affine(graph, name, step, x), *most)
    third = graph.add("Div", z, _double(graph, 3))
    squared = graph.add("Add", _double(graph, 1), graph.add("Mul", third, third))
    return graph.add("Div", z, graph.add("Sqrt", squared))


def _quantile(graph: Graph, name: str, step: Any, x: str) -> str:
    """Likewise as `nnrun.data.steps.normal_scores`, by a search in all tables at once."""
    count, shape = len(step.quantiles), step.quantiles.shape[1:]
    columns = step.quantiles.reshape(count, -1).T
    size = 1 << (count - 1).bit_length()
    padded = np.full((len(columns), size + 1), np.inf)
    padded[:, :count] = columns
    last, ties = max(1, count - 1), np.zeros(padded.shape)
    for row, edges in zip(ties, columns, strict=True):
        below, up_to = (np.searchsorted(edges, edges, side) for side in ("left", "right"))
        row[:count] = (below + up_to - 1) / 2 / last
    quantiles = graph.constant(f"{name}.quantiles", padded.ravel())
    starts = np.arange(len(columns)).reshape(1, *shape) * (size + 1)
    start = at = graph.constant(f"{name}.starts", starts)
    for power in reversed(range(size.bit_length() - 1)):
        step_on = graph.constant(f"integer.{1 << power}", np.int64(1 << power))
        tried = graph.add("Gather", quantiles, graph.add("Add", at, step_on))
        further = graph.add("Cast", graph.add("LessOrEqual", tried, x), to=INT64)
        at = graph.add("Add", at, graph.add("Mul", further, step_on))
    after = graph.add("Add", at, graph.constant("integer.1", np.int64(1)))
    low, high = (graph.add("Gather", quantiles, each) for each in (at, after))
    within = graph.add("Div", graph.add("Sub", x, low), graph.add("Sub", high, low))
    number = graph.add("Cast", graph.add("Sub", at, start), to=DOUBLE)
    share = graph.add("Div", graph.add("Add", number, within), _double(graph, last))
    level = graph.add("Gather", graph.constant(f"{name}.ties", ties.ravel()), at)
    share = graph.add("Where", graph.add("Equal", x, low), level, share)
    first, top = (graph.constant(f"{name}.{end}", step.quantiles[end]) for end in (0, -1))
    near = _double(graph, NEAR)
    above = graph.add("Greater", graph.add("Add", x, near), top)
    under = graph.add("Less", graph.add("Sub", x, near), first)
    share = graph.add("Where", above, _double(graph, 1), share)
    share = graph.add("Where", under, _double(graph, 0), share)
    return _normal_quantile(
        graph, graph.add("Clip", share, _double(graph, LEAST), _double(graph, 1 - LEAST))
    )


def _normal_quantile(graph: Graph, p: str) -> str:
    def ratio(parts: Any, x: str) -> str:
        values = []
        for first, *others in parts:
            value = _double(graph, first)
            for coefficient in others:
                value = graph.add("Mul", value, x)
                value = graph.add("Add", value, _double(graph, coefficient))
            values.append(value)
        return graph.add("Div", *values)

    q = graph.add("Sub", p, _double(graph, 0.5))
    r = graph.add("Sub", _double(graph, 0.180625), graph.add("Mul", q, q))
    tail = graph.add("Min", p, graph.add("Sub", _double(graph, 1), p))
    root = graph.add("Sqrt", graph.add("Neg", graph.add("Log", tail)))
    outside = ratio(FAR_OUT, graph.add("Sub", root, _double(graph, 1.6)))
    outside = graph.add("Mul", graph.add("Sign", q), outside)
    middle = graph.add("Mul", q, ratio(MIDDLE, r))
    near = graph.add("LessOrEqual", graph.add("Abs", q), _double(graph, 0.425))
    return graph.add("Where", near, middle, outside)


def _double(graph: Graph, value: float) -> str:
    return graph.constant(f"double.{float(value)!r}", np.float64(value))


def _l2(graph: Graph, name: str, step: Any, x: str) -> str:
    """Rows are divided by their largest entry first, as in `nnrun.data.steps.L2`."""
    flat = graph.add("Flatten", x, axis=1)
    scaled = _divided(graph, flat, graph.reduce("ReduceMax", graph.add("Abs", flat), [1]))
    squares = graph.reduce("ReduceSum", graph.add("Mul", scaled, scaled), [1])
    divided = _divided(graph, scaled, graph.add("Sqrt", squares))
    return graph.add("Reshape", divided, graph.add("Shape", x))


def _divided(graph: Graph, x: str, by: str) -> str:
    """x / by, and x where by is 0."""
    zero, one = graph.constant("zero", np.float64(0)), graph.constant("one", np.float64(1))
    return graph.add("Div", x, graph.add("Where", graph.add("Greater", by, zero), by, one))


def invert(graph: Graph, name: str, scaling: Any, y: str) -> str:
    """Convert y back to the units before scaling."""
    shift = graph.constant(f"{name}.shift", scaling.shift)
    scale = graph.constant(f"{name}.scale", scaling.scale)
    return graph.add("Add", graph.add("Mul", y, scale), shift)


FLOAT, DOUBLE, INT64, BOOL = 1, 11, 7, 9  # of TensorProto.DataType

STEPS: dict[str, StepEmitter] = {
    "l2": _l2,
    "binarize": _binarize,
    "standard": _affine,
    "per_channel": _affine,
    "minmax": _affine,
    "robust": _robust,
    "quantile": _quantile,
    "clip": _clip,
    "impute": _impute,
    "piecewise_linear": lambda graph, name, step, x: x,
}


def _pieces(graph: Graph, name: str, step: Any, x: str) -> str:
    x = _columns(graph, name, step, x)
    x = graph.add("Sub", x, graph.constant(f"{name}.start", step.start))
    x = graph.add("Div", x, graph.constant(f"{name}.width", step.width))
    zero, one = graph.constant("zero", np.float64(0)), graph.constant("one", np.float64(1))
    return graph.add("Clip", x, zero, one)


def _columns(graph: Graph, name: str, step: Any, x: str) -> str:
    """The features that added columns are made of, one for each."""
    return graph.add("Gather", x, graph.constant(f"{name}.place", np.int64(step.place)), axis=1)


# The columns that steps add, from x as it is before the step.
ADDED: dict[str, StepEmitter] = {
    "impute": lambda graph, name, step, x: graph.add(
        "Cast", graph.add("IsNaN", _columns(graph, name, step, x)), to=DOUBLE
    ),
    "piecewise_linear": _pieces,
}


# The layers as ONNX operators: one emitter for each type.
#
# An emitter appends the operators that compute y from x in evaluation mode, and returns y's name.
# ONNX too has rows first, and images as (channels, height, width).

LayerEmitter = Callable[[Graph, Names, Any, str], str]


def emit_layer(graph: Graph, names: Names, layer: Layer, x: str) -> str:
    """Append a layer of any type; raises a UsageError if the type has no emitter."""
    own = own_form(layer, "onnx")
    if own is not None:
        written: str = own(graph, names, x)
        return written
    return emitter_of(LAYERS, layer.type, "ONNX")(graph, names, layer, x)


def _stack(graph: Graph, names: Names, stack: Sequential, x: str) -> str:
    """Append the layers of a sequence within a layer."""
    for layer in stack.layers:
        x = emit_layer(graph, names, layer, x)
    return x


def _matmul(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("MatMul", x, graph.weight(names[layer.w], layer.w.value))


def _bias(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("Add", x, graph.weight(names[layer.b], layer.b.value.reshape(layer.view)))


def _convolution(graph: Graph, names: Names, layer: Any, x: str) -> str:
    _, rows, columns = layer.inside
    _, height, width = layer.padded
    return graph.add(
        "Conv",
        x,
        graph.weight(names[layer.w], layer.w.value),
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=[rows.start, columns.start, height - rows.stop, width - columns.stop],
    )


def _pooling(operator: str) -> LayerEmitter:
    def emitter(graph: Graph, names: Names, layer: Any, x: str) -> str:
        return graph.add(operator, x, kernel_shape=layer.size, strides=layer.stride)

    return emitter


def _batch_norm(graph: Graph, names: Names, layer: Any, x: str) -> str:
    values = (layer.gamma.value, layer.beta.value, *layer.buffers.values())
    parts = (layer.gamma, layer.beta, *layer.buffers.values())
    weights = [graph.weight(names[part], value) for part, value in zip(parts, values, strict=True)]
    return graph.add("BatchNormalization", x, *weights, epsilon=layer.epsilon)


def _residual(graph: Graph, names: Names, layer: Any, x: str) -> str:
    return graph.add("Add", x, _stack(graph, names, layer.inner, x))


def _embedding(graph: Graph, names: Names, layer: Any, x: str) -> str:
    parts = {}
    for source, target in layer.copies:
        places = np.arange(source.start, source.stop)
        name = f"features.{source.start}_{source.stop}"
        parts[target.start] = graph.add("Gather", x, graph.constant(name, places), axis=1)
    for w, table, target in zip(layer.w, layer.tables, layer.vectors, strict=True):
        place = graph.constant(f"place.{table.place}", np.array(table.place))
        numbers = graph.add("Cast", graph.add("Gather", x, place, axis=1), to=INT64)
        vectors = graph.weight(names[w], w.value)
        parts[target.start] = graph.add("Gather", vectors, numbers, axis=0)
    return graph.add("Concat", *(parts[start] for start in sorted(parts)), axis=1)


LAYERS: dict[str, LayerEmitter] = {
    "matmul": _matmul,
    "bias": _bias,
    "convolution": _convolution,
    "max_pool2d": _pooling("MaxPool"),
    "avg_pool2d": _pooling("AveragePool"),
    "flatten": lambda graph, names, layer, x: graph.add("Flatten", x, axis=1),
    "embedding": _embedding,
    "dropout": lambda graph, names, layer, x: x,
    "batch_norm": _batch_norm,
    "residual": _residual,
    **dict.fromkeys(EXPORTED, lambda graph, names, layer, x: EXPORTED[layer.type].onnx(graph, x)),
}


# What a model does with encoded features of columns before its preprocessing, in ONNX.

ColumnEmitter = Callable[[Graph, str, Any, range, int, str], str]
"""From a prefix of names, a column, its places in x, the features of x, and x, to the new x."""


def emit_columns(graph: Graph, columns: Columns, x: str) -> str:
    """The features of a table after the checks and changes of each column."""
    if columns.plain:
        return x
    places = columns.places
    width = places[columns.every[-1].name].stop
    for index, column in enumerate(columns):
        emitter = emitter_of(COLUMNS, column.kind, "ONNX")
        x = emitter(graph, f"{column.kind}.{index}", column, places[column.name], width, x)
    return x


def _nothing(graph: Graph, name: str, column: Any, places: range, width: int, x: str) -> str:
    return x


def _one_hot(graph: Graph, name: str, column: OneHot, places: range, width: int, x: str) -> str:
    """Rows with 0 everywhere get the feature that stands for that, are refused, or stay."""
    if column.absent is None and not column.refuses:
        return x
    empty = _empty(graph, name, places, x)
    if column.absent is None:
        return _refuse(graph, column, empty, x)
    place = np.zeros((1, width))
    place[0, places[column.absent]] = 1
    filled = graph.add("Mul", empty, graph.constant(f"{name}.missing", place))
    return graph.add("Add", x, filled)


def _empty(graph: Graph, name: str, places: range, x: str) -> str:
    """1 for rows with 0 in all these places, else 0: (rows, 1), double."""
    constant = graph.constant(f"{name}.places", np.array(places, np.int64))
    found = graph.add("Abs", graph.add("Gather", x, constant, axis=1))
    zero = graph.constant("zero", np.float64(0))
    empty = graph.add("Equal", graph.reduce("ReduceSum", found, [1]), zero)
    return graph.add("Cast", empty, to=DOUBLE)


def _refuse(graph: Graph, column: OneHot, empty: str, x: str) -> str:
    """x, by an operator that fails if a row is empty.

    ONNX has no operator for errors, but an index out of bounds is an error: to each row the number
    at index 0 of [0] is added, to an empty row that at index 1. The operator's name is the message.
    """
    index = graph.add("Cast", empty, to=INT64)
    name = f"a row has 0 in all one-hot columns of '{column.name}'"
    return graph.add("Add", x, _checked(graph, index, name))


def _checked(graph: Graph, index: str, title: str) -> str:
    """0 for each index that is 0; an operator that fails for one that is 1."""
    return graph.add("Gather", graph.constant("nothing", np.zeros(1)), index, title=title)


# An embedding's numbers are indices, which runtimes check themselves.
COLUMNS: dict[str, ColumnEmitter] = {
    "number": _nothing,
    "date": _nothing,
    "lag": _nothing,
    "one_hot": _one_hot,
    "embedding": _nothing,
    "target_mean": _nothing,
}


# Columns as they are in a table, in place of their features: one input for each.
#
# Each category has a number, by which its features are looked up; what prediction refuses has a
# number beyond the table, as ONNX has no operator for errors.

_INVALID = 2**31


def emit_table(graph: Graph, layout: Layout, dtype: str) -> tuple[str, dict[str, str]]:
    """Append what makes the features of the columns of a table.

    Returns: the name of the features, in float64, and the type of each input by its name: `string`
    or the dtype.

    Raises: UsageError if a column cannot be read in ONNX, or has the name of an output.
    """
    columns = layout.columns
    if len(layout.shape) > 1 or not columns.features:
        raise UsageError("--columns is for tables, and the network takes no columns by name")
    inputs: dict[str, str] = {}
    parts = []
    for index, column in enumerate(columns):
        if column.kind in ("date", "lag") or not isinstance(column, Number | Categorical):
            raise UsageError(
                f"--columns: '{column.name}' is a column of kind '{column.kind}', which ONNX has "
                "no operators to read; without --columns, the file takes encoded rows"
            )
        if column.source in (PREDICTION, PROBABILITY, LOW, HIGH, SET):
            raise UsageError(f"--columns: '{column.source}' is the name of an output, too")
        text = isinstance(column, Categorical) and not column.by_value
        kind = "string" if text else dtype
        if inputs.setdefault(column.source, kind) != kind:
            raise UsageError(f"--columns: '{column.source}' is read as numbers and as text")
        name, every = f"columns.{index}", columns.missing_values
        words = [*every.get("", ()), *every.get(column.source, ())]
        x = column.source
        if kind != "string" and words:
            numbers = MissingWords.of(x, columns.missing_values, columns.decimal).numbers
            x = _without(graph, name, x, [*numbers], kind)
        if isinstance(column, Categorical):
            parts.append(_categories(graph, name, column, x, kind, words))
        else:
            parts.append(_numbers(graph, column, x))
    return graph.add("Concat", *parts, axis=1), inputs


def _without(graph: Graph, name: str, x: str, missing: Sequence[float], dtype: str) -> str:
    """Numbers with NaN for those that stand for missing ones."""
    values = graph.constant(f"{name}.missing", np.array([missing], dtype))
    equal = graph.add("Cast", graph.add("Equal", x, values), to=INT64)
    is_missing = graph.add("Cast", graph.reduce("ReduceSum", equal, [1]), to=BOOL)
    return graph.add(
        "Where", is_missing, graph.constant(f"nan.{dtype}", np.array(np.nan, dtype)), x
    )


def _numbers(graph: Graph, column: Number, x: str) -> str:
    """A number, NaN where it is missing; where training had none missing, that is an error."""
    x = graph.add("Cast", x, to=DOUBLE)
    if column.statistic:
        return x
    index = graph.add("Cast", graph.add("IsNaN", x), to=INT64)
    return graph.add("Add", x, _checked(graph, index, f"a number of '{column.name}' is missing"))


def _categories(
    graph: Graph, name: str, column: Categorical, x: str, dtype: str, missing_words: Sequence[str]
) -> str:
    """The features of the categories in x, as texts or as numbers."""
    places = {label: place for place, label in enumerate(column.known)}
    places |= dict.fromkeys(column.rare, len(column.known))
    missing = places.pop(MISSING, _INVALID)
    otherwise = _INVALID if column.otherwise is None else column.otherwise
    if dtype == "string":
        spellings = [*missing_words, *_spellings({*MISSING_LABELS, *map(str.lower, missing_words)})]
        words = dict.fromkeys(spellings, missing)
        numbers = graph.numbers_of(x, {**words, **places}, otherwise, name)
    else:
        numbers = _numbers_by_value(graph, name, column, x, places, missing, otherwise, dtype)
    flat = graph.add("Reshape", numbers, graph.constant("flat", np.array([-1], np.int64)))
    features = np.asarray(column.encoded(np.arange(len(column.known) + 1)), np.float64)
    title = f"a category of '{column.name}' is missing or none of training"
    return graph.add("Gather", graph.constant(f"{name}.features", features), flat, title=title)


def _spellings(words: Iterable[str]) -> list[str]:
    """Words in the usual cases; ONNX compares texts as they are."""
    return sorted({form for word in words for form in (word, word.upper(), word.title())} | {"NaN"})


def _numbers_by_value(
    graph: Graph,
    name: str,
    column: Categorical,
    x: str,
    places: Mapping[str, int],
    missing: int,
    otherwise: int,
    dtype: str,
) -> str:
    """The numbers of categories that are numbers themselves, such as 7 and 7.0."""
    values = np.array([[float(label) for label in places]], dtype)
    if len({*values.ravel().tolist()}) < len(places):
        message = f"--columns: categories of '{column.name}' are equal in {dtype}"
        raise UsageError(f"{message}; add --dtype float64")
    equal = graph.add("Equal", x, graph.constant(f"{name}.values", values))
    of_each = np.array([[place - otherwise for place in places.values()]], np.int64)
    chosen = graph.add("Cast", equal, to=INT64)
    chosen = graph.add("Mul", chosen, graph.constant(f"{name}.numbers", of_each))
    rest = graph.constant(f"integer.{otherwise}", np.int64(otherwise))
    number = graph.add("Add", graph.reduce("ReduceSum", chosen, [1]), rest)
    blank = graph.constant(f"integer.{missing}", np.int64(missing))
    return graph.add("Where", graph.add("IsNaN", x), blank, number)


# A model as an ONNX file: preprocessing, network and decoding of its outputs.

INPUT, PREDICTION, PROBABILITY = "x", "prediction", "probability"
LOW, HIGH, SET = "low", "high", "set"
_ROWS = "rows"
_LARGEST = 2_000_000_000  # bytes of weights; the format's own limit is a little more
# The types of raw rows and predicted numbers; the network computes in float32.
DTYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
_LABELS = {
    "b": TensorProto.BOOL,
    "i": TensorProto.INT64,
    "f": TensorProto.DOUBLE,
    "U": TensorProto.STRING,
}


def onnx_bytes(
    model: Model,
    dtype: str = "float32",
    *,
    by_column: bool = False,
    promise: Promise | None = None,
) -> bytes:
    """The content of the file. Its input is `x`, raw rows; its outputs are `prediction` and, if the
    model has probabilities, `probability`.

    Predictions are labels (bool, int64, double or string), or values in the target's own units. The
    network computes in float32, also if it was trained in float64.

    Args:
        model: the model.
        dtype: of `x`, predicted values and probabilities; one of `DTYPES`. Preprocessing is in
            float64 either way.
        by_column: whether there is an input (rows, 1) for each column of the table, in place of
            `x`: numbers, NaN where they are missing; or texts of categories that are no numbers.
        promise: what the intervals `low` and `high`, of the shape of `prediction`, or the sets
            `set`, whether each class is in it, have to hold; None for a file without these.

    Raises:
        UsageError: the network is too large for the format, a layer or step cannot be exported, or
            there are too few rows to hold the promise by.
        onnx.checker.ValidationError: the file does not conform to the standard.
    """
    needed = 4 * sum(network.size for network in model.networks)
    if needed > _LARGEST:
        raise UsageError(f"an ONNX file holds 2 GB, and the weights need {needed / 1e9:.1f} GB")
    columns, info = model.layout.columns, helper.make_tensor_value_info
    if by_column:
        graph = Graph(_opset(model), columns.features)
        x, kinds = emit_table(graph, model.layout, dtype)
        types = {**DTYPES, "string": TensorProto.STRING}
        inputs = [info(name, types[kind], [_ROWS, 1]) for name, kind in kinds.items()]
    else:
        graph = Graph(_opset(model))
        inputs = [info(INPUT, DTYPES[dtype], [_ROWS, *model.layout.shape])]
        x = emit_columns(graph, columns, graph.add("Cast", INPUT, to=DOUBLE))
    each = _networks(graph, model, _prepared(graph, model, x))
    y = each[0]
    if len(each) > 1:  # runtimes lack a mean of float64
        y = _mean(graph, each) if _ends_exactly(model) else graph.add("Mean", *each)
    outputs = _predict(graph, model, y, DTYPES[dtype])
    if promise is not None and model.errors is not None:
        covering = _sets if model.layout.classes else _intervals
        outputs += covering(graph, model, model.errors, [y, *each], promise, DTYPES[dtype])
    labels = [helper.make_opsetid(LABELS_DOMAIN, LABELS_OPSET)] * graph.uses_labels
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "nnrun",
            inputs,
            outputs,
            list(graph.constants.values()),
        ),
        producer_name="nnrun",
        producer_version=__version__,
        ir_version=graph.ir_version,
        opset_imports=[helper.make_opsetid("", graph.opset), *labels],
    )
    helper.set_model_props(proto, _properties(model, by_column=by_column))
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _properties(model: Model, *, by_column: bool) -> dict[str, str]:
    """Metadata for programs that use the file; for tables, the columns of `x` in order."""
    layout = model.layout
    properties = {"run_id": model.run_id, "task": layout.task}
    if len(layout.shape) == 1 and layout.columns.features and not by_column:
        properties["features"] = json.dumps(layout.columns.feature_names)
    known = {one.name: one.known for one in layout.columns if isinstance(one, Categorical)}
    if known:
        properties["categories"] = json.dumps(known)
    return properties


def _opset(model: Model) -> int:
    """The oldest operator set with all operators of the model."""
    layers = (layer for network in model.networks for _, layer in network.named_layers())
    types = {layer.type for layer in layers} & set(EXPORTED)
    return max([OPSET, *(EXPORTED[name].opset for name in types)])


def _prepared(graph: Graph, model: Model, x: str) -> str:
    """Append the preprocessing of features; returns the name of the network's input."""
    added = []
    for index, step in enumerate(model.preprocessing.steps):
        if isinstance(step, AddsColumns) and len(step.place):
            emitter = emitter_of(ADDED, step.name, "ONNX")
            added.append(emitter(graph, f"features.{index}", step, x))
        y = emit_step(graph, f"features.{index}", step, x)
        if kept := getattr(step, "kept", ()):
            mask = np.isin(np.arange(*model.layout.shape), kept)
            y = graph.add("Where", graph.constant(f"features.{index}.kept", mask), x, y)
        x = y
    x = graph.add("Concat", x, *added, axis=1) if added else x
    x = graph.add("Cast", x, to=FLOAT)
    if model.network.input_shape != model.layout.shape and not added:
        shape = np.array([0, *model.network.input_shape], np.int64)  # 0 keeps the rows
        x = graph.add("Reshape", x, graph.constant("input_shape", shape))
    return x


def _networks(graph: Graph, model: Model, x: str) -> list[str]:
    """Append the networks; returns the names of their outputs."""
    outputs = []
    for number, network in enumerate(model.networks):
        names = Names(network, f"members.{number}." if len(model.networks) > 1 else "")
        y = x
        if network.input_shape != model.network.input_shape:
            shape = np.array([0, *network.input_shape], np.int64)
            y = graph.add("Reshape", x, graph.constant(f"members.{number}.input_shape", shape))
        *before, last = network.layers
        for layer in before:
            y = emit_layer(graph, names, layer, y)
        y = graph.add("Cast", y, to=DOUBLE) if _ends_exactly(model) else y
        y = emit_layer(graph, names, last, y)
        outputs.append(y)
    return outputs


def _ends_exactly(model: Model) -> bool:
    """Whether the last layer is in float64, so that nothing to calibrate is rounded to 0 or 1."""
    return model.calibrating is not None and model.network.dtype == np.float64


def _predict(graph: Graph, model: Model, y: str, kind: int) -> list[onnx.ValueInfoProto]:
    if isinstance(model.task, Classification):
        return _classes(graph, model, model.task, y, kind)
    if model.preprocessing.target is not None:
        y = graph.add("Cast", y, to=DOUBLE)
        y = invert(graph, "target", model.preprocessing.target, y)
    return [_values(graph, model, y, kind, PREDICTION)]


def _values(graph: Graph, model: Model, y: str, kind: int, name: str) -> onnx.ValueInfoProto:
    """Append an output with a number for each target: (rows,), or (rows, targets) of several."""
    y = graph.add("Cast", y, to=kind)
    count = model.network.output_shape[0]
    if count == 1:
        _squeezed(graph, y, name)
        return helper.make_tensor_value_info(name, kind, [_ROWS])
    graph.add("Identity", y, output=name)
    return helper.make_tensor_value_info(name, kind, [_ROWS, count])


def _intervals(
    graph: Graph, model: Model, errors: Coverage, outputs: list[str], promise: Promise, kind: int
) -> list[onnx.ValueInfoProto]:
    """The ends of intervals, in float64, as `Coverage.interval` has them.

    `outputs` are the mean of the networks' and those of each.
    """
    y, *each = (graph.add("Cast", name, to=DOUBLE) for name in outputs)
    limits = errors.limits(promise.coverage, [[number] for number in range(len(errors.scores))])
    half = graph.constant("errors.limits", limits[np.newaxis])
    if errors.scale:
        a, b = np.array(errors.scale).T[:, np.newaxis]
        mean = _mean(graph, each)
        apart = [graph.add("Sub", one, mean) for one in each]
        squares = graph.add("Sum", *(graph.add("Mul", one, one) for one in apart))
        variance = graph.add("Div", squares, _double(graph, len(each) - 1))
        grown = graph.add("Mul", variance, graph.constant("errors.b", b + 1 / len(each)))
        squared = graph.add("Add", grown, graph.constant("errors.a", a))
        half = graph.add("Mul", graph.add("Sqrt", squared), half)
    found = []
    for name, operator in ((LOW, "Sub"), (HIGH, "Add")):
        end = graph.add(operator, y, half)
        if model.preprocessing.target is not None:
            end = invert(graph, "target", model.preprocessing.target, end)
        found.append(_values(graph, model, end, kind, name))
    return found


def _mean(graph: Graph, each: list[str]) -> str:
    """The mean in float64."""
    return graph.add("Div", graph.add("Sum", *each), _double(graph, len(each)))


def _sets(
    graph: Graph, model: Model, errors: Coverage, outputs: list[str], promise: Promise, kind: int
) -> list[onnx.ValueInfoProto]:
    """Whether each class is in the set, as `Coverage.sets` has it: (rows, classes)."""
    count = len(model.layout.classes)
    p = graph.add("Cast", _stacked(graph, model, outputs[0]), to=DOUBLE)
    sizes = graph.constant(f"integers.{count}", np.array([count], np.int64))
    places = graph.free("places")
    ordered = graph.add("TopK", p, sizes, more=[places], axis=1)
    sums = graph.add("CumSum", ordered, graph.constant("integer.1", np.int64(1)))
    before = graph.add("Sub", sums, ordered)
    scores = graph.add("ScatterElements", p, places, before, axis=1)
    limits = graph.constant("errors.limits", errors.set_limits(promise)[np.newaxis])
    graph.add("LessOrEqual", scores, limits, output=SET)
    return [helper.make_tensor_value_info(SET, TensorProto.BOOL, [_ROWS, count])]


def _classes(
    graph: Graph, model: Model, task: Classification, y: str, kind: int
) -> list[onnx.ValueInfoProto]:
    own = p = _stacked(graph, model, y) if task.probabilistic else y
    if model.calibrating is not None:
        p = _calibrated(graph, model, model.calibrating, own)
    if task.decision is not None:
        number = _decided(graph, task.decision, p if task.decision.calibrated else own)
    elif task.outputs == 1 and model.calibrating is None:
        half = graph.constant("half", np.float32(0.5))
        above = graph.add("Cast", graph.add("Greater", y, half), to=INT64)
        number = _squeezed(graph, above)
    else:
        number = graph.add("ArgMax", p, axis=1, keepdims=0)
    labels = model.classes.astype(object) if model.classes.dtype.kind == "U" else model.classes
    graph.add("Gather", graph.constant("classes", labels), number, output=PREDICTION)
    labelled = _LABELS[model.classes.dtype.kind]
    outputs = [helper.make_tensor_value_info(PREDICTION, labelled, [_ROWS])]
    if task.probabilistic:
        graph.add("Cast", p, output=PROBABILITY, to=kind)
        shape: list[str | int | None] = [_ROWS, task.classes]
        outputs.append(helper.make_tensor_value_info(PROBABILITY, kind, shape))
    return outputs


def _stacked(graph: Graph, model: Model, y: str) -> str:
    """The probabilities of both classes, where y is that of the second."""
    if model.network.output_shape[0] > 1:
        return y
    one = _double(graph, 1) if _ends_exactly(model) else graph.constant("one_float", np.float32(1))
    return graph.add("Concat", graph.add("Sub", one, y), y, axis=1)


def _calibrated(graph: Graph, model: Model, calibration: Calibration, p: str) -> str:
    """Calibrated probabilities (rows, classes), in float64, as `Calibration.apply` has them."""
    p = graph.add("Cast", p, to=DOUBLE)
    if calibration.method != "isotonic":
        slope, shift = calibration.line
        rounding = _double(graph, np.finfo(model.network.dtype).eps)
        z = graph.add("Mul", graph.add("Log", graph.add("Max", p, rounding)), _double(graph, slope))
        z = graph.add("Add", z, graph.constant("calibration.shift", shift))
        return graph.add("Softmax", z, axis=1)
    x, y = np.reshape(calibration.numbers, (2, -1))
    second = graph.add("Gather", p, graph.constant("second", np.array([1])), axis=1)
    second = graph.add("Max", second, _double(graph, x[0]))
    corners = graph.constant("calibration.x", x)
    passed = graph.add("Cast", graph.add("GreaterOrEqual", second, corners), to=INT64)
    count = graph.reduce("ReduceSum", passed, [1])
    at = graph.add("Sub", count, graph.constant("integer.1", np.int64(1)))
    slopes = graph.constant("calibration.slopes", np.append(np.diff(y) / np.diff(x), 0.0))
    within = graph.add("Sub", second, graph.add("Gather", corners, at))
    rise = graph.add("Mul", within, graph.add("Gather", slopes, at))
    second = graph.add("Add", rise, graph.add("Gather", graph.constant("calibration.y", y), at))
    return graph.add("Concat", graph.add("Sub", _double(graph, 1), second), second, axis=1)


def _decided(graph: Graph, decision: Decision, p: str) -> str:
    """Class numbers by the threshold, in float64, as it is stored, from probabilities of both."""
    positive = decision.positive
    y = graph.add("Gather", p, graph.constant("positive", np.array([positive])), axis=1)
    threshold = graph.constant("threshold", np.float64(decision.threshold))
    chosen = graph.add("GreaterOrEqual", graph.add("Cast", y, to=DOUBLE), threshold)
    number = graph.add("Cast", chosen, to=INT64)
    if positive == 0:
        number = graph.add("Sub", graph.constant("one_integer", np.int64(1)), number)
    return _squeezed(graph, number)


def _squeezed(graph: Graph, x: str, output: str | None = None) -> str:
    axis = graph.constant("axes_1", np.array([1], np.int64))
    return graph.add("Squeeze", x, axis, output=output)
