"""`nnrun export`: files that say what they are by their names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nnrun.models.load import load
from nnrun.runs.select import select_run


@pytest.fixture
def model(cars, nnrun):
    """A small regression, trained."""
    assert 0 == nnrun("train", cars).exit_code
    return load(select_run("cars", Path("results")))


X = np.array([[8, 307, 130, 3504, 12, 70, 1], [4, 113, 95, 2372, 15, 70, 3]], np.float32)


def test_onnx(model, nnrun):
    """Raw rows in, miles per gallon out."""
    result = nnrun("export", "cars", "-o", "cars.onnx")
    assert (0, "wrote cars.onnx\n") == (result.exit_code, result.stderr)
    session = onnxruntime.InferenceSession("cars.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(model.predict(X), session.run(None, {"x": X})[0], rtol=1e-5)


@pytest.mark.parametrize("arguments", [(), ("--code", "numpy"), ("--code", "pytorch")])
def test_code(model, nnrun, arguments):
    """A module to import, in NumPy unless told otherwise."""
    assert 0 == nnrun("export", "latest", "-o", "cars.py", *arguments).exit_code
    assert ("import torch" in Path("cars.py").read_text()) == ("pytorch" in arguments)
    names = {"__name__": "cars"}
    exec(Path("cars.py").read_text(), names)
    np.testing.assert_allclose(model.predict(X), names["predict"](X), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("cars", "-o", "cars.h5"), "-o cars.h5: .onnx and .py are what can be written"),
        (("cars", "-o", "cars.onnx", "--code", "numpy"), "--code is for scripts"),
        (("cars", "-o", "cars.py", "--code", "julia"), "'julia' is not one of 'numpy', 'pytorch'"),
        (("cars", "-o", "none/cars.py"), "-o none/cars.py: there is no folder none"),
        (("cras", "-o", "cars.py"), "no run in results is called 'cras'; did you mean 'cars'?"),
        (("cars",), "Missing option '-o' / '--output'"),
    ],
)
def test_mistakes_are_told(model, nnrun, arguments, expected):
    """With exit code 2 and nothing written."""
    result = nnrun("export", *arguments)
    assert 2 == result.exit_code
    assert expected in result.stderr
    assert {Path("cars.yaml"), Path("results")} == set(Path().iterdir())


def test_without_the_package_it_says_which(model):
    """onnx is an extra."""
    code = "import sys; sys.modules['onnx'] = None; from nnrun.cli import main; main()"
    command = [sys.executable, "-c", code, "export", "cars", "-o", "cars.onnx"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == run.returncode
    assert "error: an ONNX file needs the package onnx: pip install 'nnrun[onnx]'\n" == run.stderr
