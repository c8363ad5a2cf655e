"""Steps of preprocessing as lines of a script, in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.models.emitters import Emitters

Emitter = Callable[[str, Any], list[str]]
"""From the prefix of a step's arrays, and the step, to its lines."""


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
