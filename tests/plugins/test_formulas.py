"""Parts that are formulas, and functions that return the layers of a block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import nnrun
from nnrun.errors import UsageError
from nnrun.models.code.layers import NUMPY, TORCH
from nnrun.models.code.script import script
from nnrun.models.onnx import onnx_bytes
from nnrun.nn.formulas import Expression, FormulaError
from nnrun.plugins import load

CURVES = Path(__file__).with_name("curves.py")
CONFIG = {
    "name": "curves",
    "dataset": {"name": "moons", "rows": 80, "features": ["standard"]},
    "network": {
        "layers": [
            {"type": "dense", "units": 5, "activation": "bent"},
            {"type": "dense", "units": 4, "activation": "swish"},
            {"type": "dense", "units": 4, "activation": "odd"},
            {"type": "dense", "units": 2},
        ]
    },
    "loss": "log_cosh",
    "training": {"learning_rate": 0.02, "iterations": 60, "batch_size": 8},
}


def by_onnx(run: nnrun.Run, x: np.ndarray) -> np.ndarray:
    """The predictions of a run's ONNX file, which puts out nothing else."""
    session = onnxruntime.InferenceSession(onnx_bytes(run.model))
    assert ["prediction"] == [output.name for output in session.get_outputs()]
    (predicted,) = session.run(["prediction"], {"x": x.astype(np.float32)})
    return predicted


def by_script(run: nnrun.Run, x: np.ndarray, language: Any = NUMPY) -> np.ndarray:
    """The predictions of a script of a run."""
    made: dict[str, Any] = {"__name__": "made"}
    exec(script(run.model, language), made)
    return np.asarray(made["predict"](x))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [1, 8, 48])
def test_compiled_code_trains_as_numpy_does(batch_size: int, dtype: str) -> None:
    """By functions of the network's own, and by kernels."""
    load(CURVES)
    training = {"training.batch_size": batch_size, "training.dtype": dtype}
    losses = [
        nnrun.train(CONFIG, {**training, "training.engine": engine}, results=None).history[
            "train_loss"
        ]
        for engine in ("numpy", "compiled")
    ]
    tolerance = {"float64": 1e-10, "float32": 1e-4}[dtype]
    np.testing.assert_allclose(losses[1], losses[0], rtol=tolerance)


def test_kernels_follow_a_plugin_that_changes(tmp_path) -> None:
    """In one process, with the same name and another formula."""
    file, found = tmp_path / "curves.py", []
    for slope in ("1", "0.5"):
        text = CURVES.read_text()
        old = 'slope = "x / (2 * sqrt(x * x + 1)) + 1"'
        assert old in text
        new = f'slope = "{slope}"\n    exact_gradient = False'
        file.write_text(text.replace(old, new))
        load(file)
        overrides = {"training.batch_size": 48, "training.engine": "compiled"}
        found.append(nnrun.train(CONFIG, overrides, results=None).history["train_loss"][-1])
    assert found[0] != found[1]


def test_exports_compute_the_formulas() -> None:
    """ONNX to float32, scripts to rounding."""
    load(CURVES)
    run = nnrun.train(CONFIG, results=None)
    x = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_array_equal(by_onnx(run, x), run.predict(x))
    for language in (NUMPY, TORCH):
        np.testing.assert_array_equal(by_script(run, x, language), run.predict(x))


WRITES_ITSELF = """
@register("layer", "gain")
class Gain(Layer):
    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: rng.normal(size=input_shape))
        self.parameters = [self.g]
        return input_shape
    def forward(self, x, rng=None):
        self.x = x
        return self.g.value * x
    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.x).sum(axis=0)
        return dy * self.g.value
    def to_onnx(self, graph, names, x):
        return graph.add("Mul", x, graph.weight(names[self.g], self.g.value))
    def to_numpy(self, names):
        return [f'h = h * W["{names[self.g]}"]']
"""


def test_a_layer_brings_its_own_form_in_exports(write) -> None:
    """Also where a residual holds it; without one the message names the method."""
    load(write(WRITES_ITSELF))
    inner = {"type": "residual", "layers": [{"type": "gain"}]}
    layers = [{"type": "gain"}, inner, {"type": "dense", "units": 2}]
    config = {**CONFIG, "network": {"layers": layers}, "loss": "mean_squared"}
    run = nnrun.train(config, results=None)
    x = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_array_equal(by_onnx(run, x), run.predict(x))
    np.testing.assert_array_equal(by_script(run, x), run.predict(x))
    says = "the layer 'gain' of mine.py cannot be exported so: it has no method 'to_pytorch'"
    with pytest.raises(UsageError, match=says):
        script(run.model, TORCH)


STEPS_WRITE_THEMSELVES = """
from nnrun.data.steps import Scaler

@register("step", "by_width")
class ByWidth:
    def __init__(self, width=None):
        self.width = None if width is None else np.asarray(width)
    def fit(self, rows):
        low, high = rows.extremes()
        self.width = high - low
    def apply(self, x):
        return x / self.width
    def state(self):
        return {"width": self.width.tolist()}
    def to_onnx(self, graph, name, x):
        return graph.add("Div", x, graph.constant(f"{name}.width", self.width))
    def to_numpy(self, name):
        return [f'h = h / W["{name}.width"]']

@register("step", "twice")
class Twice(Scaler):
    def fit(self, rows):
        self.shift, self.scale = np.zeros(rows.shape), np.full(rows.shape, 0.5)
"""


