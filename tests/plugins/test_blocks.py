"""Functions of plugins that return the layers of a block."""

from __future__ import annotations

from pathlib import Path

import pytest

import nnrun

PAIR = """
@register("layer", "pair")
def pair():
    return dense(4, "tanh"), [dense(3, "relu")]
"""
CONFIG = """
dataset: {name: iris, features: standard}
network: {layers: [{type: pair}, {type: dense, units: 3, activation: softmax}]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20, watch: true}
"""
APART = "{type: dense, units: 4, activation: tanh}, {type: dense, units: 3, activation: relu}"
LONG = CONFIG.replace("{type: pair}", APART)


def test_a_block_of_several_layers_is_trained_as_a_whole(folder, write) -> None:
    """With the weights of the same layers written one by one, each under a name of its own."""
    write(PAIR)
    Path("pair.yaml").write_text(CONFIG)
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
        text = CONFIG.replace("{type: pair}", inner if held else layers)
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
    Path("pair.yaml").write_text(CONFIG)
    done = lab("train", "pair.yaml", "--plugin", "mine.py")
    words = f"mine.py:5: pair returns {says}"
    assert (2, True) == (done.code, words in done.err), done.said
    done = lab("check", "mine.py")
    assert (3, True) == (done.code, f"shapes: {words.partition(': ')[2]}" in done.err)
