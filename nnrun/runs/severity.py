"""The order of warnings: those about the data, and those about a network."""

from __future__ import annotations

from collections.abc import Sequence

OF_DATA = (
    "leak", "duplicates", "identifier", "unlike_splits", "unseen_category", "constant_column",
)  # fmt: skip
"""The kinds of warnings about data, by what they may cost: first a result that means nothing."""
_WORST = OF_DATA[:3]


def leading(kinds: Sequence[str]) -> str:
    """The warning to name first: of data that make a result mean nothing, else of the network."""
    of_network = [kind for kind in kinds if kind not in OF_DATA]
    return next((kind for kind in _WORST if kind in kinds), [*of_network, *kinds][0])
