"""Compiled code is made once, before the runs that need it are submitted."""

from __future__ import annotations

from pathlib import Path

from nnrun.engines.compiled.generated import engine
from nnrun.sweeps import choose
from nnrun.sweeps.planning.datasets import Datasets
from nnrun.sweeps.planning.grid import Arguments
from nnrun.sweeps.planning.validate import make_plan

CONFIG = """
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 5, engine: compiled}
"""


def test_each_network_of_a_plan_is_compiled_once(tmp_path, monkeypatch):
    """A grid over learning rates needs one function, one over widths a function for each."""
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    made = []
    monkeypatch.setattr(engine, "compile_ahead", lambda network, *_, **__: made.append(network))
    datasets = Datasets()

    for words, expected in (
        (["training.learning_rate=0.1,0.2,0.3", "seed=1,2"], 1),
        (["network.sizes=[4,3],[5,3]", "network.activations=[tanh,softmax]"], 2),
        (["training.engine=numpy"], 0),
    ):
        made.clear()
        plan = make_plan({str(path): Path(path)}, Arguments.parse(words, None, None), datasets)
        choose.compile_plan(plan, datasets)
        assert expected == len(made)
