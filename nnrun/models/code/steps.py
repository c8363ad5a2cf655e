"""Steps of preprocessing as lines of a script, in NumPy and in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nnrun.models.emitters import Emitters, emitter_of, is_scaler, own_form_of_step

Emitter = Callable[[str, Any], list[str]]
"""From the prefix of a step's arrays, and the step, to its lines."""


def step_lines(name: str, step: Any, emitters: Mapping[str, Emitter], library: str) -> list[str]:
    """The lines of a step in a script for `numpy` or `pytorch`.

    Raises:
        UsageError: it cannot be written.
    """
    own = own_form_of_step(step, library)
    if own is not None:
        return list(own(name))
    kind = "standard" if is_scaler(step) else step.name
    return emitter_of(emitters, kind, "a script")(name, step)


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
