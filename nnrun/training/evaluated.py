"""Which rows the evaluations on the way take: of large splits a part, drawn once.

Evaluating a row takes about a third of the time of training on it. So evaluations on half as many
rows as are trained on between them take about a sixth of the time of training. The last evaluation
takes all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnrun.nn.signature import Rng
from nnrun.training.examples import PreparedSplit

FEWEST = 10_000
"""Splits of up to so many rows are evaluated whole: the standard error of an accuracy on as many
is 0.005 at most."""

# Copies of so large a share of a split, and none larger, are held in memory.
_SHARE = 4


def most_rows(evaluate_every: int, batch_size: int, splits: int) -> int:
    """The rows of each split that an evaluation takes at most, by default."""
    return max(FEWEST, evaluate_every * batch_size // (2 * splits))


def rows_taken(
    asked: int | str | None, usual: int, sizes: Sequence[int], planned: int
) -> int | None:
    """The rows of a split that an evaluation takes at most, the same for every seed.

    None for all, and where no split can have more.

    Args:
        asked: a number, or `all`; None for the usual number.
        usual: that by default.
        sizes: of all splits.
        planned: the training rows asked for; the seed may draw others.
    """
    if asked == "all":
        return None
    most = int(asked or usual)
    return most if max(planned, sum(sizes) - planned) > most else None


def drawn_parts(
    splits: Mapping[str, PreparedSplit], most: int, rng: Rng, *, by_default: bool
) -> dict[str, PreparedSplit]:
    """A part of each split that has more rows than `most`, in the order of the split.

    By default it is at most a quarter of the split, unless that is less than `FEWEST` rows. A part
    in which no row has a weight is left out, so that its split is evaluated whole.
    """
    parts = {}
    for name, split in splits.items():
        wanted = min(most, max(FEWEST, len(split) // _SHARE)) if by_default else most
        if len(split) > most:
            rows = np.sort(rng.choice(len(split), wanted, replace=False))
            part = split.part(rows)
            if part.counts:
                parts[name] = part
    return parts
