"""The tape's emitters of layers, by the types of `nnrun.nn`."""

from __future__ import annotations

from nnrun.engines.compiled.formulas.activations import POINTWISE
from nnrun.engines.compiled.tape.layers.activation import Activation, Softmax
from nnrun.engines.compiled.tape.layers.base import EMITTERS
from nnrun.engines.compiled.tape.layers.batch_norm import BatchNorm
from nnrun.engines.compiled.tape.layers.bias import Bias
from nnrun.engines.compiled.tape.layers.convolution import Convolution
from nnrun.engines.compiled.tape.layers.dropout import Dropout
from nnrun.engines.compiled.tape.layers.embedding import Embedding
from nnrun.engines.compiled.tape.layers.flatten import Flatten
from nnrun.engines.compiled.tape.layers.matmul import MatMul
from nnrun.engines.compiled.tape.layers.pooling import AvgPool2d, MaxPool2d
from nnrun.engines.compiled.tape.layers.residual import Residual
from nnrun.nn.layer import Layer

__all__ = ["EMITTERS", "refusal"]

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
