"""The overlap of the splits of several seeds."""

from __future__ import annotations

from collections.abc import Mapping


def overlap_of(rows: Mapping[str, int], *, drawn: bool) -> dict[str, float]:
    """For each split, the ratio of its rows to training rows, as far as the seed draws them.

    Args:
        rows: the size of each split.
        drawn: whether the seed draws the test split; it always draws the validation split.
    """
    by_seed = {name for name in rows if name == "validation" or (name == "test" and drawn)}
    # On fixed rows, runs differ in the rows held out of their training.
    held_out = sum(rows[name] for name in by_seed)
    tested = {name: count if name in by_seed else held_out for name, count in rows.items()}
    return {name: count / rows["train"] for name, count in tested.items()}
