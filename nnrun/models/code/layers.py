"""Layers, steps and columns as lines of a script that compute h = f(h), in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import getsource
from pprint import pformat
from typing import Any

from nnrun.data.columns.categories import Embedding, OneHot, TargetMean
from nnrun.data.layout import Columns
from nnrun.data.steps import LEAST, MOST, NEAR, normal_scores, sums_of_squares
from nnrun.models.calibration import by_line, logarithms, monotone, normalized
from nnrun.models.emitters import (
    EXPORTED,
    Emitters,
    emitter_of,
    is_scaler,
    own_form,
    own_form_of_step,
)
from nnrun.models.load import Names
from nnrun.nn import special
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


# What a model does with encoded features of columns before its preprocessing, as script lines.

ColumnEmitter = Callable[[Any, range], list[str]]
"""From a column and its places in h to lines, which are the same in every library."""

# Helpers of scripts in either library.
CATEGORIES = {
    "check_category": '''
def check_category(h, first, end, column):
    """Refuse rows with 0 in all one-hot columns of a column that none was missing from."""
    if not (h[:, first:end] != 0).any(1).all():
        raise ValueError(f"a row has 0 in all one-hot columns of {column!r}")
''',
    "check_number": '''
def check_number(h, place, entries, column):
    """Refuse rows whose number in a column is not one of a category."""
    if not ((h[:, place] >= 0) & (h[:, place] < entries) & (h[:, place] % 1 == 0)).all():
        raise ValueError(f"a row has no number of a category of {column!r}")
''',
    "fill_category": '''
def fill_category(h, first, end, missing):
    """Rows with 0 in all one-hot columns of a column get the one that stands for that."""
    h = 1 * h
    h[~(h[:, first:end] != 0).any(1), missing] = 1
    return h
''',
}


def lines(columns: Columns) -> Iterator[str]:
    """The checks and changes of each column."""
    if not columns.plain:
        for column in columns:
            emitter = emitter_of(EMITTERS, column.kind, SCRIPT)
            yield from emitter(column, columns.places[column.name])


def notes(columns: Columns) -> Iterator[str]:
    """What numbers in raw rows have to do with categories, a sentence for each such column."""
    for column in columns:
        if isinstance(column, Embedding):
            numbers = f"the place of a category in CATEGORIES[{column.name!r}]"
            yield f"{column.name} is {numbers}, {column.entries - 1} for all others."
        elif isinstance(column, TargetMean):
            means = f"MEANS[{column.name!r}]: of each of its CATEGORIES, then of all others"
            yield f"Means of the target for {column.name} are {means}."


def _one_hot(column: OneHot, places: range) -> list[str]:
    extent = f"{places.start}, {places.stop}"
    if column.refuses:
        return [f"check_category(h, {extent}, {column.name!r})"]
    if column.absent is None:
        return []
    return [f"h = fill_category(h, {extent}, {places[column.absent]})"]


def _embedding_column(column: Embedding, places: range) -> list[str]:
    return [f"check_number(h, {places.start}, {column.entries}, {column.name!r})"]


def _nothing(column: Any, places: range) -> list[str]:
    return []


EMITTERS: dict[str, ColumnEmitter] = {
    "number": _nothing,
    "date": _nothing,
    "lag": _nothing,
    "one_hot": _one_hot,
    "embedding": _embedding_column,
    "target_mean": _nothing,
}


# Steps of preprocessing as lines of a script, in NumPy and in PyTorch.

StepEmitter = Callable[[str, Any], list[str]]
"""From the prefix of a step's arrays, and the step, to its lines."""


def step_lines(
    name: str, step: Any, emitters: Mapping[str, StepEmitter], library: str
) -> list[str]:
    """The lines of a step in a script for `numpy` or `pytorch`.

    Raises:
        UsageError: it cannot be written.
    """
    own = own_form_of_step(step, library)
    if own is not None:
        return list(own(name))
    kind = "standard" if is_scaler(step) else step.name
    lines = emitter_of(emitters, kind, "a script")(name, step)
    kept = [*getattr(step, "kept", ())]
    return [f"kept = h[:, {kept}]", *lines, f"h[:, {kept}] = kept"] if kept and lines else lines


def _affine(name: str, step: Any) -> list[str]:
    return [f'h = (h - W["{name}.shift"]) / W["{name}.scale"]']


def _robust(library: str) -> StepEmitter:
    def emitter(name: str, step: Any) -> list[str]:
        z = f'(h - W["{name}.shift"]) / W["{name}.scale"]'
        root = f"{library}.sqrt(1 + (h / 3) ** 2)"
        return [f"h = {library}.clip({z}, -{MOST}, {MOST})", f"h = h / {root}"]

    return emitter


