"""Steps of preprocessing as lines of a script, in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.models.emitters import Emitters

Emitter = Callable[[str, Any], list[str]]
"""From the prefix of a step's arrays, and the step, to its lines."""


# Helpers of scripts in either library.
CATEGORIES = {
    "check_category": '''
def check_category(h, first, end, column):
    """Refuse rows with 0 in all one-hot columns of a column that none was missing from."""
    if not (h[:, first:end] != 0).any(1).all():
        raise ValueError(f"a row has 0 in all one-hot columns of {column!r}")
''',
    "fill_category": '''
def fill_category(h, first, end, missing):
    """Rows with 0 in all one-hot columns of a column get the one for what is missing."""
    h = 1 * h
    h[~(h[:, first:end] != 0).any(1), missing] = 1
    return h
''',
}


def _affine(name: str, step: Any) -> list[str]:
    return [f'h = (h - W["{name}.shift"]) / W["{name}.scale"]']


def _normalize(name: str, step: Any) -> list[str]:
    return ["h = normalize(h)"]


STEPS: dict[str, Emitters[Emitter]] = {
    "l2": Emitters(_normalize, _normalize),
    "binarize": Emitters(
        lambda name, step: [f"h = (h >= {step.threshold!r}) * 1.0"],
        lambda name, step: [f"h = (h >= {step.threshold!r}).double()"],
    ),
    "standard": Emitters(_affine, _affine),
    "per_channel": Emitters(_affine, _affine),
    "minmax": Emitters(_affine, _affine),
    "impute": Emitters(
        lambda name, step: [f'h = np.where(np.isnan(h), W["{name}.fill"], h)'],
        lambda name, step: [f'h = torch.where(torch.isnan(h), W["{name}.fill"], h)'],
    ),
}
