"""The code of the first runs is made once, before they are submitted."""

from __future__ import annotations

from pathlib import Path

from nnrun.engines.generated import engine
from nnrun.sweeps import sweep as choose
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets

CONFIG = """
dataset: {name: iris}
network: {sizes: [3], activations: [softmax]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 5, engine: compiled}
"""


def test_networks_of_the_first_runs_are_compiled_once(tmp_path, monkeypatch):
    """A grid over learning rates needs one function, one over widths a function for each.

    No more of them than there are workers, so that a grid of any size begins to train at once.
    """
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    made = []
    monkeypatch.setattr(engine, "compile_ahead", lambda network, *_, **__: made.append(network))
    datasets = Datasets()

    widths = ["network.sizes=[4,3],[5,3],[6,3]", "network.activations=[tanh,softmax]"]
    for words, workers, expected in (
        (["training.learning_rate=0.1,0.2,0.3", "seed=1,2"], 2, 1),
        (widths, 4, 3),
        (widths, 2, 2),
        (["training.engine=numpy"], 2, 0),
    ):
        made.clear()
        plan = make_plan({str(path): Path(path)}, Arguments.parse(words, None, None), datasets)
        choose.compile_first(plan, datasets, workers)
        assert expected == len(made)
