"""The range test of a learning rate, as `nnrun check --learning-rate` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType

from nnrun.reports.numbers import plural
from nnrun.reports.terminal.plot import Axis, Curve, Plot
from nnrun.reports.terminal.tables import labelled
from nnrun.runs.execution.rate_finder import FALLEN, HIGHEST, LOWEST, RateCurve


def rate_curve(found: RateCurve) -> Iterator[RenderableType]:
    """The training loss over the rates, and the suggestion."""
    if len(found.rates) > 1:
        curve = Curve("while the rate rises", range(len(found.rates)), found.losses, "•", "cyan")
        axis = Axis(_rate(LOWEST), "learning rate, logarithmic", _rate(found.rates[-1]))
        yield Plot("training loss", [curve], axis)
    updates = plural(found.updates, "update")
    if found.suggestion is None:
        yield labelled("rate", f"within {updates}, no rate lowers the loss by {FALLEN:.0%}")
    else:
        rate = _rate(found.suggestion)
        yield labelled("rate", f"try {rate}, a tenth of where the loss is smallest:")
        yield labelled("", f"training.learning_rate={rate}")
    if found.highest is None:
        yield labelled("", f"the loss does not explode up to {HIGHEST:g}")
    else:
        yield labelled("", f"the loss explodes at {_rate(found.highest)}")


def _rate(value: float) -> str:
    """In two digits, which is more than the test can tell."""
    return f"{value:.2g}"


def rate_data(found: RateCurve) -> dict[str, Any]:
    """The same as JSON data."""
    return asdict(found)
