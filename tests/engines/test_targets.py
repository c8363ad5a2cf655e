"""Machine code for other processors, run on this one: the bits are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import cache, machine
from nnrun.compiler.machine import Processor
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.kernels import load
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import (
    ACTIVATIONS,
    SGD,
    Adam,
    AvgPool2d,
    BatchNorm,
    BinaryCrossEntropy,
    Dropout,
    Flatten,
    Huber,
    MaxPool2d,
    MeanSquared,
    Residual,
    activation,
    conv2d,
    dense,
)
from nnrun.systems.process import cache_folder
from tests.compiler.objects import compiled_for
from tests.engines.conftest import numbers

# Vectors of 32 bytes, of both makers, and of 16 bytes, without fused products: calls instead. Those
# of 64 bytes only a machine that has them can run, and there they are this machine's own.
PROCESSORS = {
    "float64": [Processor("haswell"), Processor("x86-64-v2")],
    "float32": [Processor("znver3"), Processor("x86-64-v2")],
}
REGISTERS = {"haswell": 32, "znver3": 32, "x86-64-v2": 16}

TASKS: dict[str, dict[str, Any]] = {
    "activations": {
        "blocks": lambda: [*(dense(19, name) for name in ACTIVATIONS), dense(3)],
        "input_shape": (5,), "loss": MeanSquared(),
    },
    "few weights": {"blocks": lambda: [dense(3, "softmax")], "input_shape": (4,)},
    "wide": {
        "blocks": lambda: [dense(89, "tanh"), dense(10, "softmax")], "input_shape": (64,),
        "iterations": 300,
    },
    "batches": {
        "blocks": lambda: [dense(70, "tanh"), dense(33, "gelu"), dense(3, "sigmoid")],
        "input_shape": (50,), "loss": BinaryCrossEntropy(), "optimizer": Adam, "batch_size": 13,
        "clip_norm": 0.5, "iterations": 200,
    },
    "images": {
        "blocks": lambda: [
            conv2d(5, 3, bias="per_position", activation="tanh"), MaxPool2d(2, 1),
            conv2d(9, 3, padding="same", activation="elu"), AvgPool2d(2), Dropout(0.3),
            Flatten(), dense(3),
        ],
        "input_shape": (2, 9, 8), "loss": Huber(), "batch_size": 4, "iterations": 100,
        "optimizer": lambda: SGD(0.9, nesterov=True, weight_decay=1e-3),
    },
}  # fmt: skip


# Each task in both types and with vectors of both sizes, each size in either type.
FUNCTIONS = [
    (name, dtype, PROCESSORS[dtype][(place + turn) % 2])
    for place, name in enumerate(TASKS)
    for turn, dtype in enumerate(PROCESSORS)
]


@pytest.mark.parametrize(("name", "dtype", "processor"), FUNCTIONS, ids=str)
def test_every_processor_has_the_same_bits(
    name: str, dtype: str, processor: Processor, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights after training, whatever vectors and instructions the code was compiled for."""
    one = task(**{"iterations": 500, **TASKS[name], "dtype": dtype})
    here = one.train(CompiledEngine).network.theta
    sources: list[str] = []

    def function(source: str, dtype: str, wait: Any) -> Any:
        sources.append(source)
        return machine.load(compiled_for(processor, source, dtype))

    monkeypatch.setattr(cache, "function", function)
    there = one.train(CompiledEngine).network.theta
    assert sources
    assert np.isfinite(here).all()
    assert here.tobytes() == there.tobytes()


def test_processors_have_code_of_their_own(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of another size are other instructions."""
    codes: list[bytes] = []

    def function(source: str, dtype: str, wait: Any) -> Any:
        codes.extend(compiled_for(one, source, dtype) for one in PROCESSORS[dtype])
        return machine.load(codes[0])

    monkeypatch.setattr(cache, "function", function)
    task(**TASKS["few weights"], iterations=2).train(CompiledEngine)
    assert 2 == len(set(codes))


def folder_of(target: Processor) -> Path:
    """A cache for another processor's kernels, whose digests name this one; later runs find it."""
    return cache_folder() / "targets" / target.name


def build_for(target: Processor, patch: pytest.MonkeyPatch) -> None:
    """Have kernels made for another processor from now on, in a cache of their own."""
    folder = folder_of(target)
    patch.setattr(machine, "processor", lambda: target)
    patch.setattr(machine, "register", lambda: REGISTERS[target.name])
    patch.setattr(load, "_addresses", {})
    patch.setenv("NNRUN_CACHE", str(folder))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_have_the_same_bits_on_every_processor(
    dtype: str, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where products and convolutions are cut into other tiles, and over sums of batches."""
    one = task(
        lambda: [
            conv2d(16, 5, bias="none"), BatchNorm(), activation("tanh"), AvgPool2d(2),
            Residual([conv2d(16, 3, padding="same"), BatchNorm(), activation("relu")]),
            conv2d(18, 3, padding="same", activation="gelu"), MaxPool2d(2), Dropout(0.3),
            Flatten(), dense(70, "tanh"), BatchNorm(), dense(3, "softmax"),
        ],
        (3, 16, 15), optimizer=Adam, dtype=dtype, batch_size=13, iterations=20, rate=0.002,
        clip_norm=0.5,
    )  # fmt: skip
    found = {"this": one.train(TapeEngine)}
    for target in PROCESSORS[dtype]:
        with monkeypatch.context() as patch:
            build_for(target, patch)
            found[str(target)] = one.train(TapeEngine)
    thetas = {
        name: b"".join(array.tobytes() for array in numbers(engine).values())
        for name, engine in found.items()
    }
    assert np.isfinite(found["this"].network.theta).all()
    assert dict.fromkeys(thetas, thetas["this"]) == thetas
    folders = map(folder_of, PROCESSORS[dtype])
    objects = [{*map(Path.read_bytes, folder.rglob("*.o"))} for folder in folders]
    # Code of integers alone may be the same.
    assert all(len(set.intersection(*objects)) < len(each) / 10 for each in objects)
