"""Numbers that judge a run and are beyond the range of numbers."""

from __future__ import annotations

from collections.abc import Mapping

from nnrun.models.scores import Metrics
from nnrun.runs.diagnosis.inputs import Diagnostic, named


def about_undefined(metrics: Mapping[str, Metrics | None], main: str) -> list[Diagnostic]:
    """About a loss or a main metric that has a reason in its place, a warning for each reason."""
    splits: dict[tuple[str, str], list[str]] = {}
    for split, numbers in metrics.items():
        reasons = (numbers or {}).get("undefined", {})
        for name in (main, "loss"):
            if name in reasons:
                splits.setdefault((name, reasons[name]), []).append(split)
    return [
        Diagnostic("undefined", f"the {name} on {named(where)} data is undefined: {reason}")
        for (name, reason), where in splits.items()
    ]
