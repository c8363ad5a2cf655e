"""`nnrun export`: files that say what they are by their names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nnrun.models.load import load_model as load
from nnrun.runs.catalog.select import select_run
from tests.lab import CARS


@pytest.fixture
def model(lab):
    """A small regression, trained."""
    lab.begin({"cars.yaml": CARS}, "train cars.yaml")
    return load(select_run("cars", Path("results")))


X = np.array([[8, 307, 130, 3504, 12, 70, 1], [4, 113, 95, 2372, 15, 70, 3]], np.float32)


def test_onnx(model, lab):
    """Raw rows in, miles per gallon out."""
    result = lab("export", "cars", "-o", "cars.onnx")
    assert (0, ["wrote cars.onnx"]) == (result.code, result.err.splitlines()[1:])
    session = onnxruntime.InferenceSession("cars.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(model.predict(X), session.run(None, {"x": X})[0], rtol=1e-5)


def test_coverage(cars, lab):
    """An ONNX file has the ends that the script writes when it is asked for the same."""
    words = "members={number: 4, validation: own}", "dataset.validation_size=0.25"
    lab.ok("train", cars, *words)
    lab.ok("export", "cars", "-o", "cars.onnx", "--coverage", 0.9)
    session = onnxruntime.InferenceSession("cars.onnx", providers=["CPUExecutionProvider"])
    lab.ok("export", "cars", "-o", "cars.py")
    names = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin"
    np.savetxt("rows.csv", X, delimiter=",", header=names, comments="")
    command = [sys.executable, "cars.py", "--coverage", "0.9", "rows.csv"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert lab.ok("predict", "cars", "rows.csv", "--coverage", 0.9).out == text
    expected = np.array([line.split(",") for line in text.splitlines()[1:]], float)
    assert (expected[:, 1] < expected[:, 2]).all()
    found = session.run(["prediction", "low", "high"], {"x": X})
    np.testing.assert_allclose(np.stack(found, axis=1), expected, rtol=1e-5)


TIMES = """
name: times
dataset: {path: times.csv, columns: {target: y}, features: standard, task: regression}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, iterations: 20, engine: numpy}
"""


@pytest.fixture
def times(folder, lab):
    """Seconds since 1970 and a small number, trained; and the rows."""
    x = np.random.default_rng(0).normal([1.7e9, 0], [1e4, 1], (60, 2))
    lines = [f"{time!r},{size!r},{size + 1!r}" for time, size in x.tolist()]
    Path("times.csv").write_text("\n".join(["time,size,y", *lines]) + "\n")
    Path("times.yaml").write_text(TIMES)
    lab.ok("train", "times.yaml")
    return x


@pytest.mark.parametrize(
    ("arguments", "dtype", "note"),
    [
        ((), "float64", "x is float64, since float32 would move 'time' by up to 0.00"),
        (("--dtype", "float64"), "float64", ""),
        (("--dtype", "float32"), "float32", "float32 would move 'time' by up to 0.00"),
    ],
)
def test_large_offsets_take_float64(times, lab, arguments, dtype, note):
    """Unless float32 is asked for; either way the figure is said."""
    result = lab("export", "times", "-o", "times.onnx", "--json", *arguments)
    assert (0, dtype) == (result.code, result.json["dtype"])
    assert result.err.splitlines()[1].startswith(note or "wrote times.onnx")
    model = load(select_run("times", Path("results")))
    session = onnxruntime.InferenceSession("times.onnx")
    found = session.run(None, {"x": times.astype(dtype)})[0]
    assert (np.abs(found - model.predict(times)).max() < 1e-5) == (dtype == "float64")


@pytest.mark.parametrize(
    ("arguments", "dtype", "note"),
    [
        (
            (),
            "float64",
            "x is float64, since float32 may move numbers across the threshold 1.7e+09",
        ),
        (("--dtype", "float32"), "float32", "float32 may move numbers across the threshold 1.7e+0"),
    ],
)
def test_a_large_threshold_takes_float64(times, lab, arguments, dtype, note):
    """Unless float32 is asked for; either way it is said."""
    text = TIMES.replace("features: standard", "features: [{binarize: 1.7e+9}]")
    Path("times.yaml").write_text(text.replace("name: times", "name: late"))
    lab.ok("train", "times.yaml")
    result = lab("export", "late", "-o", "late.onnx", "--json", *arguments)
    assert (0, dtype) == (result.code, result.json["dtype"])
    assert result.err.splitlines()[1].startswith(note)


def test_other_columns_take_float32(model, lab):
    """As most runtimes do; float64 where it is asked for."""
    lab.ok("export", "cars", "-o", "cars.onnx", "--dtype", "float64")
    session = onnxruntime.InferenceSession("cars.onnx")
    found = session.run(None, {"x": X.astype(np.float64)})[0]
    np.testing.assert_allclose(model.predict(X), found, rtol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--code", "numpy"),
        pytest.param(("--code", "pytorch"), marks=pytest.mark.pytorch),
    ],
)
def test_code(model, lab, arguments):
    """A module to import, in NumPy by default."""
    lab.ok("export", "latest", "-o", "cars.py", *arguments)
    assert ("import torch" in Path("cars.py").read_text()) == ("pytorch" in arguments)
    names = {"__name__": "cars"}
    exec(Path("cars.py").read_text(), names)
    np.testing.assert_allclose(model.predict(X), names["predict"](X), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("cars", "-o", "cars.h5"), "-o cars.h5: .onnx and .py are what can be written"),
        (("cars", "-o", "cars.onnx", "--code", "numpy"), "--code is for scripts"),
        (("cars", "-o", "cars.py", "--dtype", "float64"), "--dtype is for ONNX files"),
        (("cars", "-o", "cars.onnx", "--dtype", "f8"), "'f8' is not one of 'float32', 'float64'"),
        (("cars", "-o", "cars.py", "--code", "julia"), "'julia' is not one of 'numpy', 'pytorch'"),
        (("cars", "-o", "none/cars.py"), "-o none/cars.py: there is no folder none"),
        (("cars", "-o", "cars.py", "--coverage", "0.9"), "a script takes --coverage when it runs"),
        (("cars", "-o", "cars.onnx", "--coverage", "0.9"), "nothing is known of this network's"),
        (("cras", "-o", "cars.py"), "no run in results is called 'cras'; did you mean 'cars'?"),
        (("cars",), "Missing option '-o' / '--output'"),
    ],
)
def test_mistakes_are_reported(model, lab, arguments, expected):
    """With exit code 2 and nothing written."""
    assert expected in lab.refused("export", *arguments)
    assert {Path("cars.yaml"), Path("results")} == set(Path().iterdir())


def test_without_the_package_it_says_which(model):
    """onnx is an extra."""
    code = "import sys; sys.modules['onnx'] = None; from nnrun.cli import main; main()"
    command = [sys.executable, "-c", code, "export", "cars", "-o", "cars.onnx"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == run.returncode
    message = "error: an ONNX file needs the package onnx: pip install 'nnrun[onnx]'"
    assert [message] == run.stderr.splitlines()[1:]
