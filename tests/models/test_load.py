"""Files of models that are damaged, or made by somebody who means no good."""

from __future__ import annotations

import copy
import json
import struct

import numpy as np
import pytest

from nnrun.errors import NnrunError, UsageError
from nnrun.models.load import load_model as load
from nnrun.models.load import pack, unpack


@pytest.fixture
def model(trained, tmp_path):
    """The path of a good model with images, and a function that replaces what it holds."""
    path = tmp_path / "model.safetensors"
    path.write_bytes((trained("digits").folder / path.name).read_bytes())
    arrays, values = unpack(path)

    def write(change) -> None:
        changed = copy.deepcopy(arrays), copy.deepcopy(values)
        change(*changed)
        path.write_bytes(pack(*changed))

    return path, write


def put(*steps, value):
    """A change of the stored values at a path."""

    def change(arrays, values) -> None:
        for step in steps[:-1]:
            values = values[step]
        values[steps[-1]] = value

    return change


def drop(*steps):
    """A change that leaves out what is at a path."""

    def change(arrays, values) -> None:
        for step in steps[:-1]:
            values = values[step]
        del values[steps[-1]]

    return change


def weights(**replaced):
    """A change of weights; None takes one out."""

    def change(arrays, values) -> None:
        for name, array in replaced.items():
            arrays[name.replace("_", ".", 1)] = array
        for name in [name for name, array in arrays.items() if array is None]:
            del arrays[name]

    return change


