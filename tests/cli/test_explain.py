"""`nnrun explain`: in the terminal, as data and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnrun import load

SMALL = """\
description: two units
dataset: {name: iris, test_size: 30}
network:
  layers: [{type: dense, units: 2, activation: relu}, {type: dense, units: 3, activation: softmax}]
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20, clip_norm: 0.001}
"""


@pytest.fixture
def small():
    Path("small.yaml").write_text(SMALL)
    return "small.yaml"


def test_a_config_in_the_terminal(lab, small):
    """Four parts in order, with equations, numbers and how far gradients agree."""
    shown = lab("explain", small).out

    parts = [line.split(" ")[0] for line in shown.splitlines() if line.endswith("──")]
    assert ["Forward:", "Loss:", "Backward:", "Step:"] == parts
    assert "z = x w for x of (batch, inputs)" in shown
    assert "all entries compared; largest difference" in shown
    assert "at most 0.001000: g is multiplied by" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_run_is_shown_as_data(lab, small):
    """The same numbers as JSON, for a run by its name or its packed file."""
    lab("train", small)
    found = lab.json("explain", "small")

    assert found["moment"].startswith("the update after 20 iterations, on row ")
    assert ["matmul", "bias", "relu", "matmul", "bias"] == [x["type"] for x in found["layers"]]
    (weight,) = found["layers"][0]["parameters"]
    assert (4, 2) == (len(weight["value"]), len(weight["value"][0]))
    assert found["loss"]["head"] == "softmax"
    lab("pack", "small", "-o", "small.zip")
    assert found == lab.json("explain", "small.zip")


def test_the_weight_of_a_row_is_apart_from_its_target(lab, small):
    """It is one of the numbers that dL/dz comes from, and no class of its own."""
    weighted = [small, "training.class_weight={setosa: 2}", "--json"]
    loss = lab("explain", *weighted).json["loss"]
    (row,), (target,), (weight,) = loss["prediction"], loss["target"], loss["weight"]
    right = [weight * (p - t) for p, t in zip(row, target, strict=True)]
    assert right == pytest.approx(loss["gradient"][0])
    assert "are multiplied by w, the weight of the row." in loss["equation"]

    lab("explain", *weighted[:-1], "--html", "update.html")
    assert '"from":[{"array":"p",' in (page := Path("update.html").read_text())
    assert '{"array":"w","steps":[["is",0],["all"]]}' in page


def test_a_page(lab, small):
    """One file without addresses, and nothing on stdout."""
    done = lab("explain", small, "training.optimizer=adam", "--html", "update.html")
    page = Path("update.html").read_text()

    assert (0, "", "wrote update.html\n") == (done.code, done.out, done.err)
    assert "default-src &#39;none&#39;" in page
    assert "://" not in page


def test_features_are_named(lab, small):
    """Above the input, and beside the weights by which it is multiplied; on the page, too."""
    shown = lab("explain", small).out
    assert 2 == shown.count("columns: sepal length (cm), sepal width (cm), petal length (cm), ")
    assert 5 == len([line for line in shown.splitlines() if line.endswith("  petal width (cm)")])
    lab("explain", small, "--html", "update.html")
    assert 5 == Path("update.html").read_text().count('"rows":["sepal length (cm)",')


def test_the_sources_of_a_residual_layer_are_the_two_numbers_that_it_adds(lab):
    """Forward its input and f(x), backward dL/dy and the gradient through f; at the same place."""
    inner = "{type: residual, layers: [{type: dense, units: 4, activation: tanh}]}"
    nested = f"{{type: residual, layers: [{inner}]}}"
    config = SMALL.replace("layers: [", f"layers: [{nested}, ")
    Path("deep.yaml").write_text(config)
    lab("explain", "deep.yaml", "--html", "deep.html")
    text = Path("deep.html").read_text().partition('type="application/json" id="data">')[2]
    arrays = json.loads(text.partition("</script>")[0])
    for key in ("y0", "y1", "dx0", "dx1"):
        first, second = (arrays[source["array"]]["data"] for source in arrays[key]["from"])
        added = [a + b for a, b in zip(first, second, strict=True)]
        assert added == pytest.approx(arrays[key]["data"], rel=1e-5, abs=1e-6)
        assert [[["is", 0], ["is", 1]]] * 2 == [one["steps"] for one in arrays[key]["from"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.yaml", "--row", "1000"], "--row 1000: not a training row; training rows are"),
        (["small.yaml", "other.yaml"], "give one config or one run"),
        (["nothing"], "nothing"),
        (["small.yaml", "loss=huberr"], "did you mean 'huber'"),
        (["small.yaml", "--html", "no/folder.html"], "no/folder.html"),
    ],
)
def test_mistakes(lab, small, arguments, message):
    """Exit code 2, the mistake by its name, and nothing written."""
    assert message in lab.refused("explain", *arguments)
    assert ["small.yaml"] == [path.name for path in Path().iterdir()]


PLANE = """\
dataset: {name: moons, rows: 80}
network:
  layers: [{type: dense, units: 3, activation: tanh}, {type: dense, units: 2, activation: softmax}]
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 60, engine: numpy, watch: true}
"""


def test_surfaces_over_training(lab):
    """As data those of the trained network to six digits, for a config and for its run."""
    Path("plane.yaml").write_text(PLANE)
    lab("train", "plane.yaml")
    found = lab.json("explain", "plane.yaml")["surfaces"]
    again = lab.json("explain", "plane")["surfaces"]

    left, right, bottom, top = found["extent"]
    axes = np.linspace(left, right, found["side"]), np.linspace(bottom, top, found["side"])
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    expected = load(next(Path("results/plane").iterdir())).predict_proba(points).T
    last = found["frames"][-1]
    assert (60, ["x1", "x2"], ["outer", "inner"]) == (
        last["iteration"], found["features"], found["outputs"]
    )  # fmt: skip
    np.testing.assert_allclose(np.reshape(last["outputs"], (2, -1)), expected, rtol=1e-5)
    (layer,) = last["layers"]
    assert ("0", "dense, tanh", (3, 32, 32)) == (
        layer["layer"], layer["type"], np.shape(layer["units"])
    )  # fmt: skip
    assert found == again


def test_surfaces_in_the_terminal_and_on_the_page(lab, small):
    """Of two features alone; the page has pictures of the output, three units and their scale."""
    Path("plane.yaml").write_text(PLANE)
    lines = lab("explain", "plane.yaml").out.partition("Over training: the output")[2]
    assert "iteration 60" in lines
    assert max(map(len, lines.splitlines()[1:])) <= 80
    lab("explain", "plane.yaml", "--html", "plane.html")
    first = Path("plane.html").read_text()
    assert 1 + 3 + 1 == first.count('href="data:image/png;base64,')
    lab("explain", "plane.yaml", "--html", "plane.html")
    assert first == Path("plane.html").read_text()

    assert "Over training" not in lab("explain", small).out
    assert lab.json("explain", small)["surfaces"] is None
