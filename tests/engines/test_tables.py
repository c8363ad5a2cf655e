"""Whatever stands in the tables of nnrun.nn is compiled, and trains as the NumPy engine does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnrun.engines.choice import supports, way
from nnrun.engines.formulas import LOSSES as LOSS_FORMULAS
from nnrun.engines.formulas import OPTIMIZERS as OPTIMIZER_FORMULAS
from nnrun.engines.formulas import LossFormula, OptimizerFormula, formula_name
from nnrun.engines.generated.cost import refuses_function
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.generated.passes import EMITTERS
from nnrun.engines.kernels import KERNELS, optimizer_kernel
from nnrun.engines.selection import EngineError, select_engine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.engines.tape.layers import EMITTERS as TAPE_EMITTERS
from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    Pinball,
    RMSprop,
    Sequential,
    conv2d,
    dense,
)
from nnrun.nn.losses import FUSED, Loss
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from tests.nn.examples import NETWORKS

# Layers, activations and optimizers that the NumPy engine alone trains, by their types.
NUMPY_ONLY: set[str] = set()
WAYS = [
    (engine, name)
    for engine, known in ((CompiledEngine, EMITTERS), (TapeEngine, TAPE_EMITTERS))
    for name, networks in NETWORKS.items()
    if all(
        layer.type in {*known, "linear"} for make in networks for layer in Sequential(make()).layers
    )
]


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("name", [name for engine, name in WAYS if engine is CompiledEngine])
def test_layers(name: str, batch_size: int, task: Any, agree: Any) -> None:
    """Every layer that functions have, on single rows and on batches; of kernels random networks
    are made.
    """
    for blocks in NETWORKS[name]:
        agree(task(blocks, (2, 7, 6), MeanSquared(), batch_size=batch_size, iterations=300))


def test_layers_without_a_function_are_for_kernels() -> None:
    """Every layer is trained by a function or by kernels; batch norm and residuals by kernels."""
    assert set(LAYERS) - NUMPY_ONLY == {name for _, name in WAYS}
    assert {"batch_norm", "residual"} <= {name for _, name in WAYS} - {
        name for engine, name in WAYS if engine is CompiledEngine
    }
    for make in NETWORKS["residual"]:
        network = Network(make(), MeanSquared(), (2, 7, 6))
        assert "the compiled engine has no layer residual" == refuses_function(network, SGD())
        assert supports(network, SGD()) is None
        assert ["tape", "tape"] == [way(network, SGD(), size) for size in (1, 16)]


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in NUMPY_ONLY])
def test_activations(name: str, task: Any, agree: Any) -> None:
    """Every activation, on arrays and on variables of their own."""
    agree(
        task(
            lambda: [dense(19, name), dense(4, name), dense(3, name), dense(2)], (5,), MeanSquared()
        )
    )


# On an output that they fit, some with other settings than their defaults; and with the activation
# that they are computed together with.
LOSSES_TRIED: dict[str, tuple[Loss, str, int]] = {
    **{
        n: (loss(), "sigmoid" if "cross_entropy" in n else loss.needs or "linear", 3)
        for n, loss in LOSSES.items()
    },
    **{f"pinball of {share}": (Pinball(share), "linear", 3) for share in (0.9, 0.2)},
    **{f"{name} of {last}": (LOSSES[name](), last, 1) for last, name in FUSED},
}


@pytest.mark.parametrize("name", LOSSES_TRIED)
def test_losses(name: str, task: Any, agree: Any) -> None:
    """Every loss, by functions and by kernels."""
    loss, last, batch_size = LOSSES_TRIED[name]
    for kind in (CompiledEngine, TapeEngine):
        one = task(lambda: [dense(6, "tanh"), dense(3, last)], (5,), loss, batch_size=batch_size)
        agree(one, kind=kind)


class UnlistedLoss(Loss):
    """L = mean log cosh(y - t): a loss that is added by its formulas alone."""

    type = "unlisted_loss"

    def value(self, y: Array, target: Array) -> float:
        return float(np.mean(np.log(np.cosh(y - target))))

    def gradient(self, y: Array, target: Array) -> Array:
        return np.tanh(y - target) / y.size


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
def test_a_formula_is_all_that_a_new_loss_needs(
    kind: Any, task: Any, agree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generated functions and kernels compute a loss from the same entry of the table."""
    formula = LossFormula(
        value="(softplus(real(-2.0) * abs({error})) + abs({error}) - real(0.6931471805599453))",
        gradient="tanh({error}) * scale",
        over_outputs=True,
        functions=("softplus", "tanh"),
    )
    monkeypatch.setitem(LOSS_FORMULAS, UnlistedLoss.type, formula)
    one = task(lambda: [dense(6, "tanh"), dense(3)], (5,), UnlistedLoss(), batch_size=3)
    assert supports(one.network(), SGD()) is None
    agree(one, kind=kind)


def test_a_loss_without_a_formula_is_trained_by_numpy() -> None:
    """The reason is given, also if the compiled engine is requested."""
    network, reason = (
        Network([dense(3)], UnlistedLoss(), (5,)),
        "the compiled engine has no loss unlisted_loss",
    )
    assert reason == supports(network, SGD())
    wish = {"batch_size": 1, "iterations": 10**9}
    assert "numpy" == select_engine("auto", network, SGD(), **wish).name
    with pytest.raises(EngineError, match=reason):
        select_engine("compiled", network, SGD(), **wish)


