"""Scripts in NumPy."""

from __future__ import annotations

from typing import Any

from nnrun.models.code.language import Language, LayerEmitter, residual
from nnrun.models.naming import Names
from nnrun.nn.activations.relu import LeakyReLU

_HELPERS = {
    "windows": '''
def windows(h, size, stride):
    """All windows: (rows, channels, height, width) to (rows, channels, oh, ow, *size)."""
    view = np.lib.stride_tricks.sliding_window_view(h, size, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]
''',
    "convolve": '''
def convolve(h, w, stride):
    """z[o, i, j] = sum over c, a, b of w[o, c, a, b] x[c, i s + a, j s + b]."""
    return np.einsum("ncijab,ocab->noij", windows(h, w.shape[2:], stride), w, optimize=True)
''',
    "softmax": '''
def softmax(h):
    """exp(h) / sum exp(h), by rows."""
    h = np.exp(h - h.max(axis=1, keepdims=True))
    return h / h.sum(axis=1, keepdims=True)
''',
    "gelu": '''
def gelu(h):
    """x times the normal distribution's share below x."""
    share = np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2, otypes=[float])(h)
    return (h * share).astype(h.dtype)
''',
    "normalize": '''
def normalize(h):
    """Every row divided by its Euclidean length; rows of zeros stay."""
    largest = np.abs(h.reshape(len(h), -1)).max(axis=1)
    h = h / np.where(largest > 0, largest, 1).reshape(-1, *[1] * (h.ndim - 1))
    length = np.sqrt((h.reshape(len(h), -1) ** 2).sum(axis=1))
    return h / np.where(length > 0, length, 1).reshape(-1, *[1] * (h.ndim - 1))
''',
}


def line(text: str) -> LayerEmitter:
    """The emitter of one line that is the same for all layers of a type."""
    return lambda names, layer: [text]


def matmul(names: Names, layer: Any) -> list[str]:
    """The same in both languages."""
    return [f'h = h @ W["{names[layer.w]}"]']


def bias(names: Names, layer: Any) -> list[str]:
    """The same in both languages."""
    pixels = "[:, None, None]" if len(layer.view) > len(layer.b.shape) else ""
    return [f'h = h + W["{names[layer.b]}"]{pixels}']


def batch_norm(root: str) -> LayerEmitter:
    """The running mean and variance, and what was learned, by the name of the square root."""

    def emitter(names: Names, layer: Any) -> list[str]:
        view = "[:, None, None]" if len(layer.view) > 2 else ""
        parts = (layer.gamma, layer.beta, *layer.statistics.values())
        gamma, beta, mean, variance = (f'W["{names[part]}"]{view}' for part in parts)
        return [
            f"h = h - {mean}",
            f"h = h / {root}({variance} + {layer.epsilon!r})",
            f"h = h * {gamma} + {beta}",
        ]

    return emitter


def affine(name: str, step: Any) -> list[str]:
    """The same in both languages."""
    return [f'h = (h - W["{name}.shift"]) / W["{name}.scale"]']


def _convolution(names: Names, layer: Any) -> list[str]:
    lines = []
    if layer.padded != layer.input_shape:
        _, rows, columns = layer.inside
        _, height, width = layer.padded
        sides = f"({rows.start}, {height - rows.stop}), ({columns.start}, {width - columns.stop})"
        lines.append(f"h = np.pad(h, ((0, 0), (0, 0), {sides}))")
    return [*lines, f'h = convolve(h, W["{names[layer.w]}"], {layer.stride})']


def _pooling(method: str) -> LayerEmitter:
    return lambda names, layer: [
        f"h = windows(h, {layer.size}, {layer.stride}).{method}(axis=(4, 5))"
    ]


NUMPY: Language = Language(
    imports=("import base64", "import math", "import sys", "", "import numpy as np"),
    helpers=_HELPERS,
    layers={
        "matmul": matmul,
        "bias": bias,
        "convolution": _convolution,
        "max_pool2d": _pooling("max"),
        "avg_pool2d": _pooling("mean"),
        "flatten": line("h = h.reshape(len(h), -1)"),
        "dropout": lambda names, layer: [],
        "batch_norm": batch_norm("np.sqrt"),
        "residual": lambda names, layer: residual(NUMPY, names, layer),
        "linear": lambda names, layer: [],
        "sigmoid": line("h = np.where(h < 0, np.exp(-abs(h)), 1) / (1 + np.exp(-abs(h)))"),
        "tanh": line("h = np.tanh(h)"),
        "relu": line("h = np.maximum(h, 0)"),
        "leaky_relu": line(f"h = np.where(h > 0, h, {LeakyReLU.slope} * h)"),
        "elu": line("h = np.where(h > 0, h, np.expm1(np.minimum(h, 0)))"),
        "softplus": line("h = np.logaddexp(h, 0)"),
        "gelu": line("h = gelu(h)"),
        "softmax": line("h = softmax(h)"),
    },
    steps={
        "l2": lambda name, step: ["h = normalize(h)"],
        "binarize": lambda name, step: [f"h = (h >= {step.threshold!r}) * 1.0"],
        "standard": affine,
        "minmax": affine,
    },
    array=('return np.frombuffer(content, f"<f{size}").reshape(shape)',),
    take='np.asarray(x, "f8")',
    cast="h.astype(np.{dtype})",
    reshape="h.reshape(len(h), {shape})",
    inverse='h.astype("f8") * W["target.scale"] + W["target.shift"]',
    argmax="h.argmax(axis=1)",
    above_half="(h[:, 0] > 0.5).astype(int)",
    two_columns="np.concatenate([1 - h, h], axis=1)",
    numbers="{h}",
)
