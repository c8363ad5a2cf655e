"""Layers as lines of a script that compute h = f(h), in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.models.emitters import EXPORTED, Emitters, emitter_of, own_form
from nnrun.models.weights import Names
from nnrun.nn.layer import Layer
from nnrun.nn.sequential import Sequential

Emitter = Callable[[Names, Any], list[str]]
"""From a layer to its lines."""

SCRIPT = "a script"


def _both(emitter: Emitter) -> Emitters[Emitter]:
    """The same lines for both libraries."""
    return Emitters(emitter, emitter)


def _line(expression: str) -> Emitter:
    """The emitter of a layer without parameters or settings."""
    return lambda names, layer: [] if expression == "h" else [f"h = {expression}"]


def _matmul(names: Names, layer: Any) -> list[str]:
    return [f'h = h @ W["{names[layer.w]}"]']


def _bias(names: Names, layer: Any) -> list[str]:
    pixels = "[:, None, None]" if len(layer.view) > len(layer.b.shape) else ""
    return [f'h = h + W["{names[layer.b]}"]{pixels}']


def _batch_norm(root: str) -> Emitter:
    """Evaluation mode, with the library's square root."""

    def emitter(names: Names, layer: Any) -> list[str]:
        view = "[:, None, None]" if len(layer.view) > 2 else ""
        parts = (layer.gamma, layer.beta, *layer.buffers.values())
        gamma, beta, mean, variance = (f'W["{names[part]}"]{view}' for part in parts)
        return [
            f"scale = 1 / {root}({variance} + {layer.epsilon!r})",
            f"h = (h - {mean}) * scale",
            f"h = h * {gamma} + {beta}",
        ]

    return emitter


def _embedding(join: str, whole: str) -> Emitter:
    """Numbers of categories replaced by vectors, and the features around them."""

    def emitter(names: Names, layer: Any) -> list[str]:
        parts = {
            target.start: f"h[:, {source.start}:{source.stop}]" for source, target in layer.copies
        }
        for w, table, target in zip(layer.w, layer.tables, layer.vectors, strict=True):
            parts[target.start] = f'W["{names[w]}"][h[:, {table.place}]{whole}]'
        listed = [f"    {parts[start]}," for start in sorted(parts)]
        return [f"h = {join}([", *listed, "], 1)"]

    return emitter


def _padding(layer: Any) -> tuple[int, int, int, int]:
    """Rows of zeros above and below the image, and columns to its left and right."""
    _, rows, columns = layer.inside
    _, height, width = layer.padded
    return rows.start, height - rows.stop, columns.start, width - columns.stop


def _numpy_convolution(names: Names, layer: Any) -> list[str]:
    top, bottom, left, right = _padding(layer)
    sides = f"((0, 0), (0, 0), ({top}, {bottom}), ({left}, {right}))"
    pad = [f"h = np.pad(h, {sides})"] if layer.padded != layer.input_shape else []
    return [*pad, f'h = convolve(h, W["{names[layer.w]}"], {layer.stride})']


def _torch_convolution(names: Names, layer: Any) -> list[str]:
    top, bottom, left, right = _padding(layer)
    # In PyTorch's order: the last axis first.
    sides = f"({left}, {right}, {top}, {bottom})"
    pad = [f"h = F.pad(h, {sides})"] if layer.padded != layer.input_shape else []
    return [*pad, f'h = F.conv2d(h, W["{names[layer.w]}"], stride={layer.stride})']


def _pooling(method: str, function: str) -> Emitters[Emitter]:
    return Emitters(
        lambda names, layer: [
            f"h = windows(h, {layer.size}, {layer.stride}).{method}(axis=(4, 5))"
        ],
        lambda names, layer: [f"h = F.{function}(h, {layer.size}, {layer.stride})"],
    )


def _stack(names: Names, stack: Sequential, library: str) -> list[str]:
    """The lines of a sequence within a layer."""
    return [line for layer in stack.layers for line in layer_lines(names, layer, library)]


def layer_lines(names: Names, layer: Layer, library: str) -> list[str]:
    """The lines of a layer in a script for `numpy` or `pytorch`.

    Raises:
        UsageError: it cannot be written.
    """
    own = own_form(layer, library)
    if own is not None:
        return list(own(names))
    emitters = {name: getattr(each, library) for name, each in LAYERS.items()}
    written: list[str] = emitter_of(emitters, layer.type, SCRIPT)(names, layer)
    return written


def _variable(name: str, layer: Any) -> str:
    """A variable of a layer that holds layers, numbered, since layers inside may have one too."""
    inside = (inner for child in layer.children for _, inner in child.named_layers())
    return f"{name}{sum(bool(inner.children) for inner in inside)}"


def _residual(library: str) -> Emitter:
    """x, the layers' lines, and x added to their output."""

    def emitter(names: Names, layer: Any) -> list[str]:
        x = _variable("x", layer)
        return [f"{x} = h", *_stack(names, layer.inner, library), f"h = {x} + h"]

    return emitter


LAYERS: dict[str, Emitters[Emitter]] = {
    "matmul": _both(_matmul),
    "bias": _both(_bias),
    "convolution": Emitters(_numpy_convolution, _torch_convolution),
    "max_pool2d": _pooling("max", "max_pool2d"),
    "avg_pool2d": _pooling("mean", "avg_pool2d"),
    "flatten": Emitters(_line("h.reshape(len(h), -1)"), _line("h.flatten(1)")),
    "embedding": Emitters(
        _embedding("np.concatenate", ".astype(int)"), _embedding("torch.cat", ".long()")
    ),
    "dropout": _both(_line("h")),
    "batch_norm": Emitters(_batch_norm("np.sqrt"), _batch_norm("torch.sqrt")),
    "residual": Emitters(_residual("numpy"), _residual("pytorch")),
    **{
        name: Emitters(_line(forms.numpy), _line(forms.pytorch)) for name, forms in EXPORTED.items()
    },
}