def _clip(library: str) -> StepEmitter:
    return lambda name, step: [f'h = {library}.clip(h, W["{name}.low"], W["{name}.high"])']


def _normalize(name: str, step: Any) -> list[str]:
    return ["h = normalize(h)"]


STEPS: dict[str, Emitters[StepEmitter]] = {
    "l2": Emitters(_normalize, _normalize),
    "binarize": Emitters(
        lambda name, step: [f"h = (h >= {step.threshold!r}) * 1.0"],
        lambda name, step: [f"h = (h >= {step.threshold!r}).double()"],
    ),
    "standard": Emitters(_affine, _affine),
    "per_channel": Emitters(_affine, _affine),
    "minmax": Emitters(_affine, _affine),
    "robust": Emitters(_robust("np"), _robust("torch")),
    "quantile": Emitters(
        lambda name, step: [f'h = normal_scores(h, W["{name}.quantiles"])'],
        lambda name, step: [
            f'h = torch.as_tensor(normal_scores(h.numpy(), W["{name}.quantiles"].numpy()))'
        ],
    ),
    "clip": Emitters(_clip("np"), _clip("torch")),
    "impute": Emitters(
        lambda name, step: [f'h = np.where(np.isnan(h), W["{name}.fill"], h)'],
        lambda name, step: [f'h = torch.where(torch.isnan(h), W["{name}.fill"], h)'],
    ),
    "piecewise_linear": Emitters(lambda name, step: [], lambda name, step: []),
}


def _pieces(name: str) -> str:
    return f'pieces(h, W["{name}.place"], W["{name}.start"], W["{name}.width"])'


# The columns that steps add, as an expression of h as it is before the step.
ADDED: dict[str, Callable[[str], str]] = {
    "impute": lambda name: f'missing(h, W["{name}.place"])',
    "piecewise_linear": _pieces,
}


# The libraries that scripts can use: PyTorch, and NumPy, which computes as the NumPy engine does,
# in the same order.


@dataclass(frozen=True)
class Language:
    """A library and the parts of its scripts.

    Args:
        name: of the library, as in the tables of emitters.
        imports: of the library, after those of the standard library.
        helpers: functions by name; a script holds those that it calls.
        steps: emitters by the names of the steps of preprocessing.
        join: a function that puts columns beside each other.
        array: lines that return an array of a `shape` from the bytes `content`, numbers of `size`
            bytes each.
        take: an expression for rows x as float64.
        cast: an expression for h in the dtype `{dtype}`.
        as_double: the end of an expression for an array as float64.
        argmax: an expression for the class numbers in h with a column for each class.
        above_half: the same for a single column.
        at_least: the same where the positive class is predicted from a threshold on.
        two_columns: an expression for the probabilities of both classes from that of the second.
        numbers: an expression for the result `{h}` as a NumPy array.
    """

    name: str
    imports: tuple[str, ...]
    helpers: Mapping[str, str]
    steps: Mapping[str, StepEmitter]
    join: str
    array: tuple[str, ...]
    take: str
    cast: str
    as_double: str
    argmax: str
    above_half: str
    at_least: str
    two_columns: str
    numbers: str


_WIDTH = 96


def constant(name: str, value: Any) -> str:
    """A line that defines a constant, or several lines."""
    text = pformat(value, width=_WIDTH - len(name) - 3, compact=True, sort_dicts=False)
    return f"{name} = " + text.replace("\n", "\n" + " " * (len(name) + 3))


def _source(function: Callable[..., Any]) -> str:
    return getsource(function).strip().replace("Array", "np.ndarray")