def test_a_step_brings_its_own_form_in_exports(write) -> None:
    """Its arrays are those of its state; a scaler is written as nnrun's own are."""
    load(write(STEPS_WRITE_THEMSELVES))
    data = {**CONFIG["dataset"], "features": ["by_width", "twice"]}
    network = {"layers": [{"type": "dense", "units": 2}]}
    config = {**CONFIG, "dataset": data, "network": network, "loss": "mean_squared"}
    run = nnrun.train(config, results=None)
    x = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_array_equal(by_onnx(run, x), run.predict(x.astype(np.float32)))
    np.testing.assert_array_equal(by_script(run, x), run.predict(x))
    says = "the step 'by_width' of mine.py cannot be exported so: it has no method 'to_pytorch'"
    with pytest.raises(UsageError, match=says):
        script(run.model, TORCH)


@pytest.mark.parametrize(
    "text",
    [
        "2 * x + 1",
        "-x / 3",
        "exp(-x * x)",
        "x if x > 0 else 0.01 * x",
        "max(x, 0.5) - min(x, 0.1) * 2",
        "tanh(sqrt(abs(x)) + log(1 + x * x))",
        "sigmoid(x) + softplus(-x)",
    ],
)
def test_a_formula_is_the_same_in_numpy_and_pytorch(text: str) -> None:
    """For arrays of both precisions, whose dtype it keeps."""
    expression = Expression(text, ("x",))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        x = np.random.default_rng(1).normal(size=40).astype(dtype)
        known = {"torch": torch, "F": torch.nn.functional, "x": torch.as_tensor(x)}
        theirs = eval(expression.written(1), known).numpy()
        ours = expression.numpy(x)
        assert (dtype, x.shape) == (ours.dtype, ours.shape)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", "'x +' is no formula"),
        ("x ** 2", "write a power as a product"),
        ("z + 1", "'z + 1' has 'z'; its variables are x"),
        ("sin(x)", "'sin(x)' calls 'sin'; there are exp, log, tanh"),
        ("exp(x, x)", "'exp(x, x)' calls 'exp'"),
        ("__import__('os').system('true')", "has '__import__('os').system('true')'"),
        ("x.real", "'x.real' has 'x.real'"),
        ("[x][0]", "'[x][0]' has '[x][0]'"),
        ("'a'", "''a'' has ''a''"),
        ("x if x else 1", "'x if x else 1' has 'x if x else 1'"),
        ("True", "'True' has 'True'"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, message: str) -> None:
    """Nothing of it is run."""
    with pytest.raises(FormulaError) as error:
        Expression(text, ("x",))
    assert message in str(error.value)


# Functions of plugins that return the layers of a block.

PAIR = """
@register("layer", "pair")
def pair():
    return dense(4, "tanh"), [dense(3, "relu")]
"""
PAIR_CONFIG = """
dataset: {name: iris, features: standard}
network: {layers: [{type: pair}, {type: dense, units: 3, activation: softmax}]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20, watch: true}
"""
APART = "{type: dense, units: 4, activation: tanh}, {type: dense, units: 3, activation: relu}"
LONG = PAIR_CONFIG.replace("{type: pair}", APART)


def test_a_block_of_several_layers_is_trained_as_a_whole(folder, write) -> None:
    """With the weights of the same layers written one by one, each under a name of its own."""
    write(PAIR)
    Path("pair.yaml").write_text(PAIR_CONFIG)
    Path("long.yaml").write_text(LONG.replace("watch", "engine: numpy, watch"))
    pair = nnrun.train("pair.yaml", results=None, plugins="mine.py").model.network
    long = nnrun.train("long.yaml", results=None).model.network
    assert long.theta.tolist() == pair.theta.tolist()
    assert ["0.weight", "0.bias", "0.weight_2", "0.bias_2"] == list(pair.parameters)[:4]


@pytest.mark.parametrize("held", [False, True], ids=["generated", "kernels"])
def test_the_compiled_engine_trains_such_a_block(folder, write, held) -> None:
    """To the same bits as the same layers written one by one; kernels train residual layers."""
    write(PAIR)
    found = []
    for name, layers in (("pair", "{type: pair}"), ("long", APART)):
        inner = f"{{type: residual, layers: [{layers}, {{type: dense, units: 4}}]}}"
        text = PAIR_CONFIG.replace("{type: pair}", inner if held else layers)
        Path(f"{name}.yaml").write_text(text.replace("watch: true", "engine: compiled"))
        run = nnrun.train(f"{name}.yaml", results=None, plugins="mine.py")
        found.append(run.model.network.theta.tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("returned", "says"),
    [("", "nothing"), ("'dense'", "'dense'"), ("[]", "[]"), ("[dense]", "<function dense at")],
)
def test_a_block_that_is_no_layers_is_refused_at_its_place(
    folder, lab, write, returned, says
) -> None:
    """By `check` and before a run starts."""
    write(PAIR.replace('dense(4, "tanh"), [dense(3, "relu")]', returned))
    Path("pair.yaml").write_text(PAIR_CONFIG)
    done = lab("train", "pair.yaml", "--plugin", "mine.py")
    words = f"mine.py:5: pair returns {says}"
    assert (2, True) == (done.code, words in done.err), done.said
    done = lab("check", "mine.py")
    assert (3, True) == (done.code, f"shapes: {words.partition(': ')[2]}" in done.err)
