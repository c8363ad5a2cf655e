"""Random, untrained networks with fitted preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.config.schema.columns import STEP_BLOCKS
from nnrun.data.layout import Columns, Layout
from nnrun.data.preprocessing import Preprocessing
from nnrun.data.steps import SCALERS, STEPS
from nnrun.models.model import Model
from nnrun.nn import LOSSES, MeanSquared, Network
from nnrun.nn.signature import Array, Shape
from tests.architectures.dealing import Deal, at_random
from tests.architectures.walks import draw
from tests.nn.examples import NETWORKS

SHAPE = (2, 7, 6)
# Values for the option of each step that has one.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "binarize": (0.1, 0, 5),
    "piecewise_linear": ({"bins": 2}, {"bins": 8}),
}
# Steps that keep the shape of rows, so that a network can be made before they are fitted.
KEEPING = [name for name in STEPS if name != "piecewise_linear"]


def model_of(
    network: Network, shape: Shape, features: list[Any], task: str, target: str = "none"
) -> Model:
    """A model of an initialized network; its preprocessing is fitted on random rows.

    Where steps add columns, the network is made again for as many.
    """
    outputs = network.output_shape[0]
    classes = tuple(str(3 * number) for number in range(max(2, outputs)))
    names = tuple(f"x{number}" for number in range(int(np.prod(shape))))
    layout = Layout(
        task=task,
        shape=shape,
        columns=Columns.numbers(names),
        classes=classes if task == "classification" else (),
        target_names=tuple(f"y{number}" for number in range(outputs)),
    )
    preprocessing = Preprocessing(features, target, layout)
    y = np.random.default_rng(5).normal(20, 7, (40, outputs))
    preprocessing.fit(rows_of(preprocessing, shape, 40, seed=4), y)
    if preprocessing.added:
        width = (len(names) + preprocessing.added,)
        network = Network(network.blocks, network.loss, width, network.dtype.name)
        network.initialize(rng=np.random.default_rng(0))
    unsettle(network)
    return Model(network, preprocessing, layout, "s1-0123456789")


def unsettle(network: Network) -> None:
    """Running means and variances as training would leave them, and biases that are not zero."""
    rng = np.random.default_rng(6)
    for name, array in network.buffers.items():
        array[...] = (
            rng.uniform(0.5, 2, array.shape) if "variance" in name else rng.normal(size=array.shape)
        )
    network.theta += (0.1 * rng.standard_normal(network.size)).astype(network.dtype)


def rows(model: Model, count: int, seed: int = 0) -> Array:
    """Raw rows that single precision holds exactly.

    Their features are of very different scale where the first step takes that away; else sums of
    large numbers would leave little of what single precision holds, in any program.
    """
    return rows_of(model.preprocessing, model.layout.shape, count, seed)


def rows_of(preprocessing: Preprocessing, shape: Shape, count: int, seed: int = 0) -> Array:
    """Likewise for the model with this preprocessing."""
    steps = preprocessing.steps
    scaled = bool(steps) and steps[0].name in SCALERS
    scale = np.random.default_rng(1).uniform(0.1, 100 if scaled else 1, shape)
    x = np.random.default_rng(seed).normal(scale, scale, (count, *shape))
    return x.astype(np.float32).astype(np.float64)


def table_model(name: str, index: int, dtype: str) -> Model:
    """A network that uses a layer of the table, in one of several ways."""
    network = Network(NETWORKS[name][index](), MeanSquared(), SHAPE, dtype)
    network.initialize(rng=np.random.default_rng(0))
    return model_of(network, SHAPE, ["standard"], "regression", "standard")


def random_model(seed: int, dtype: str) -> Model:
    """A random architecture, with random steps before it and a random meaning after."""
    deal = at_random(seed)
    plan = draw(deal, images=deal("images", (True, False)), batch_norm=True, dropout=True)
    network = plan.build(seed, dtype)
    steps = [step_of(name, deal) for name in KEEPING]
    features = [deal("step", steps) for _ in range(deal("steps", (0, 1, 2)))]
    kind = deal("kind", ("regression", "classification"))
    target = deal("target", ("none", "standard", "minmax")) if kind == "regression" else "none"
    assert plan.loss in LOSSES
    return model_of(network, plan.input_shape, features, kind, target)


def step_of(name: str, deal: Deal | None = None) -> Any:
    """A step as a config has it, with one of the values of its option, the first unless dealt."""
    if name not in STEP_BLOCKS:
        return name
    options = OPTIONS[name]
    return option_step(name, options[0] if deal is None else deal(f"option of {name}", options))


def option_step(name: str, value: Any) -> Any:
    """A step with this value of its option."""
    return STEP_BLOCKS[name].model_validate({name: value})
