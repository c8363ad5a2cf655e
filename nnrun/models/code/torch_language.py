"""Scripts in PyTorch."""

from __future__ import annotations

from typing import Any

from nnrun.models.code.language import Language, LayerEmitter, residual
from nnrun.models.code.numpy_language import affine, batch_norm, bias, line, matmul
from nnrun.models.naming import Names
from nnrun.nn.activations.relu import LeakyReLU

_HELPERS = {
    "normalize": '''
def normalize(h):
    """Every row divided by its Euclidean length; rows of zeros stay."""
    rows = h.flatten(1)
    largest = rows.abs().amax(1, keepdim=True)
    rows = rows / torch.where(largest > 0, largest, 1)
    length = rows.square().sum(1, keepdim=True).sqrt()
    return (rows / torch.where(length > 0, length, 1)).reshape(h.shape)
''',
}


def _convolution(names: Names, layer: Any) -> list[str]:
    lines = []
    if layer.padded != layer.input_shape:
        _, rows, columns = layer.inside
        _, height, width = layer.padded
        # From the last side to the first, as PyTorch has it.
        sides = (columns.start, width - columns.stop, rows.start, height - rows.stop)
        lines.append(f"h = F.pad(h, {sides})")
    return [*lines, f'h = F.conv2d(h, W["{names[layer.w]}"], stride={layer.stride})']


def _pooling(function: str) -> LayerEmitter:
    return lambda names, layer: [f"h = F.{function}(h, {layer.size}, {layer.stride})"]


TORCH: Language = Language(
    imports=(
        "import base64", "import sys", "", "import numpy as np", "import torch",
        "import torch.nn.functional as F",
    ),
    helpers=_HELPERS,
    layers={
        "matmul": matmul,
        "bias": bias,
        "convolution": _convolution,
        "max_pool2d": _pooling("max_pool2d"),
        "avg_pool2d": _pooling("avg_pool2d"),
        "flatten": line("h = h.flatten(1)"),
        "dropout": lambda names, layer: [],
        "batch_norm": batch_norm("torch.sqrt"),
        "residual": lambda names, layer: residual(TORCH, names, layer),
        "linear": lambda names, layer: [],
        "sigmoid": line("h = torch.sigmoid(h)"),
        "tanh": line("h = torch.tanh(h)"),
        "relu": line("h = F.relu(h)"),
        "leaky_relu": line(f"h = F.leaky_relu(h, {LeakyReLU.slope})"),
        "elu": line("h = F.elu(h)"),
        "softplus": line("h = torch.logaddexp(h, torch.zeros_like(h))"),
        "gelu": line("h = F.gelu(h)"),
        "softmax": line("h = torch.softmax(h, 1)"),
    },
    steps={
        "l2": lambda name, step: ["h = normalize(h)"],
        "binarize": lambda name, step: [f"h = (h >= {step.threshold!r}).double()"],
        "standard": affine,
        "minmax": affine,
    },
    array=(
        "dtype = {4: torch.float32, 8: torch.float64}[size]",
        "return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)",
    ),
    take='torch.as_tensor(x, dtype=torch.float64)',
    cast="h.to(torch.{dtype})",
    reshape="h.reshape(len(h), {shape})",
    inverse='h.double() * W["target.scale"] + W["target.shift"]',
    argmax="h.argmax(1)",
    above_half="(h[:, 0] > 0.5).long()",
    two_columns="torch.cat([1 - h, h], 1)",
    numbers="{h}.numpy()",
)  # fmt: skip
