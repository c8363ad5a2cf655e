"""Scripts in NumPy: the computations of the NumPy engine, mostly in the same order."""

from __future__ import annotations

from inspect import getsource

from nnrun.models.code.columns import CATEGORIES
from nnrun.models.code.constants import constant
from nnrun.models.code.language import Language
from nnrun.models.code.steps import STEPS
from nnrun.nn import special

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


{getsource(special.normal_cdf).replace("Array", "np.ndarray")}
""",
    "gelu": '''
def gelu(h):
    """x times the normal distribution's share below x."""
    return h * normal_cdf(h)
''',
    **CATEGORIES,
    "normalize": '''
def normalize(h):
    """Every row divided by its Euclidean length; rows of zeros stay."""
    largest = np.abs(h.reshape(len(h), -1)).max(axis=1)
    h = h / np.where(largest > 0, largest, 1).reshape(-1, *[1] * (h.ndim - 1))
    length = np.sqrt((h.reshape(len(h), -1) ** 2).sum(axis=1))
    return h / np.where(length > 0, length, 1).reshape(-1, *[1] * (h.ndim - 1))
''',
}


NUMPY = Language(
    name="numpy",
    imports=("import numpy as np",),
    helpers=_HELPERS,
    steps={name: each.numpy for name, each in STEPS.items()},
    array=('return np.frombuffer(content, f"<f{size}").reshape(shape)',),
    take='np.asarray(x, "f8")',
    cast="h.astype(np.{dtype})",
    reshape="h.reshape(len(h), {shape})",
    as_double='.astype("f8")',
    inverse='h * W["target.scale"] + W["target.shift"]',
    argmax="h.argmax(axis=1)",
    above_half="(h[:, 0] > 0.5).astype(int)",
    at_least='np.where(h[:, POSITIVE].astype("f8") >= THRESHOLD, POSITIVE, 1 - POSITIVE)',
    two_columns="np.concatenate([1 - h, h], axis=1)",
    numbers="{h}",
)
