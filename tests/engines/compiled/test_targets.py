"""Machine code for other processors, run on this one: the bits are the same."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from nnrun.engines.compiled import CompiledEngine, cache, machine
from nnrun.engines.compiled.compiler import compile_source
from nnrun.engines.compiled.machine import Processor
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
    conv2d,
    dense,
)

# Vectors of 32 and of 64 bytes, from both makers; the last without a single one of them.
PROCESSORS = [
    Processor("haswell"),
    Processor("znver3"),
    Processor("skylake-avx512"),
    Processor("x86-64", "+fma,+avx"),
]


def runs(processor: Processor) -> bool:
    """Whether this machine can run what is compiled for another."""
    return processor.name != "skylake-avx512" or llvm.get_host_cpu_features().get("avx512f", False)


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
    "tiles": {
        "blocks": lambda: [dense(70, "tanh"), BatchNorm(), dense(33, "gelu"), dense(3, "sigmoid")],
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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TASKS)
def test_every_processor_has_the_same_bits(
    name: str, dtype: str, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights after training, whatever vectors and instructions the code was compiled for."""
    one = task(**{"iterations": 500, **TASKS[name], "dtype": dtype})
    found: dict[str, bytes] = {"this": one.train(CompiledEngine).network.theta.tobytes()}
    codes: set[bytes] = set()
    for processor in filter(runs, PROCESSORS):

        def function(source: str, dtype: str, wait: Any, target: Processor = processor) -> Any:
            code = compile_source(source, dtype, "train.py", target)
            codes.add(code)
            return machine.load(code)

        monkeypatch.setattr(cache, "function", function)
        found[str(processor)] = one.train(CompiledEngine).network.theta.tobytes()
    assert np.isfinite(np.frombuffer(found["this"], dtype)).all()
    assert len(codes) > 1
    assert dict.fromkeys(found, found["this"]) == found