OPTIMIZERS_TRIED: dict[str, list[Callable[[], Optimizer]]] = {
    "sgd": [
        SGD,
        lambda: SGD(momentum=0.9),
        lambda: SGD(momentum=0.8, nesterov=True, weight_decay=1e-3),
        lambda: SGD(weight_decay=1e-2),
    ],
    "adam": [
        Adam,
        lambda: Adam(0.8, 0.99, 1e-6, 1e-2),
        lambda: Adam(beta1=0.0),
        lambda: Adam(beta2=0.0),
    ],
    "adamw": [AdamW, lambda: AdamW(0.8, 0.99, 1e-6, 0.3), lambda: AdamW(weight_decay=0.0)],
    "rmsprop": [
        RMSprop,
        lambda: RMSprop(0.9, 1e-6, 0.8, 1e-2),
        lambda: RMSprop(momentum=0.5),
        lambda: RMSprop(beta=0.0),
    ],
}


def test_every_formula_is_tried() -> None:
    """Those of all variants of an optimizer are among the variants above."""
    variants = [one() for name in OPTIMIZERS_TRIED for one in OPTIMIZERS_TRIED[name]]
    assert {formula_name(one) for one in variants} == set(OPTIMIZER_FORMULAS)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in NUMPY_ONLY])
def test_optimizers(name: str, task: Any, agree: Any) -> None:
    """Every optimizer in all its variants, each also with clipping or on batches."""
    for index, optimizer in enumerate(OPTIMIZERS_TRIED[name]):
        agree(
            task(
                lambda: [dense(20, "tanh"), dense(3, "softmax")],
                (5,),
                optimizer=optimizer,
                clip_norm=0.5 if index % 2 else None,
                batch_size=1 + 3 * (index % 3),
            )
        )


class UnlistedOptimizer(Optimizer):
    """v ← 0.9 v + 0.1 g², θ ← θ - η g / (√v + ε), an optimizer that no table has."""

    type = "unlisted_optimizer"

    def allocate(self, theta: Array) -> None:
        super().allocate(theta)
        self.state = {"square": np.zeros_like(theta)}

    def step(self, theta: Array, g: Array, learning_rate: float) -> None:
        self.steps += 1
        square = self.state["square"]
        square *= 0.9
        square += 0.1 * g * g
        theta -= learning_rate * g / (np.sqrt(square) + 1e-4)


@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
def test_a_formula_is_all_that_a_new_optimizer_needs(
    kind: Any, task: Any, agree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generated functions and kernels make the steps from the same entry of the table."""
    formula = OptimizerFormula(
        update=(
            ("square", "{square} * {alpha} + {g} * {g} * {rest}"),
            ("theta", "{theta} - {rate} * ({g} / (sqrt({square}) + {epsilon}))"),
        ),
        state=("square",),
        settings={
            "alpha": lambda optimizer: 0.9,
            "rest": lambda optimizer: 0.1,
            "epsilon": lambda optimizer: 1e-4,
        },
    )
    monkeypatch.setitem(OPTIMIZER_FORMULAS, UnlistedOptimizer.type, formula)
    monkeypatch.setitem(KERNELS, UnlistedOptimizer.type, optimizer_kernel(formula))
    one = task(
        lambda: [dense(6, "tanh"), dense(3)], (5,), MeanSquared(), UnlistedOptimizer, batch_size=3
    )
    assert supports(one.network(), UnlistedOptimizer()) is None
    agree(one, kind=kind)


def test_an_optimizer_without_a_formula_is_trained_by_numpy() -> None:
    """The reason is given."""
    reason = "the compiled engine has no optimizer unlisted_optimizer"
    assert reason == supports(Network([dense(3)], MeanSquared(), (5,)), UnlistedOptimizer())


@pytest.mark.parametrize("batch_size", [1, 8])
def test_float32(batch_size: int, task: Any, agree: Any) -> None:
    """In single precision the engines agree to single precision."""
    for blocks, shape in (
        (lambda: [dense(30, "tanh"), Dropout(0.2), dense(3, "softmax")], (7,)),
        (
            lambda: [conv2d(8, activation="tanh"), MaxPool2d(), Flatten(), dense(3, "softmax")],
            (1, 8, 8),
        ),
    ):
        agree(
            task(blocks, shape, dtype="float32", batch_size=batch_size, iterations=100),
            tolerance=2e-5,
        )


def test_wide_softmax(task: Any, agree: Any) -> None:
    """Many classes are summed up in a loop, with whatever is left over."""
    agree(task(lambda: [dense(93, "softmax"), dense(77, "softmax")], (5,), batch_size=3, rate=0.1))


@pytest.mark.parametrize("batch_size", [3, 13])
def test_wide_layers_in_batches(batch_size: int, task: Any, agree: Any) -> None:
    """Layers that are wider than registers, of sizes that divide nothing; also after images."""
    for optimizer in (SGD, Adam):
        agree(
            task(
                lambda: [Flatten(), dense(70, "tanh"), dense(33, "tanh"), dense(3)],
                (2, 5, 5),
                MeanSquared(),
                optimizer,
                batch_size=batch_size,
                iterations=200,
            )
        )
