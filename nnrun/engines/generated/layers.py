"""The emitters of layers, by the types of `nnrun.nn`.

Layers whose rows depend on each other (batch normalisation) have none: kernels train them.
"""

from __future__ import annotations

from collections.abc import Callable

from nnrun.engines.formulas import POINTWISE
from nnrun.engines.generated.elementwise import Activation, Bias, Dropout, Emitter, Flatten, Softmax
from nnrun.engines.generated.products import AvgPool2d, Convolution, MaxPool2d, matmul
from nnrun.nn.layer import Layer
from nnrun.tables import Extended

__all__ = ["EMITTERS", "Bias", "Emitter", "compiling", "refusal"]


def _of_plugin(name: str) -> type[Activation] | None:
    """An activation that is given by formulas."""
    return Activation if name in POINTWISE else None


EMITTERS: Extended[Callable[..., Emitter]] = Extended(
    {
        "matmul": matmul,
        "bias": Bias,
        "convolution": Convolution,
        "max_pool2d": MaxPool2d,
        "avg_pool2d": AvgPool2d,
        "flatten": Flatten,
        "dropout": Dropout,
        "softmax": Softmax,
        **dict.fromkeys(POINTWISE, Activation),
    },
    _of_plugin,
)


def refusal(layer: Layer) -> str | None:
    """Why this layer cannot be compiled, as the end of "the compiled engine …"; None if it can."""
    emitter = EMITTERS.get(layer.type)
    if emitter is None:
        return f"has no layer {layer.type}"
    return _class_of(emitter).refuses(layer)


def compiling(layer: Layer) -> float:
    """Seconds that compiling a layer takes, about, on the machine of `choice`'s constants."""
    return _class_of(EMITTERS[layer.type]).compiling(layer)


def _class_of(emitter: Callable[..., Emitter]) -> type[Emitter]:
    if isinstance(emitter, type) and issubclass(emitter, Emitter):
        return emitter
    return Emitter  # a function that picks one by the layer's shape
