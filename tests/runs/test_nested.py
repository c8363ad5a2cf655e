"""Configs with layers in layers: their mistakes have places, their runs are runs like any other."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.engines.tape.layers import EMITTERS
from nnrun.errors import ConfigError
from nnrun.models.load import weights_views
from nnrun.nn.initializers import Initializer
from nnrun.runs.diagnosis import describe_divergence
from nnrun.runs.execution.descriptions import describe_network
from nnrun.sweeps.planning.estimate import estimate
from nnrun.training.stopping import Divergence

NESTED = """\
dataset: {name: iris}
network:
  initializer: he_normal
  layers:
    - {type: dense, units: 8, activation: tanh}
    - type: residual
      layers:
        - {type: dense, units: 6, activation: relu, initializer: zeros}
        - type: residual
          layers: [{type: dense, units: 4}, {type: dense, units: 6}]
        - {type: dense, units: 8}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10, batch_size: 4}
"""
FLAT = NESTED.replace(
    NESTED[NESTED.index("    - type: residual") : NESTED.index("    - {type: dense, units: 3")],
    """\
    - {type: dense, units: 6, activation: relu, initializer: zeros}
    - {type: dense, units: 4}
    - {type: dense, units: 6}
    - {type: dense, units: 8}
""",
)


def the_problem(prepared, text: str, *overrides: str):
    """The one thing that is wrong with a config."""
    with pytest.raises(ConfigError) as caught:
        prepared(text, *overrides)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message"),
    [
        ("units: 4", "units: -4", 10, "[1].layers[1].layers[0].units", "-4 is not a whole number"),
        ("units: 4", "unit: 4", 10, "[1].layers[1].layers[0].unit", "did you mean 'units'?"),
        ("relu", "rely", 8, "[1].layers[0].activation", "did you mean 'relu'?"),
        ("relu", "softmax", 8, "[1].layers[0].activation", "softmax belongs in the last layer"),
        ("units: 8}\n    - {", "units: 7}\n    - {", 6, "[1]", "the last of them have 8 units"),
        (
            "{type: dense, units: 4}",
            "{type: flaten}",
            10,
            "[1].layers[1].layers[0].type",
            "flatten",
        ),
        (
            "{type: dense, units: 4}",
            "{type: conv2d, channels: 1}",
            10,
            "[1].layers[1].layers[0]",
            "takes images",
        ),
        (
            "[{type: dense, units: 4}, {type: dense, units: 6}]",
            "[]",
            10,
            "[1].layers[1].layers",
            "the list is empty",
        ),
        (
            "[{type: dense, units: 4}, {type: dense, units: 6}]",
            "dense",
            10,
            "[1].layers[1].layers",
            "'dense' is not a list of layers",
        ),
    ],
)
def test_a_mistake_inside_is_located(prepared, old, new, line, path, message):
    """The message is at the line of the innermost thing that is wrong, under its own path."""
    assert NESTED.count(old) == 1
    problem = the_problem(prepared, NESTED.replace(old, new))

    assert message in problem.message
    assert (line, f"network.layers{path}") == (problem.place.line, problem.path)


def test_batch_norm_inside_needs_batches(prepared):
    """Single rows have no variance, however deep the layer stands."""
    text = NESTED.replace("{type: dense, units: 4}", "{type: batch_norm}")

    problem = the_problem(prepared, text, "training.batch_size=1")
    assert "network.layers[1].layers[1].layers[0]" == problem.path
    assert "batches of more than one row" in problem.message


def test_an_argument_reaches_layers_inside(prepared):
    """`network.layers.1.layers.1.layers.0.units=5` sets what it says."""
    network = prepared(NESTED, "network.layers.1.layers.1.layers.0.units=5").network
    assert (6, 5) == network.parameters["1.1.0.weight"].shape


@pytest.mark.parametrize(
    ("argument", "path", "message"),
    [
        ("network.layers.1.layers.1.layers.0.units=0", "[1].layers[1].layers[0].units", "0 is not"),
        ("network.layers.1.layers.2.units=9", "[1]", "the last of them have 8 units"),
        ("network.layers.1.layers.3.units=9", "[1].layers[3]", "its entries are 0 to 2"),
        ("network.layers.1.layers=[]", "[1].layers", "the list is empty"),
    ],
)
def test_a_mistaken_argument_is_blamed(prepared, argument, path, message):
    """What an argument sets inside is traced to it; one that follows, to the layer's line."""
    problem = the_problem(prepared, NESTED, argument)

    assert f"network.layers{path}" == problem.path
    assert message in problem.message
    assert (argument, None) == (problem.argument, problem.place) or problem.place.line == 6