# NumPy computes them in scripts in PyTorch, too.
_BY_LINE: tuple[Callable[..., Any], ...] = (special.portable_exp, logarithms, normalized, by_line)
_IN_NUMPY = {
    "portable_log": f"""
{constant("LOG_ODD", special.LOG_ODD)}
{constant("LOG_EVEN", special.LOG_EVEN)}
{constant("LOG_2", special.LOG_2)}
{constant("HALF_ROOT", special.HALF_ROOT)}


{_source(special.portable_log)}
""",
    "monotone": _source(monotone),
    "by_line": "\n\n\n".join(map(_source, _BY_LINE)),
    "normal_scores": f"""
{constant("NEAR", NEAR)}
{constant("LEAST", LEAST)}
{constant("MIDDLE", special.MIDDLE)}
{constant("FAR_OUT", special.FAR_OUT)}


{_source(special.normal_quantile)}


{_source(normal_scores)}
""",
}
_NUMPY_HELPERS = {
    "windows": '''
def windows(h, size, stride):
    """All windows: (rows, channels, height, width) to (rows, channels, oh, ow, *size)."""
    view = np.lib.stride_tricks.sliding_window_view(h, size, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]
''',
    "convolve": '''
def convolve(h, w, stride):
    """z[o, i, j] = sum over c, a, b of w[o, c, a, b] x[c, i s + a, j s + b]."""
    view = windows(h, w.shape[2:], stride).transpose(0, 1, 4, 5, 2, 3)
    view = np.ascontiguousarray(view)  # as in training, so that sums have their order
    z = w.reshape(len(w), -1) @ view.reshape(len(h), w[0].size, -1)
    return z.reshape(len(h), len(w), *view.shape[4:])
''',
    "sigmoid": '''
def sigmoid(h):
    """1 / (1 + exp(-h)), where exp(-h) does not overflow."""
    return 1 / (1 + np.exp(np.minimum(-h, 709 if h.dtype == np.float64 else 88)))
''',
    "softmax": '''
def softmax(h):
    """exp(h) / sum exp(h), by rows."""
    h = np.exp(h - h.max(axis=1, keepdims=True))
    return h / h.sum(axis=1, keepdims=True)
''',
    "normal_cdf": f"""
# exp(z²) erfc(z) as a Chebyshev series in (z - CENTRE) / (z + CENTRE).
{constant("CENTRE", special.CENTRE)}
{constant("SCALED_ERFC", special.SCALED_ERFC)}


{_source(special.normal_cdf)}
""",
    "gelu": '''
def gelu(h):
    """x times the normal distribution's share below x."""
    return h * normal_cdf(h)
''',
    "mish": '''
def mish(h):
    """h tanh(softplus(h)) = h n / (n + 2) with n = exp(h) (exp(h) + 2)."""
    e = np.exp(np.where(h < 20, h, 20))
    n = e * (e + 2)
    return h * (n / (n + 2))
''',
    **CATEGORIES,
    **_IN_NUMPY,
    "pieces": '''
def pieces(h, place, start, width):
    """How far features are into each of their pieces, from 0 to 1."""
    return np.clip((h[:, place.astype(int)] - start) / width, 0, 1)
''',
    "missing": '''
def missing(h, place):
    """1 where features are missing, else 0."""
    return np.isnan(h[:, place.astype(int)]) * 1.0
''',
    "normalize": f'''
{_source(sums_of_squares)}


def normalize(h):
    """Every row divided by its Euclidean length; rows of zeros stay."""
    rows = h.reshape(len(h), -1)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)
    length = np.sqrt(sums_of_squares(rows))[:, None]
    return (rows / np.where(length > 0, length, 1)).reshape(h.shape)
''',
}


NUMPY = Language(
    name="numpy",
    imports=("import numpy as np",),
    helpers=_NUMPY_HELPERS,
    steps={name: each.numpy for name, each in STEPS.items()},
    join="np.concatenate",
    array=('return np.frombuffer(content, f"<f{size}").reshape(shape)',),
    take='np.asarray(x, "f8")',
    cast="h.astype(np.{dtype})",
    as_double='.astype("f8")',
    argmax="h.argmax(axis=1)",
    above_half="(h[:, 0] > 0.5).astype(int)",
    at_least='np.where(h[:, POSITIVE].astype("f8") >= THRESHOLD, POSITIVE, 1 - POSITIVE)',
    two_columns="np.concatenate([1 - h, h], axis=1)",
    numbers="{h}",
)


_TORCH_HELPERS = {
    **CATEGORIES,
    **_IN_NUMPY,
    "pieces": '''
def pieces(h, place, start, width):
    """How far features are into each of their pieces, from 0 to 1."""
    return torch.clip((h[:, place.long()] - start) / width, 0, 1)
''',
    "missing": '''
def missing(h, place):
    """1 where features are missing, else 0."""
    return torch.isnan(h[:, place.long()]).double()
''',
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


TORCH = Language(
    name="pytorch",
    imports=("import numpy as np", "import torch", "import torch.nn.functional as F"),
    helpers=_TORCH_HELPERS,
    steps={name: each.pytorch for name, each in STEPS.items()},
    join="torch.cat",
    array=(
        "dtype = {4: torch.float32, 8: torch.float64}[size]",
        "return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)",
    ),
    take='torch.as_tensor(x, dtype=torch.float64)',
    cast="h.to(torch.{dtype})",
    as_double=".double()",
    argmax="h.argmax(1)",
    above_half="(h[:, 0] > 0.5).long()",
    at_least="torch.where(h[:, POSITIVE].double() >= THRESHOLD, POSITIVE, 1 - POSITIVE)",
    two_columns="torch.cat([1 - h, h], 1)",
    numbers="{h}.numpy()",
)  # fmt: skip
