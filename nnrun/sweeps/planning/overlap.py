"""How far the splits of several seeds overlap."""

from __future__ import annotations

from collections.abc import Mapping


def overlap_of(rows: Mapping[str, int], *, drawn: bool) -> dict[str, float]:
    """For each split, rows tested per row trained on, as far as the seed draws them.

    Args:
        rows: of each split.
        drawn: whether the test split is drawn; the validation split always is.
    """
    by_seed = {name for name in rows if name == "validation" or (name == "test" and drawn)}
    # On rows that stay, runs differ by the rows that are held out of their training.
    held_out = sum(rows[name] for name in by_seed)
    tested = {name: count if name in by_seed else held_out for name, count in rows.items()}
    return {name: count / rows["train"] for name, count in tested.items()}
