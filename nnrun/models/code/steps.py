"""Steps of preprocessing as lines of a script, in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Emitter = Callable[[str, Any], list[str]]
"""From the prefix of a step's arrays, and the step, to its lines."""


@dataclass(frozen=True)
class Emitters:
    """The emitters of one step, by the library that the script uses."""

    numpy: Emitter
    pytorch: Emitter


def _affine(name: str, step: Any) -> list[str]:
    return [f'h = (h - W["{name}.shift"]) / W["{name}.scale"]']


def _normalize(name: str, step: Any) -> list[str]:
    return ["h = normalize(h)"]


STEPS: dict[str, Emitters] = {
    "l2": Emitters(_normalize, _normalize),
    "binarize": Emitters(
        lambda name, step: [f"h = (h >= {step.threshold!r}) * 1.0"],
        lambda name, step: [f"h = (h >= {step.threshold!r}).double()"],
    ),
    "standard": Emitters(_affine, _affine),
    "minmax": Emitters(_affine, _affine),
    "impute": Emitters(
        lambda name, step: [f'h = np.where(np.isnan(h), W["{name}.fill"], h)'],
        lambda name, step: [f'h = torch.where(torch.isnan(h), W["{name}.fill"], h)'],
    ),
}
