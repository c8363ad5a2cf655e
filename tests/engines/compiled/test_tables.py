"""Whatever stands in the tables of nnrun.nn is compiled, and trains as the NumPy engine does."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.engines.compiled import CompiledEngine, supports, way
from nnrun.engines.compiled.formulas.losses import LOSSES as LOSS_EMITTERS
from nnrun.engines.compiled.generated.cost import refuses_function
from nnrun.engines.compiled.generated.layers import EMITTERS
from nnrun.engines.compiled.generated.optimizers import OPTIMIZERS as OPTIMIZER_EMITTERS
from nnrun.engines.compiled.tape.engine import TapeEngine
from nnrun.engines.compiled.tape.layers import EMITTERS as TAPE_EMITTERS
from nnrun.nn import (
    ACTIVATIONS,
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    SGD,
    Adam,
    BatchNorm,
    Dropout,
    Flatten,
    MaxPool2d,
    MeanSquared,
    Network,
    Sequential,
    activation,
    conv2d,
    dense,
)
from nnrun.nn.losses import FUSED
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


def test_every_entry_has_an_emitter() -> None:
    """A layer, activation, loss or optimizer that is added must be added here too."""
    assert set(LAYERS) == set(NETWORKS)
    built = [layer for block in NETWORKS.values() for make in block for layer in make()]
    types = {
        each.type for entry in built for each in (entry if isinstance(entry, list) else [entry])
    }
    assert (types | set(ACTIVATIONS)) - {"linear", *NUMPY_ONLY} <= {*EMITTERS, *TAPE_EMITTERS}
    assert {cls.type for cls in LOSSES.values()} | {cls.type for cls in FUSED.values()} == set(
        LOSS_EMITTERS
    )
    assert set(OPTIMIZERS) - NUMPY_ONLY == set(OPTIMIZER_EMITTERS)


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(("engine", "name"), WAYS)
def test_layers(engine: Any, name: str, batch_size: int, task: Any, agree: Any) -> None:
    """Every layer, on single rows and on batches, by a function and by kernels."""
    for blocks in NETWORKS[name]:
        one = task(blocks, (2, 7, 6), MeanSquared(), batch_size=batch_size, iterations=300)
        agree(one, kind=engine)


def test_layers_without_a_function_are_for_kernels() -> None:
    """Every layer is trained in one of the ways at least; residuals by kernels alone."""
    assert set(LAYERS) - NUMPY_ONLY == {name for _, name in WAYS}
    assert {"residual"} == {name for _, name in WAYS} - {
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


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str, task: Any, agree: Any) -> None:
    """Every loss, on an output that it fits, in a batch."""
    last = "sigmoid" if "cross_entropy" in name else "linear"
    agree(
        task(
            lambda: [dense(6, "tanh"), dense(3, last)],
            (5,),
            LOSSES[name](),
            batch_size=3,
        )
    )


@pytest.mark.parametrize(("last", "name"), FUSED)
def test_fused_losses(last: str, name: str, task: Any, agree: Any) -> None:
    """The losses that are computed together with the last activation."""
    agree(task(lambda: [dense(6, "tanh"), dense(3, last)], (5,), LOSSES[name]()))


OPTIMIZERS_TRIED = {
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
}


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


@pytest.mark.parametrize("batch_size", [1, 8])
def test_float32(batch_size: int, task: Any, agree: Any) -> None:
    """In single precision the engines agree to single precision."""
    for blocks, shape in (
        (lambda: [dense(30, "tanh"), Dropout(0.2), dense(3, "softmax")], (7,)),
        (
            lambda: [conv2d(8, activation="tanh"), MaxPool2d(), Flatten(), dense(3, "softmax")],
            (1, 8, 8),
        ),
        (lambda: [conv2d(4), BatchNorm(), activation("tanh"), Flatten(), dense(3)], (1, 9, 9)),
    ):
        agree(
            task(blocks, shape, dtype="float32", batch_size=batch_size, iterations=100),
            tolerance=2e-5,
        )


def test_wide_softmax(task: Any, agree: Any) -> None:
    """Many classes are summed up in a loop, with whatever is left over."""
    agree(task(lambda: [dense(93, "softmax"), dense(77, "softmax")], (5,), batch_size=3, rate=0.1))


@pytest.mark.parametrize("batch_size", [3, 13])
def test_tiles(batch_size: int, task: Any, agree: Any) -> None:
    """Wide layers in batches, of which no size divides the tiles; also after images."""
    for optimizer in (SGD, Adam):
        agree(
            task(
                lambda: [Flatten(), dense(70, "tanh"), BatchNorm(), dense(33, "tanh"), dense(3)],
                (2, 5, 5),
                MeanSquared(),
                optimizer,
                batch_size=batch_size,
                iterations=200,
            )
        )
