"""What stands in the tables of nnrun.nn is compiled, as NumPy trains it; which engine is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.choice import (
    SHARED_BY,
    WORTH,
    choose,
    estimate,
    supports,
    too_large,
    way,
    why_not_compiled,
)
from nnrun.engines.formulas import LOSSES as LOSS_FORMULAS
from nnrun.engines.formulas import OPTIMIZERS as OPTIMIZER_FORMULAS
from nnrun.engines.formulas import LossFormula, OptimizerFormula, formula_name
from nnrun.engines.generated.cost import compiling_seconds, refuses_function
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.generated.passes import EMITTERS
from nnrun.engines.kernels import KERNELS, optimizer_kernel
from nnrun.engines.selection import EngineError, build_engine, select_engine
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
    BatchNorm,
    CrossEntropy,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    Pinball,
    Residual,
    RMSprop,
    Sequential,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.losses import FUSED, Loss
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepare import prepare
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
    """Every loss, by functions; by kernels random networks have all of them."""
    loss, last, batch_size = LOSSES_TRIED[name]
    agree(task(lambda: [dense(6, "tanh"), dense(3, last)], (5,), loss, batch_size=batch_size))


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


# `engine: auto`: the choice is the config's alone.


def choice(network: Network, batch_size: int, iterations: int) -> str:
    """The engine for plain SGD."""
    return choose(network, SGD(), batch_size=batch_size, iterations=iterations)


@pytest.mark.parametrize(
    ("engine", "iterations"),
    [("numpy", 100), ("compiled", 1_000), ("compiled", 10_000), ("compiled", 1_000_000)],
)
def test_long_runs_of_small_networks_are_compiled(engine: str, iterations: int) -> None:
    """A run must gain its part of the compiling."""
    network = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))
    assert engine == choice(network, 1, iterations)


def test_short_runs_are_compiled_where_that_takes_next_to_nothing() -> None:
    """Four inputs, three classes and 500 updates are worth the twentieth of a second."""
    network = Network([dense(3, "softmax")], CrossEntropy(), (4,))
    assert ["numpy", "compiled"] == [choice(network, 1, count) for count in (50, 500)]


def test_what_is_large_goes_to_the_tape() -> None:
    """Wide products and deep images in batches are for kernels, single rows and small networks for
    a function of their own.
    """
    wide = [dense(1024, "relu"), dense(1024, "relu"), dense(10, "softmax")]
    images = [conv2d(20, 5, activation="relu"), MaxPool2d(), Flatten(), dense(10, "softmax")]
    large = Network(wide, CrossEntropy(), (784,), "float32")
    pictures = Network(images, CrossEntropy(), (1, 28, 28), "float32")
    small = Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))
    assert ["tape", "tape"] == [way(network, SGD(), 64) for network in (large, pictures)]
    assert ["generated", "generated"] == [way(small, SGD(), size) for size in (1, 16)]
    assert "compiled" == choice(large, 64, 10**9)


def deep(layers: int, *more: Any) -> Network:
    """This many layers of 16 units, and these."""
    blocks = [dense(16, "relu") for _ in range(layers)]
    return Network([*blocks, *more, dense(3, "softmax")], CrossEntropy(), (13,))


# What was measured, in seconds, on the machine of the cost model's constants.
COMPILED_IN = [
    (0.1, Network([dense(13, "sigmoid"), dense(1)], MeanSquared(), (13,))),
    (0.87, deep(10)),
    (2.3, deep(20)),
    (
        0.9,
        Network(
            [
                *(layer for n in (32, 64) for layer in (conv2d(n, activation="relu"), MaxPool2d())),
                Flatten(),
                dense(128, "relu"),
                dense(10, "softmax"),
            ],
            CrossEntropy(),
            (1, 28, 28),
            "float32",
        ),
    ),
]


@pytest.mark.parametrize(("seconds", "network"), COMPILED_IN)
def test_what_compiling_costs_is_known(seconds: float, network: Network) -> None:
    """The estimate is that of a measurement to a factor of two."""
    assert seconds / 2 <= compiling_seconds(network) <= 2 * seconds


def test_compiling_has_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long to compile goes to the tape, which compiles nothing for it; where that lacks
    a layer, what takes minutes and gigabytes is NumPy's at any length, with the reason.
    """
    assert ["generated", "tape", "tape"] == [way(deep(n), SGD(), 1) for n in (10, 20, 300)]
    assert "compiled" == choice(deep(300), 1, 10**6)
    assert supports(deep(300), SGD()) is too_large(deep(300)) is None
    assert "tape" == way(deep(300, Dropout(0.5)), SGD(), 16)
    monkeypatch.delitem(TAPE_EMITTERS, "dropout")
    dropped = deep(300, Dropout(0.5))
    assert "numpy" == choice(dropped, 1, 10**9)
    reason = "compiling a network of this size would take about 258 seconds"
    assert reason == supports(dropped, SGD()) == too_large(dropped)
    assert f"{reason}, so NumPy trains it" == why_not_compiled(dropped)
    assert why_not_compiled(deep(100)) is None


