"""The tape's emitters of layers, by the types of `nnrun.nn`."""

from __future__ import annotations

from nnrun.engines.formulas import POINTWISE
from nnrun.engines.tape.elementwise import (
    EMITTERS,
    Activation,
    BatchNorm,
    Bias,
    Dropout,
    Flatten,
    Softmax,
)
from nnrun.engines.tape.maps import AvgPool2d, Convolution, MaxPool2d
from nnrun.engines.tape.products import Embedding, MatMul, Residual, steps_of
from nnrun.nn.layer import Layer

__all__ = ["EMITTERS", "refusal", "steps_of"]

EMITTERS |= {
    "matmul": MatMul,
    "bias": Bias,
    "convolution": Convolution,
    "max_pool2d": MaxPool2d,
    "avg_pool2d": AvgPool2d,
    "flatten": Flatten,
    "dropout": Dropout,
    "embedding": Embedding,
    "batch_norm": BatchNorm,
    "residual": Residual,
    "softmax": Softmax,
    **dict.fromkeys(POINTWISE, Activation),
}


def refusal(layer: Layer) -> str | None:
    """Why there is no kernel for this layer, as the end of "the compiled engine …"."""
    emitter = EMITTERS.get(layer.type)
    return f"has no layer {layer.type}" if emitter is None else emitter.refuses(layer)
