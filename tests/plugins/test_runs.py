"""Runs that need plugins: trained, verified, predicted from; parts that are formulas."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import nnrun
from nnrun.errors import ConfigError, UsageError
from nnrun.models.code.layers import NUMPY, TORCH
from nnrun.models.code.script import script
from nnrun.models.onnx import onnx_bytes
from nnrun.nn.formulas import Expression, FormulaError
from nnrun.plugins import PluginError, load, unload
from nnrun.reports.reference.topics import topics
from tests.plugins.conftest import weights_of

SMALL = """
dataset: {name: moons, rows: 60}
network: {layers: [{type: dense, units: 4, activation: tanh}, LAYER, {type: dense, units: 2,
  activation: softmax}]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20}
"""
NEEDS = "needs the activation 'bend' of the plugin parts.py, which is not loaded; "
NEEDS += "name it with --plugin parts.py"


@pytest.fixture
def trained(folder, lab) -> Path:
    """A folder with a run of `all.yaml`, whose plugin is not loaded any more."""
    done = lab.ok("train", "all.yaml", "--plugin", "parts.py")
    why = "the compiled engine does not have the loss 'fourth' of parts.py, so NumPy trains it"
    assert why in done.err
    unload()
    return folder


def test_a_part_of_each_kind_trains_to_the_same_bits_in_two_processes(folder, lab) -> None:
    """As in this one; the runs are verified by two processes, too."""
    words = ("all.yaml", "--seeds", 3, "--plugin", "parts.py")
    for jobs, results in ((1, "one"), (2, "two")):
        done = lab.ok("sweep", *words, "-j", jobs, "--results", results)
    one, two = weights_of(folder / "one"), weights_of(folder / "two")
    assert (3, one) == (len(one), two)
    runs = sorted(f"two/all/{name}" for name in two)[:2]
    done = lab("verify", *runs, "-j", 2, "--plugin", "parts.py")
    assert (0, 2) == (done.code, done.out.count("the same bits") - 1), done.said


def test_a_run_names_its_parts_with_the_digest_of_their_file(trained) -> None:
    """In the report and, of what prediction needs, in the model."""
    report = json.loads(next(trained.glob("results/all/*/report.json")).read_text())
    names = ["bend", "fourth", "halves", "root", "signed", "small", "squash", "wave", "worst_tenth"]
    assert names == [part["name"] for part in report["plugins"]]
    assert {"parts.py"} == {part["source"] for part in report["plugins"]}
    text = next(trained.glob("results/all/*/report.md")).read_text()
    digest = sha256((trained / "parts.py").read_bytes()).hexdigest()
    assert f"| SHA-256 of parts.py | {digest} |" in text
    assert "nnrun train config.yaml --results again --plugin parts.py" in text
    with pytest.raises(PluginError, match=r"needs the activation 'bend' of the plugin"):
        _ = nnrun.load("all").model


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "all"), 2),
        (("predict", "all", "new.csv"), 2),
        (("export", "all", "-o", "m.py"), 2),
        (("train", "all", "--extend", "5"), 2),
    ],
)
def test_what_needs_the_plugin_says_which(trained, lab, words, code) -> None:
    """And how to name it."""
    (trained / "new.csv").write_text("x1\n0.5\n")
    done = lab(*words)
    assert (code, True) == (done.code, NEEDS in " ".join(done.said.split())), done.said


@pytest.mark.parametrize(
    "words", [("ls",), ("show", "all"), ("compare", "all", "all"), ("report",)]
)
def test_what_only_shows_a_run_needs_no_plugin(trained, lab, words) -> None:
    """Reports are data."""
    lab.ok(*words)


def test_the_command_that_repeats_a_run_names_its_plugin(trained, lab) -> None:
    """As `show` prints it."""
    assert "--results again --plugin parts.py\n" in lab("show", "all").out


def test_a_model_predicts_with_its_plugin(trained, lab) -> None:
    """From the command line and from Python the same."""
    (trained / "new.csv").write_text("x1\n0.5\n-1\n")
    done = lab.ok("predict", "all", "new.csv", "--plugin", "parts.py")
    unload()
    found = nnrun.load("all", plugins="parts.py").predict(np.array([[0.5], [-1.0]]))
    assert [float(line) for line in done.out.split()[1:]] == found.tolist()


def test_a_changed_plugin_is_named(trained, lab) -> None:
    """By `verify`, which trains nothing; and by a warning where a model predicts."""
    parts = trained / "parts.py"
    parts.write_text(parts.read_text() + "# another line\n")
    done = lab("verify", "all", "--plugin", "parts.py", "--json")
    (verdict,) = done.json["runs"]
    assert (3, "differs") == (done.code, verdict["finding"])
    assert "parts.py has changed since it was trained" == verdict["reason"]
    assert {"parts.py"} == verdict["environment"].keys()
    with pytest.warns(UserWarning, match=r"parts.py has changed since: SHA-256 \w{10}… then"):
        nnrun.load("all").predict(np.array([[0.5]]))


def run_ids(config, plugins=()) -> str:
    return nnrun.train(config, results=None, plugins=plugins).record.run_id


def test_the_digest_has_the_source_of_the_parts_that_a_config_names(folder) -> None:
    """And of no others."""
    own, mine = (SMALL.replace("LAYER", layer) for layer in ("{type: dropout}", "{type: squash}"))
    Path("own.yaml").write_text(own)
    Path("mine.yaml").write_text(mine)
    before = run_ids("own.yaml")
    first = run_ids("mine.yaml", "parts.py")
    assert before == run_ids("own.yaml")
    parts = folder / "parts.py"
    parts.write_text(parts.read_text() + "# another line\n")
    assert (before, True) == (run_ids("own.yaml", "parts.py"), first != run_ids("mine.yaml"))


def test_a_grid_follows_a_default_that_has_changed(folder) -> None:
    """In one process: each setting is the run that its values give alone by then."""
    Path("mine.yaml").write_text(SMALL.replace("LAYER", "{type: squash}"))
    parts = Path("parts.py")
    text, key = parts.read_text(), "network.layers.1.start"
    for default in (1.0, 0.5):
        parts.write_text(
            text.replace("start: PositiveFloat = 1.0", f"start: PositiveFloat = {default}")
        )
        board = nnrun.sweep("mine.yaml", {key: [0.5, 1.0, 2.0]}, plugins="parts.py", results=None)
        alone = {
            start: nnrun.train("mine.yaml", {key: start}, results=None).record.run_id
            for start in (0.5, 1.0, 2.0)
        }
        (group,) = board.groups
        found = {row.choice[key]: row.best_run.split("/")[1] for row in group.rows}
        assert alone == found


def test_a_config_does_not_load_the_plugin_that_it_needs(folder) -> None:
    """Nor does a config of a run, beside which the plugin lies."""
    with pytest.raises(ConfigError, match="'squash' is not a layer"):
        nnrun.train("all.yaml", results=None)


WRONG = """
@register("layer", "half")
class Half(Layer):
    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.ones(input_shape))
        self.parameters = [self.g]
        return input_shape
    def forward(self, x, rng=None):
        self.x = x
        return self.g.value * x
    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.x).sum(axis=0)
        return dy * self.g.value / 2
