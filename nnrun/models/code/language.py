"""The libraries that scripts can use: PyTorch, and NumPy, which computes as the NumPy engine does,
in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getsource
from pprint import pformat
from typing import Any

from nnrun.data.preprocessing.steps import sums_of_squares
from nnrun.models.code.columns import CATEGORIES
from nnrun.models.code.steps import STEPS, Emitter
from nnrun.nn import special


@dataclass(frozen=True)
class Language:
    """A library and the parts of its scripts.

    Args:
        name: of the library, as in the tables of emitters.
        imports: of the library, after those of the standard library.
        helpers: functions by name; a script holds those that it calls.
        steps: emitters by the names of the steps of preprocessing.
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
    steps: Mapping[str, Emitter]
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
    **CATEGORIES,
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
