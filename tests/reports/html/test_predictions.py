"""A network that is loaded again is that of its report where their errors agree to rounding."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nnrun.reports.html.predictions import agree


@pytest.mark.parametrize(
    ("size", "moved", "expected"),
    [
        (1.0, 0.0, True),
        (1.0, 1e-7, True),  # the rounding of float32, which is 1e-3 of the error
        (1.0, 1e-2, False),
        (1e200, 1e-7, True),
        (1e200, 1e-2, False),
    ],
)
def test_errors_agree_to_the_rounding_of_predictions(size, moved, expected):
    """Of numbers whose squares overflow, too."""
    y = size * np.linspace(-1, 1, 20)[:, None]
    predicted = y + size * 1e-4
    record = SimpleNamespace(task="regression", metrics={"test": {"rmse": size * 1e-4}})
    part = SimpleNamespace(y=y, weight=None)
    predictions = SimpleNamespace(split="test", part=part, decoded=predicted + size * moved)
    assert expected == agree(record, predictions)