"""


def test_a_wrong_gradient_is_found_before_the_first_update(folder, lab, write) -> None:
    """The run is kept as failed, with the reason."""
    write(WRONG)
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab("train", "half.yaml", "--plugin", "mine.py")
    says = "the gradient of 0.weight is wrong with the layer 'half' of mine.py: by backpropagation"
    assert (1, True) == (done.code, says in done.err), done.said
    assert "nnrun check mine.py looks for the mistake" in done.err
    (report,) = Path("results/half").glob("*/report.json")
    found = json.loads(report.read_text())
    assert ("failed", 0) == (found["status"], found["timing"]["iterations"])


@pytest.mark.parametrize("way", ["option", "part"])
def test_a_wrong_gradient_is_accepted_if_asked_for(folder, lab, write, way) -> None:
    """By an option, in all processes; or by the part itself, as a straight-through estimator."""
    says = "class Half(Layer):\n    exact_gradient = False\n"
    write(WRONG if way == "option" else WRONG.replace("class Half(Layer):\n", says))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    more = ("-j", 2, "--no-gradient-check") if way == "option" else ("-j", 1)
    lab.ok("sweep", "half.yaml", "--plugin", "mine.py", "--seeds", 2, *more)


def test_an_error_in_a_plugin_names_its_line(folder, lab, write) -> None:
    """Also where it is raised in another process."""
    write(WRONG.replace("return self.g.value * x", "return self.g.value @ x"))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    for words in (["train"], ["sweep", "--seeds", "2", "-j", "2"]):
        done = lab(*words, "half.yaml", "--plugin", "mine.py")
        assert (1, True) == (done.code, "mine.py:13: ValueError: matmul" in done.said), done.said


@pytest.mark.parametrize(
    "words", [["train", "half.yaml", "--plugin", "mine.py"], ["check", "mine.py"]]
)
def test_a_method_with_other_arguments_is_named(folder, lab, write, words) -> None:
    """A mistake of the plugin, and no internal error, before anything starts."""
    write(WRONG.replace("x, rng=None", "x, *, training=False"))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab(*words)
    says = "mine.py:5: 'forward' has other arguments (too many positional arguments); "
    form = "write def forward(self, x, rng=None)"
    assert (2, f"error: {says}{form}") == (done.code, " ".join(done.err.split())), done.said
    assert not Path("results/half").exists()


def test_plugins_are_given_by_the_environment(folder, lab, monkeypatch) -> None:
    """NNRUN_PLUGINS has one file or several, for commands and for Python."""
    monkeypatch.setenv("NNRUN_PLUGINS", "parts.py")
    lab.ok("check", "all.yaml")
    unload()
    nnrun.check("all.yaml")
    monkeypatch.delenv("NNRUN_PLUGINS")
    assert 2 == lab("check", "all.yaml").code


def test_a_cluster_takes_no_plugin_files(folder, lab) -> None:
    """Its workers could not have them; the error comes before any run, and any connection."""
    done = lab("sweep", "all.yaml", "--plugin", "parts.py", "--dask", "tcp://127.0.0.1:9")
    says = "all.yaml needs parts.py, and workers of a cluster know installed plugins only"
    assert (2, True) == (done.code, says in done.err), done.said


def test_the_argument_without_annotation_is_named(folder, lab, write) -> None:
    """Its value in a config could not be checked."""
    write(
        WRONG.replace("    def _connect", "    def __init__(self, size=3): ...\n    def _connect")
    )
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab("check", "half.yaml", "--plugin", "mine.py")
    says = "mine.py:5: the argument 'size' needs an annotation, such as size: PositiveInt"
    assert (2, True) == (done.code, says in done.err), done.said


def test_the_reference_and_the_schema_know_the_parts(folder, lab) -> None:
    """While the plugin is named."""
    names = {"squash", "bend", "fourth", "signed", "halves", "root", "worst_tenth", "wave"}
    assert not names & {topic.name for topic in topics()}
    assert "A sine with noise." in lab("help", "wave", "--plugin", "parts.py").out
    assert names <= {topic.name for topic in topics()}
    text = lab("schema", "--plugin", "parts.py").out
    assert all(f'"{word}"' in text for word in ("squash", "bend", "fourth", "small", "wave"))
    assert '"squash"' not in lab("schema").out
    assert "A sine with noise." in lab("datasets", "wave", "--plugin", "parts.py").out


def test_models_travel_to_other_processes_with_their_plugin(folder) -> None:
    """A pickled model is made again where the plugin is loaded, and not where it is not."""
    import pickle

    run = nnrun.train("all.yaml", results=None, plugins="parts.py")
    content = pickle.dumps(run.model)
    assert run.model.predict([[0.5]]) == pickle.loads(content).predict([[0.5]])
    unload()
    with pytest.raises(PluginError, match="needs the activation 'bend'"):
        pickle.loads(content)


# Parts that are formulas, and functions that return the layers of a block.

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
