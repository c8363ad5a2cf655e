"""The weights of rows, as values of a report."""

from __future__ import annotations

from typing import Any

from nnrun.data.splits.parts import Split


def describe_weights(split: Split, column: str | None) -> dict[str, Any] | None:
    """`column` and, by split, `sum`, `min` and `max` of its weights; None if rows have none."""
    parts = {"train": split.train, **split.held_out}
    found = {
        name: {
            "sum": float(part.weight.sum()),
            "min": float(part.weight.min()),
            "max": float(part.weight.max()),
        }
        for name, part in parts.items()
        if part.weight is not None
    }
    return {"column": column, **found} if found else None