@pytest.mark.parametrize("layers", [1, 4, 10])
def test_compiling_must_pay(layers: int) -> None:
    """Each run must gain its part of it, and a little more."""
    network = deep(layers)
    numpy, compiled = estimate(network, SGD(), 1)
    worth = WORTH + compiling_seconds(network) / SHARED_BY
    enough = int(worth / (numpy - compiled)) + 1
    assert ["numpy", "compiled"] == [choice(network, 1, count) for count in (enough - 1, enough)]


def test_normed_networks_go_to_the_tape() -> None:
    """Networks with batch normalisation or residuals are for kernels, also where runs are short."""
    shipped = prepare(load_config(Path(__file__).parents[2] / "configs" / "mnist_5k_cnn.yaml"))
    images, training = shipped.network, shipped.config.training
    assert "tape" == way(images, training.optimizer.build(), training.batch_size)
    assert "compiled" == shipped.engine
    vectors = [dense(16), BatchNorm(), activation("relu"), dense(3, "softmax")]
    normed = Network(vectors, CrossEntropy(), (13,))
    assert "the compiled engine has no layer batch_norm" == refuses_function(normed, SGD())
    assert "tape" == way(normed, SGD(), 16)
    assert "compiled" == choice(normed, 16, 1_000)
    residual = Network([Residual([dense(13, "relu")]), *vectors], CrossEntropy(), (13,))
    assert ["tape", "tape"] == [way(residual, SGD(), size) for size in (1, 16)]
    assert "compiled" == choice(residual, 16, 1_000)


def test_small_images_are_compiled() -> None:
    """Direct convolutions beat patches copied into matrices."""
    blocks: list[Any] = [
        conv2d(16, activation="relu"),
        MaxPool2d(),
        Flatten(),
        dense(10, "softmax"),
    ]
    network = Network(blocks, CrossEntropy(), (1, 28, 28), "float32")
    assert choice(network, 64, 1_000) == "compiled"


def test_what_cannot_be_compiled_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer without an emitter is trained by NumPy, and the reason is given."""
    known, network = (
        Network([dense(2), activation("tanh")], MeanSquared(), (3,)) for _ in range(2)
    )
    assert supports(known, SGD()) is None
    monkeypatch.setattr(network.active_layers[-1], "type", "odd_tanh")
    assert "odd_tanh" in str(supports(network, SGD()))
    assert choice(network, 1, 10**9) == "numpy"


def test_enormous_pooling_windows_are_for_kernels() -> None:
    """A window over a whole image would become pages of source."""
    network = Network([conv2d(2), MaxPool2d(20), Flatten(), dense(2)], MeanSquared(), (1, 30, 30))
    assert "pools at most" in str(refuses_function(network, SGD()))
    assert supports(network, SGD()) is None
    assert "tape" == way(network, SGD(), 1)


@pytest.mark.parametrize(("units", "batch_size", "threads"), [(128, 32, 1), (1024, 128, 3)])
def test_threads_share_updates_that_are_worth_it(units: int, batch_size: int, threads: int) -> None:
    """Small updates have one thread: to meet takes longer where other programs need the cores."""
    network = Network([dense(units, "relu"), dense(10, "softmax")], CrossEntropy(), (64,))
    network.initialize(rng=np.random.default_rng(0))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    x, target = np.zeros((256, 64)), np.eye(10)[np.zeros(256, int)]
    engine = build_engine(
        "compiled", network, optimizer, x, target, rng=np.random.default_rng(0), clip_norm=None,
        batch_size=batch_size, threads=3,
    )  # fmt: skip
    assert isinstance(engine, TapeEngine)
    assert threads == engine.threads
