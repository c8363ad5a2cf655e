"""ONNX files, run by onnxruntime beside the models that they are made from."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from nnrun.config.schema.columns import FEATURE_STEPS
from nnrun.data.steps import STEPS
from nnrun.errors import UsageError
from nnrun.models import onnx as tables
from nnrun.models.coverage import Promise
from nnrun.models.model import Model
from nnrun.models.onnx import onnx_bytes
from nnrun.nn import ACTIVATIONS, LAYERS, MeanSquared, Network, dense
from nnrun.nn.signature import Array
from tests.models.random_models import (
    MADE,
    SHAPE,
    judged,
    limits,
    model_of,
    option_step,
    random_model,
    rows,
    series_model,
    several,
    step_of,
    table_model,
)
from tests.nn.examples import NETWORKS

DTYPES = ("float32", "float64")
# ONNX computes in single precision, and adds in an order of its own.
TOLERANCES = {"float32": 1e-6, "float64": 1e-5}


def session(model: Model, promise: Promise | None = None) -> onnxruntime.InferenceSession:
    content = onnx_bytes(model, promise=promise)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def assert_equal(model: Model, count: int = 30) -> None:
    """Values to single precision; classes wherever it can tell them apart."""
    x, tolerance = rows(model, count), TOLERANCES[model.network.dtype.name]
    judged(model)
    covers = model.probabilistic or not model.layout.classes
    runtime = session(model, Promise(0.8) if covers else None)
    found = runtime.run(None, {"x": x.astype(np.float32)})
    expected = model.predict(x)
    if model.layout.task == "regression":
        # In units of the target's spread, for what is subtracted is no error of the network.
        scaling = model.preprocessing.target
        scale = 1.0 if scaling is None else np.maximum(scaling.scale, np.abs(scaling.shift))
        difference = np.abs(found[0] - expected) / np.maximum(np.abs(expected), scale)
        assert difference.max() < tolerance
        for end, exact in zip(found[1:], limits(model, x), strict=True):
            assert (np.abs(end - exact) / np.maximum(np.abs(exact), scale)).max() < tolerance
        return
    outputs = np.sort(model.outputs(x), axis=1)
    apart = outputs[:, -1] - (outputs[:, -2] if outputs.shape[1] > 1 else 0.5)
    sure = np.abs(apart) > 10 * tolerance
    assert expected[sure].tolist() == found[0][sure].tolist()
    if model.probabilistic:
        assert np.abs(found[1] - model.predict_proba(x)).max() < tolerance
        assert_sets(model, x, found[2])


def assert_sets(model: Model, x: Array, found: Array, *, by_class: bool = False) -> None:
    """The same classes wherever single precision can tell whether they are in a set."""
    sets, clear = limits(model, x, by_class)
    assert (found == sets)[clear > 1e-4].all()


@pytest.mark.parametrize("table", [tables.LAYERS, tables.STEPS])
def test_what_has_no_emitter_is_refused(table, monkeypatch):
    """With the name of the layer or step, and those that can be exported."""
    network = Network([dense(1, "tanh")], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (3,), ["l2"], "regression")
    name = "tanh" if "tanh" in table else "l2"
    monkeypatch.delitem(table, name)
    with pytest.raises(UsageError, match=f"'{name}' cannot be exported as ONNX; these can"):
        onnx_bytes(model)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, dtype):
    """Every layer, in all the ways that the compiled engine is tested in."""
    for index in range(len(NETWORKS[name])):
        assert_equal(table_model(name, index, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_of_a_table_become_a_series(dtype):
    """Before the first layer."""
    assert_equal(series_model(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, dtype):
    """Every activation, far out on both sides too."""
    network = Network([dense(30, name), dense(2)], MeanSquared(), (5,), dtype)
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (5,), ["standard"], "regression")
    network.theta[:] *= 4
    assert_equal(model)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", [*STEPS, "all"])
def test_steps(name, task):
    """Every step, alone and one after the other; on thresholds that single precision has not."""
    features = [*FEATURE_STEPS][::-1] if name == "all" else [step_of(name)]
    network = Network([dense(6, "tanh"), dense(3, "softmax")], MeanSquared(), (5,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    assert_equal(model_of(network, (5,), features, task))


@pytest.mark.parametrize("threshold", [8, 0.1, 0.7])
def test_what_lies_on_a_threshold_is_above_it(threshold):
    """Also where single precision has no such number, and the nearest is on one side."""
    network = Network([dense(1)], MeanSquared(), (1,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (1,), [option_step("binarize", threshold)], "regression")
    near = np.float32(threshold)
    x = np.array([[near], [np.nextafter(near, np.float32(99))], [near - 1], [near + 1]])
    assert 2 == len(set(model.predict(x)))
    found = session(model).run(None, {"x": x.astype(np.float32)})[0]
    np.testing.assert_allclose(model.predict(x), found, rtol=1e-6)


def test_rows_of_zeros_have_no_length():
    """And stay zero."""
    network = Network([dense(2)], MeanSquared(), (3,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (3,), ["l2"], "regression")
    zeros = np.zeros((2, 3), np.float32)
    found = session(model).run(None, {"x": zeros})[0]
    np.testing.assert_allclose(model.predict(zeros), found, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("part", range(4))
def test_random_architectures(part, dtype):
    """Forty random networks with random preprocessing and tasks."""
    for seed in range(10 * part, 10 * part + 10):
        assert_equal(random_model(seed, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MADE)
def test_what_follows_networks(kind, dtype):
    """Means of several and calibrated probabilities are those of the model, and sets by its own."""
    for model in MADE[kind](dtype):
        assert_equal(model)


def test_sets_by_class():
    """A limit for each class."""
    model = judged(several(0, "float32"))
    x = rows(model, 200)
    found = session(model, Promise(0.8, by_class=True)).run(["set"], {"x": x.astype(np.float32)})
    assert_sets(model, x, found[0], by_class=True)


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (("no", "yes"), "tensor(string)"),
        (("False", "True"), "tensor(bool)"),
        (("3", "7"), "tensor(int64)"),
        (("0.5", "2"), "tensor(double)"),
    ],
)
def test_labels_are_those_of_the_model(classes, kind):
    """One output for two classes; numbers and booleans stay what they are."""
    network = Network([dense(1, "sigmoid")], MeanSquared(), (4,), "float32")
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (4,), [], "classification")
    boolean = kind == "tensor(bool)"
    parts = {**vars(model.layout), "classes": classes, "bool_labels": boolean}
    model.layout = type(model.layout)(**parts)
    runtime = session(model)
    assert [kind, "tensor(float)"] == [output.type for output in runtime.get_outputs()]
    x = rows(model, 20)
    prediction, probability = runtime.run(None, {"x": x.astype(np.float32)})
    assert model.predict(x).tolist() == prediction.tolist()
    assert set(model.classes.tolist()) == set(prediction.tolist())
    np.testing.assert_allclose(model.predict_proba(x), probability, atol=1e-6)


def test_old_runtimes_can_read_it():
    """Operators of 2020 and their file format, but for GELU, which is from 2023."""
    for name, opset, version in (("tanh", 13, 8), ("gelu", 20, 9)):
        network = Network([dense(3, name), dense(2)], MeanSquared(), SHAPE[:1], "float32")
        network.initialize(rng=np.random.default_rng(0))
        proto = onnx.load_from_string(
            onnx_bytes(model_of(network, SHAPE[:1], ["l2"], "regression"))
        )
        assert [(opset, version)] == [(e.version, proto.ir_version) for e in proto.opset_import]


def test_shapes_and_names_are_declared():
    """Any number of rows, none included; images as images."""
    runtime = session(table_model("conv2d", 0, "float32"))
    (x,) = runtime.get_inputs()
    assert ("x", "tensor(float)", ["rows", 2, 7, 6]) == (x.name, x.type, x.shape)
    assert ["prediction"] == [output.name for output in runtime.get_outputs()]
    assert (0, 3) == runtime.run(None, {"x": np.zeros((0, 2, 7, 6), np.float32)})[0].shape


def test_the_same_model_is_the_same_file():
    """Byte for byte."""
    assert onnx_bytes(random_model(3, "float64")) == onnx_bytes(random_model(3, "float64"))


def test_what_no_file_can_hold_is_refused(monkeypatch):
    """The format ends at 2 GB."""
    monkeypatch.setattr("nnrun.models.onnx._LARGEST", 1000)
    with pytest.raises(UsageError, match="an ONNX file holds 2 GB, and the weights need"):
        onnx_bytes(table_model("dense", 0, "float64"))
