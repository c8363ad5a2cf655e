"""Scripts that are written, run beside the models that they are made from."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from nnrun.data.steps import STEPS
from nnrun.errors import UsageError
from nnrun.models.code.layers import NUMPY
from nnrun.models.code.script import LANGUAGES, script
from nnrun.nn import ACTIVATIONS, LAYERS, Dropout, MeanSquared, Network, Residual, dense
from tests.models.random_models import (
    KEEPING,
    MADE,
    judged,
    limits,
    model_of,
    option_step,
    random_model,
    rows,
    series_model,
    step_of,
    table_model,
)
from tests.nn.examples import NETWORKS

PRECISION = {"float32": 1e-5, "float64": 1e-12}
torch.set_num_threads(1)  # of networks this small, threads would only be waited for


def run(source: str) -> dict:
    names: dict = {"__name__": "model"}
    exec(compile(source, "model.py", "exec"), names)
    return names


def difference(found, expected, scale=1.0) -> float:
    """The largest, as a share of the number or of the scale, whichever is more."""
    return float((np.abs(found - expected) / np.maximum(np.abs(expected), scale)).max())


def assert_same_bits(model, x) -> None:
    """Outputs, predictions and probabilities of a script in NumPy are those of the model."""
    names = run(script(model, NUMPY))
    assert_array_equal(model.outputs(x), names["outputs"](x), strict=True)
    assert_array_equal(model.predict(x), names["predict"](x), strict=True)
    if model.probabilistic:
        assert_array_equal(model.predict_proba(x), names["predict_proba"](x), strict=True)
        assert_array_equal(limits(model, x)[0], names["sets"](x, 0.8), strict=True)
    elif not model.layout.classes:
        for end, found in zip(limits(model, x), names["intervals"](x, 0.8), strict=True):
            assert_array_equal(end, found, strict=True)


def assert_equal(model, language: str) -> None:
    """Outputs and predictions to what is promised: the bits, or a precision for the run's dtype."""
    judged(model)
    if language == "numpy":
        assert_same_bits(model, rows(model, 20))
    source = script(model, LANGUAGES[language])
    assert max(map(len, source.splitlines())) <= 100
    names, x = run(source), rows(model, 20)
    tolerance = PRECISION[model.network.dtype.name]
    outputs = model.outputs(x)
    own = np.asarray(names["outputs"](x))
    assert model.network.dtype == own.dtype
    assert difference(own, outputs) < tolerance
    expected, found = model.predict(x), names["predict"](x)
    if model.layout.task == "regression":
        scaling = model.preprocessing.target
        scale = 1.0 if scaling is None else np.maximum(scaling.scale, np.abs(scaling.shift))
        assert difference(found, expected, scale) < tolerance
        for end, found in zip(limits(model, x), names["intervals"](x, 0.8), strict=True):
            assert difference(found, end, scale) < tolerance
        return
    apart = np.abs(np.diff(np.sort(outputs, axis=1)[:, -2:], axis=1)[:, -1:]).min(initial=1, axis=1)
    assert expected[apart > 1e-4].tolist() == found[apart > 1e-4].tolist()
    assert model.probabilistic == ("predict_proba" in names)
    if model.probabilistic:
        probabilities = model.predict_proba(x)
        assert np.abs(names["predict_proba"](x) - probabilities).max() < tolerance
        sets, clear = limits(model, x)
        assert (names["sets"](x, 0.8) == sets)[clear > 1e-4].all()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_layers_without_an_emitter_are_refused(language, nested):
    """With the layer's type, on its own or within a layer, and those that can be exported."""
    layer = Dropout()
    layer.type = "unheard_of"
    network = Network([Residual([layer]) if nested else layer], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (3,), [], "regression")
    with pytest.raises(UsageError, match="'unheard_of' cannot be exported as a script; these can"):
        script(model, LANGUAGES[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_steps_without_an_emitter_are_refused(language, monkeypatch):
    """With the step's name."""
    network = Network([dense(1)], MeanSquared(), (3,))
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (3,), ["l2"], "regression")
    monkeypatch.delitem(LANGUAGES[language].steps, "l2")
    with pytest.raises(UsageError, match="'l2' cannot be exported as a script"):
        script(model, LANGUAGES[language])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, language):
    """Every layer, in all the ways that the compiled engine is tested in."""
    for index, dtype in product(range(len(NETWORKS[name])), PRECISION):
        assert_equal(table_model(name, index, dtype), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_numbers_of_a_table_become_a_series(language):
    """Before the first layer, for both dtypes."""
    for dtype in PRECISION:
        assert_equal(series_model(dtype), language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, language):
    """Every activation, far out on both sides too."""
    for dtype in PRECISION:
        network = Network([dense(30, name), dense(2)], MeanSquared(), (5,), dtype)
        network.initialize(rng=np.random.default_rng(0))
        model = model_of(network, (5,), ["standard"], "regression")
        network.theta[:] *= 4
        assert_equal(model, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", STEPS)
def test_steps(name, language):
    """Every step, on vectors and on images, and a scaled target."""
    step = step_of(name)
    network = Network([dense(3, "tanh")], MeanSquared(), (84,))
    network.initialize(rng=np.random.default_rng(0))
    assert_equal(model_of(network, (84,), [step], "regression", "minmax"), language)
    network = Network([dense(1, "sigmoid")], MeanSquared(), (84,))
    network.initialize(rng=np.random.default_rng(0))
    shape = (2, 7, 6) if name in KEEPING else (84,)
    assert_equal(model_of(network, shape, [step], "classification"), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_lies_on_a_threshold_is_above_it(language):
    """As it is in training."""
    network = Network([dense(1)], MeanSquared(), (1,))
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (1,), [option_step("binarize", 0.1)], "regression")
    x = np.array([[0.1], [np.nextafter(0.1, 0)]])
    assert 2 == len(set(model.predict(x)))
    found = run(script(model, LANGUAGES[language]))["predict"](x)
    np.testing.assert_allclose(model.predict(x), found, rtol=1e-12)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dtype", PRECISION)
def test_random_architectures(dtype, language):
    """Thirty random networks."""
    for seed in range(100, 130):
        assert_equal(random_model(seed, dtype), language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("kind", MADE)
def test_what_follows_networks(kind, dtype, language):
    """Means of several and calibrated probabilities are those of the model, and sets by its own."""
    for model in MADE[kind](dtype):
        assert_equal(model, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_script_runs_without_nnrun(language, tmp_path):
    """As a program of its own, on an npz file."""
    model = table_model("dense", 0, "float64")
    x = rows(model, 3)
    np.savez(tmp_path / "x.npz", x=x)
    (tmp_path / "model.py").write_text(script(model, LANGUAGES[language]))
    command = [sys.executable, "-c", "import sys; sys.modules['nnrun'] = None\n"
               "import runpy; sys.argv = ['model.py', 'x.npz']\n"
               "runpy.run_path('model.py', run_name='__main__')"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    header, *found = [line.split(",") for line in done.stdout.splitlines()]
    assert [f"prediction_{name}" for name in model.layout.target_names] == header
    np.testing.assert_allclose(np.array(found, float), model.predict(x), rtol=1e-12)


def test_a_script_for_images_says_what_it_takes(tmp_path):
    """An npz file, where it is given something else."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "model.py").write_text(script(table_model("dense", 0, "float64"), NUMPY))

    def execute(*words: str) -> tuple[int, str, str]:
        done = subprocess.run([sys.executable, "model.py", *words], cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
        return done.returncode, done.stdout, done.stderr.replace("\n", " ")

    assert (2, "", "usage: python model.py ROWS.npz > PREDICTIONS.csv ") == execute()
    assert (2, "", "x.csv: it is no npz file with an array x ") == execute("x.csv")


def test_names_from_data_do_nothing():
    """Whatever columns and classes are called, the script is text that says so."""
    network = Network([dense(2, "softmax")], MeanSquared(), (2,))
    network.initialize(rng=np.random.default_rng(0))
    model = model_of(network, (2,), [], "classification")
    evil = '"""\nraise SystemExit\n"""\\'
    columns = type(model.layout.columns).numbers((evil, "b"))
    parts = {**vars(model.layout), "classes": (evil, "'); raise SystemExit"), "columns": columns}
    model.layout = type(model.layout)(**parts)
    model.run_id = evil
    assert evil in run(script(model, LANGUAGES["numpy"]))["CLASSES"]
