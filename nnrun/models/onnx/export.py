"""A model as an ONNX file: preprocessing, network and decoding of its outputs."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from nnrun import __version__
from nnrun.data.columns.categories import Categorical
from nnrun.errors import UsageError
from nnrun.models.emitters import EXPORTED
from nnrun.models.load import Names
from nnrun.models.model import Model
from nnrun.models.onnx import operators as columns
from nnrun.models.onnx import operators as layers
from nnrun.models.onnx import operators as steps
from nnrun.models.onnx.operators import OPSET, Graph
from nnrun.models.task import Classification, Decision

INPUT, PREDICTION, PROBABILITY = "x", "prediction", "probability"
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


def onnx_bytes(model: Model, dtype: str = "float32") -> bytes:
    """The content of the file. Its input is `x`, raw rows; its outputs are `prediction` and, if the
    model has probabilities, `probability`.

    Predictions are labels (bool, int64, double or string), or values in the target's own units. The
    network computes in float32, also if it was trained in float64.

    Args:
        model: the model.
        dtype: of `x`, predicted values and probabilities; one of `DTYPES`. Preprocessing is in
            float64 either way.

    Raises:
        UsageError: the network is too large for the format, or a layer or step cannot be exported.
        onnx.checker.ValidationError: the file does not conform to the standard.
    """
    needed = 4 * model.network.size
    if needed > _LARGEST:
        raise UsageError(f"an ONNX file holds 2 GB, and the weights need {needed / 1e9:.1f} GB")
    graph = Graph(_opset(model))
    y = _network(graph, model, _prepared(graph, model, dtype))
    outputs = _predict(graph, model, y, DTYPES[dtype])
    row = list(model.layout.shape)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "nnrun",
            [helper.make_tensor_value_info(INPUT, DTYPES[dtype], [_ROWS, *row])],
            outputs,
            list(graph.constants.values()),
        ),
        producer_name="nnrun",
        producer_version=__version__,
        ir_version=graph.ir_version,
        opset_imports=[helper.make_opsetid("", graph.opset)],
    )
    helper.set_model_props(proto, _properties(model))
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _properties(model: Model) -> dict[str, str]:
    """Metadata for programs that use the file; for tables, the columns of `x` in order."""
    layout = model.layout
    properties = {"run_id": model.run_id, "task": layout.task}
    if len(layout.shape) == 1 and layout.columns.features:
        properties["features"] = json.dumps(layout.columns.feature_names)
    known = {one.name: one.known for one in layout.columns if isinstance(one, Categorical)}
    if known:
        properties["categories"] = json.dumps(known)
    return properties


def _opset(model: Model) -> int:
    """The oldest operator set with all operators of the model."""
    types = {layer.type for _, layer in model.network.named_layers()} & set(EXPORTED)
    return max([OPSET, *(EXPORTED[name].opset for name in types)])


def _prepared(graph: Graph, model: Model, dtype: str) -> str:
    """Append the preprocessing; returns the name of the network's input."""
    x = graph.add("Cast", INPUT, to=steps.DOUBLE)
    x = columns.emit_columns(graph, model.layout.columns, x)
    for index, step in enumerate(model.preprocessing.steps):
        x = steps.emit_step(graph, f"features.{index}", step, x)
    x = graph.add("Cast", x, to=steps.FLOAT)
    if model.network.input_shape != model.layout.shape:
        shape = np.array([0, *model.network.input_shape], np.int64)  # 0 keeps the rows
        x = graph.add("Reshape", x, graph.constant("input_shape", shape))
    return x


def _network(graph: Graph, model: Model, x: str) -> str:
    names = Names(model.network)
    for layer in model.network.layers:
        x = layers.emit_layer(graph, names, layer, x)
    return x


def _predict(graph: Graph, model: Model, y: str, kind: int) -> list[onnx.ValueInfoProto]:
    if isinstance(model.task, Classification):
        return _classes(graph, model, model.task, y, kind)
    if model.preprocessing.target is not None:
        y = graph.add("Cast", y, to=steps.DOUBLE)
        y = steps.invert(graph, "target", model.preprocessing.target, y)
    y = graph.add("Cast", y, to=kind)
    count = model.network.output_shape[0]
    if count == 1:
        _squeezed(graph, y, PREDICTION)
        return [helper.make_tensor_value_info(PREDICTION, kind, [_ROWS])]
    graph.add("Identity", y, output=PREDICTION)
    return [helper.make_tensor_value_info(PREDICTION, kind, [_ROWS, count])]


def _classes(
    graph: Graph, model: Model, task: Classification, y: str, kind: int
) -> list[onnx.ValueInfoProto]:
    if task.decision is not None:
        number = _decided(graph, task, task.decision, y)
    elif task.outputs == 1:
        half = graph.constant("half", np.float32(0.5))
        above = graph.add("Cast", graph.add("Greater", y, half), to=steps.INT64)
        number = _squeezed(graph, above)
    else:
        number = graph.add("ArgMax", y, axis=1, keepdims=0)
    labels = model.classes.astype(object) if model.classes.dtype.kind == "U" else model.classes
    graph.add("Gather", graph.constant("classes", labels), number, output=PREDICTION)
    labelled = _LABELS[model.classes.dtype.kind]
    outputs = [helper.make_tensor_value_info(PREDICTION, labelled, [_ROWS])]
    if task.probabilistic:
        if task.outputs == 1:
            no = graph.add("Sub", graph.constant("one_float", np.float32(1)), y)
            y = graph.add("Concat", no, y, axis=1)
        graph.add("Cast", y, output=PROBABILITY, to=kind)
        shape: list[str | int | None] = [_ROWS, task.classes]
        outputs.append(helper.make_tensor_value_info(PROBABILITY, kind, shape))
    return outputs


def _decided(graph: Graph, task: Classification, decision: Decision, y: str) -> str:
    """Class numbers by the threshold, in float64, as it is stored."""
    positive = decision.positive
    if task.outputs > 1:
        y = graph.add("Gather", y, graph.constant("positive", np.array([positive])), axis=1)
    elif positive == 0:
        y = graph.add("Sub", graph.constant("one_float", np.float32(1)), y)
    threshold = graph.constant("threshold", np.float64(decision.threshold))
    chosen = graph.add("GreaterOrEqual", graph.add("Cast", y, to=steps.DOUBLE), threshold)
    number = graph.add("Cast", chosen, to=steps.INT64)
    if positive == 0:
        number = graph.add("Sub", graph.constant("one_integer", np.int64(1)), number)
    return _squeezed(graph, number)


def _squeezed(graph: Graph, x: str, output: str | None = None) -> str:
    axis = graph.constant("axes_1", np.array([1], np.int64))
    return graph.add("Squeeze", x, axis, output=output)