LAYERS = ("network", "layers")
IMAGES = """
dataset: {name: digits}
network:
  layers:
    - {type: conv2d, channels: 2, kernel: 3}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
"""
TAMPERED = {
    "no network": drop("network"),
    "no preprocessing": drop("preprocessing"),
    "no layout": put("preprocessing", "layout", value=None),
    "no classes": put("preprocessing", "layout", "classes", value=[]),
    "a class too few": drop("preprocessing", "layout", "classes", 0),
    "a class twice": put("preprocessing", "layout", "classes", 0, value="1"),
    "a class that is a list": put("preprocessing", "layout", "classes", 0, value=[1]),
    "a class that is a number": put("preprocessing", "layout", "classes", 0, value=0),
    "a task of another world": put("preprocessing", "layout", "task", value="divination"),
    "a regression": put("preprocessing", "layout", "task", value="regression"),
    "rows of text": put("preprocessing", "layout", "shape", value=["1", "8", "8"]),
    "rows of another size": put("preprocessing", "layout", "shape", value=[1, 9, 8]),
    "negative sides": put("preprocessing", "layout", "shape", value=[1, -8, -8]),
    "huge rows": lambda arrays, values: (
        values["preprocessing"]["layout"].update(shape=[1, 10**8, 10**8]),
        values.update(input_shape=[1, 10**8, 10**8]),
    ),
    "columns that are a number": put("preprocessing", "layout", "columns", value=5),
    "an unknown step": put("preprocessing", "features", value=[{"step": "eval"}]),
    "a step with too much": put("preprocessing", "features", 0, "x", value=1),
    "a threshold of text": put("preprocessing", "features", 0, "threshold", value="high"),
    "a threshold that is none": put("preprocessing", "features", 0, "threshold", value=np.nan),
    "a scale of the wrong shape": put(
        "preprocessing", "features", value=[{"step": "standard", "shift": [0, 1], "scale": [1, 1]}]
    ),
    "an endless scale": put(
        "preprocessing", "features", value=[{"step": "standard", "shift": 0, "scale": np.inf}]
    ),
    "a scale of nothing": put(
        "preprocessing", "features", value=[{"step": "standard", "shift": None, "scale": None}]
    ),
    "a target's scale": put(
        "preprocessing", "target", value={"step": "standard", "shift": [0], "scale": [1]}
    ),
    "another dtype": put("dtype", value="float32"),
    "an unknown dtype": put("dtype", value="object"),
    "an unknown loss": put("loss", "type", value="hope"),
    "inputs of text": put("input_shape", value="188"),
    "inputs of no size": put("input_shape", value=[1, 0, 8]),
    "flat inputs": put("input_shape", value=[64]),
    "a layer too few": drop(*LAYERS, 5),
    "no layers": put(*LAYERS, value=[]),
    "an unknown layer": put(*LAYERS, 1, value={"type": "exec"}),
    "a layer with too much": put(*LAYERS, 1, "command", value="rm"),
    "endless units": put(*LAYERS, 5, "units", value=10**18),
    "more units": put(*LAYERS, 5, "units", value=11),
    "endless channels": put(*LAYERS, 0, "channels", value=2**62),
    "endless padding": put(*LAYERS, 0, "padding", value=10**12),
    "padding and strides": lambda arrays, values: values["network"]["layers"][0].update(
        padding=10**7, stride=[2 * 10**7, 2 * 10**7]
    ),
    "a kernel of nothing": put(*LAYERS, 0, "kernel", value=[0, 0]),
    "networks in networks": put("network", value=[[[[[[[]]]]]]]),
    "weights that are missing": weights(**{"0_weight": None}),
    "weights that are too many": weights(**{"9_weight": np.zeros(1)}),
    "weights of another shape": weights(**{"0_bias": np.zeros(2)}),
    "weights of another type": weights(**{"0_bias": np.zeros((2, 6, 6), np.int64)}),
    "weights that are no numbers": weights(**{"0_bias": np.full((2, 6, 6), np.nan)}),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_does_not_fit_together_is_refused(model, what):
    """With the file's name, in a line, without taking memory for what it claims."""
    path, write = model
    write(TAMPERED[what])
    with pytest.raises(NnrunError) as caught:
        load(path.parent)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 400


def test_memory_is_not_taken_for_what_a_file_claims(trained, tmp_path):
    """Weights that fit, and a frame of zeros around the image that would fill any machine."""
    folder = trained(IMAGES).folder
    arrays, values = unpack(folder / "model.safetensors")
    # (8 + 2 · 10⁷ - 3) // 4000001 + 1 = 6, as without any frame.
    values["network"]["layers"][0].update(padding=10**7, stride=[4_000_001, 4_000_001])
    path = tmp_path / "model.safetensors"
    path.write_bytes(pack(arrays, values))
    with pytest.raises(NnrunError, match=r"model\.safetensors: .*needs .* GB of memory"):
        load(path)


POOLED = """
dataset: {name: digits}
network:
  layers:
    - {type: max_pool2d, size: 8}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
"""


@pytest.mark.parametrize("side", [80, 8 * 10**6])
def test_rows_have_as_many_numbers_as_columns(trained, tmp_path, side):
    """Also where the network makes a single number of a row of any size; no row is made before."""
    arrays, values = unpack(trained(POOLED).folder / "model.safetensors")
    values["network"]["layers"][0].update(size=[side, side], stride=[side, side])
    values["input_shape"] = values["preprocessing"]["layout"]["shape"] = [1, side, side]
    path = tmp_path / "model.safetensors"
    path.write_bytes(pack(arrays, values))
    with pytest.raises(NnrunError, match="its columns do not make rows of the shape"):
        load(path)


def test_every_cut_is_an_error(model):
    """Wherever the file ends too early."""
    path, _ = model
    whole = path.read_bytes()
    for length in {*range(40), *range(40, len(whole), 97), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(NnrunError, match=r"model\.safetensors: "):
            load(path.parent)


def test_any_byte_may_be_wrong(model):
    """What then can be read still predicts, and what cannot is an error with the file's name."""
    path, _ = model
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    (header,) = struct.unpack("<Q", whole[:8])
    messages: list[str] = []
    for position in rng.integers(8 + header, size=300):
        damaged = bytearray(whole)
        damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            model = load(path.parent)
        except NnrunError as error:
            messages.append(str(error))
        else:
            assert (1,) == model.predict(np.zeros((1, 64))).shape
    assert 0 < len(messages) < 300
    assert all(message.startswith(f"{path}: ") for message in messages)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, b"\xff" * 100, struct.pack("<Q", 2) + b"{}", b"PK\x03\x04" + b"\0" * 100,
     struct.pack("<Q", 200_000) + b"[" * 200_000],
)  # fmt: skip
def test_other_files_are_no_models(model, content):
    """Whatever they hold."""
    path, _ = model
    path.write_bytes(content)
    with pytest.raises(NnrunError, match="damaged"):
        load(path.parent)


def test_values_nested_without_end_are_refused(model):
    """They would take a parser down that follows them."""
    path, _ = model
    text = json.dumps({"__metadata__": {"nnrun": "[" * 100_000}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(NnrunError, match="damaged"):
        load(path.parent)


def test_a_file_larger_than_the_memory_is_not_read(model, monkeypatch):
    """It is refused with both figures."""
    path, _ = model
    monkeypatch.setattr("nnrun.data.rows.available_memory", lambda: 1000)
    with pytest.raises(NnrunError, match=r"model\.safetensors needs .* of memory; .* are free"):
        load(path.parent)


def test_a_run_without_a_model_is_reported(tmp_path):
    """A folder that keeps none, and a folder that is not there."""
    with pytest.raises(UsageError, match="no trained model is kept there"):
        load(tmp_path)
    with pytest.raises(UsageError, match="there is no such run"):
        load(tmp_path / "none")