def test_the_initializer_reaches_layers_inside(prepared):
    """The network's initializer is that of every layer, inside too, which names none itself."""
    config = prepared(NESTED).config
    found = {
        place[1:]: layer.initializer.build()
        for place, layer in config.network.named_layers()
        if layer.type == "dense"
    }

    he, zeros = Initializer("he_normal", 1.0), Initializer("zeros", 1.0)
    assert zeros == found.pop((1, "layers", 0))
    assert {he} == set(found.values())
    assert 5 == len(found)


def test_layers_inside_are_described(prepared):
    """The report holds the layers as the config does, with shapes, parameters and names."""
    ready = prepared(NESTED)
    described = describe_network(ready.config, ready.network)

    assert ["dense", "residual", "dense"] == [layer["type"] for layer in described["layers"]]
    residual = described["layers"][1]
    assert {"type": "residual", "activation": None, "output_shape": [8]}.items() <= residual.items()
    first, inner, last = residual["layers"]
    assert ("1.0", "relu", [6], 54) == tuple(
        first[key] for key in ("name", "activation", "output_shape", "parameters")
    )
    assert ("1.1", 6 * 4 + 4 + 4 * 6 + 6) == (inner["name"], inner["parameters"])
    assert ["1.1.0", "1.1.1"] == [layer["name"] for layer in inner["layers"]]
    assert 54 + inner["parameters"] + last["parameters"] == residual["parameters"]
    total = sum(layer["parameters"] for layer in described["layers"])
    assert described["parameters"] == ready.network.size == total
    assert "name" not in described["layers"][0]


def test_layers_inside_are_counted(prepared):
    """Memory, time and rows at once are at least those of the same layers without the residual."""
    nested, flat = (prepared(text, "training.engine=numpy") for text in (NESTED, FLAT))
    deep, plain = nested.network, flat.network

    assert plain.size == deep.size
    assert flat.memory.activations < nested.memory.activations
    assert flat.memory.parameters == nested.memory.parameters
    assert estimate(flat).seconds < estimate(nested).seconds


def test_weights_have_dotted_names(prepared):
    """Inside a residual `<index>.<index>.<parameter>`, as many as there are parameters."""
    network = prepared(NESTED).network
    network.initialize(rng=np.random.default_rng(0))

    views = weights_views(network)
    assert ["1.0.weight", "1.0.bias", "1.1.0.weight", "1.1.0.bias"] == list(views)[2:6]
    assert network.size == sum(array.size for array in views.values())


def test_divergence_names_the_layer_inside(prepared):
    """The sentence has the dotted index and the type of the layer that went wrong."""
    found = Divergence(7, "1.1.0.weight", 0.5, 3)
    sentence = describe_divergence(prepared(NESTED).config, found)
    assert "the weight of layer 1.1.0 (dense) left the range of numbers" in sentence
    found = Divergence(7, "1.1.0.weight", 0.5, 3, memory="square")
    sentence = describe_divergence(prepared(NESTED).config, found)
    assert "the optimizer's square for the weight of layer 1.1.0 (dense) left" in sentence


def test_engines_say_what_they_cannot(prepared, monkeypatch):
    """Kernels train what has residuals; for a layer without any the run is NumPy's, and a config
    that insists gets the reason.
    """
    long = prepared(NESTED, "training.iterations=10000")
    assert "compiled" == long.engine
    monkeypatch.delitem(EMITTERS, "residual")
    long = prepared(NESTED, "training.iterations=10001")
    assert "numpy" == long.engine
    problem = the_problem(prepared, NESTED, "training.engine=compiled")
    assert "the compiled engine has no layer residual; use engine auto or numpy" == problem.message
