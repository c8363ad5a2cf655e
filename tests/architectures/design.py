"""Suites of 500 networks or a few more, which cover the table of `coverage.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from math import prod

from nnrun.nn.layers import BatchNorm
from tests.architectures.coverage import left, missing, pairs
from tests.architectures.dealing import Decks, always
from tests.architectures.kinds import valid_pairs
from tests.architectures.plan import Architecture
from tests.architectures.settings import Space
from tests.architectures.trial import BATCHES, CLIPS, DTYPES, OPTIMIZERS, THREADS, Trial
from tests.architectures.walks import Walk

SUITE, CAMPAIGN = 500, 40  # networks of a suite at least, and suites of a campaign
MORE = 5000  # networks at most that are drawn for what these leave out
SUITES = CAMPAIGN if os.environ.get("NNRUN_TEST_LARGE") else 1  # of this test run
LENGTHS = (0, 1, 2, 3, 4, 5, 6)  # layers after the pair that a network begins with
OPERATIONS = 6e6  # of a batch's forward pass, about


@cache
def suite(number: int) -> list[Trial]:
    """500 networks, and those of the next that cover what these leave out of the table."""
    networks = drawn(number)
    trials = list(islice(networks, SUITE))
    lacking = missing(trials)
    for trial in islice(networks, MORE if lacking else 0):
        still = left(lacking, [trial])
        if still != lacking:
            trials.append(trial)
        if not still:
            break
        lacking = still
    return trials


def drawn(number: int) -> Iterator[Trial]:
    """Networks without end; the number seeds all choices."""
    deal = Decks(number)
    lacking, openings = set(valid_pairs()), sorted(valid_pairs())
    walk = Walk(deal, Space(), missing=lacking)
    for index in count():
        # A pair that is still missing, for as long as one is.
        opening = deal("opening", openings, lacking.__contains__ if lacking else always)
        plan = walk.network(opening, deal("length", LENGTHS))
        lacking.difference_update(pairs(plan))
        yield _trial(deal, plan, number, index)


def _trial(deal: Decks, plan: Architecture, number: int, index: int) -> Trial:
    layers, fewest = _measured(plan)
    batch_size = deal(
        "batch", BATCHES, lambda rows: rows >= fewest and (rows <= 4 or rows * layers <= OPERATIONS)
    )
    rests = tuple(range(1, 17))
    rest = deal("rest", rests, lambda rows: rows >= fewest) % batch_size
    rule = deal("optimizer", tuple(OPTIMIZERS))
    dtype = deal(("dtype", rule), DTYPES)
    return Trial(
        number,
        index,
        plan,
        dtype=dtype,
        batch_size=batch_size,
        rest=rest if rest >= fewest else 0,
        threads=deal(("threads", dtype), THREADS),
        rule=rule,
        clip_norm=deal("clip", CLIPS),
        with_losses=deal("with_losses", (True, False)),
        skips=deal("skips", (False, False, True)),
        weighted=deal("weighted", (True, False, False)),
        seed=1000 * number + index,
    )


def _measured(plan: Architecture) -> tuple[int, int]:
    """Operations for a row, and the fewest rows that each mean of a batch_norm can be taken of."""
    layers = plan.build().steps
    pixels = [prod(one.input_shape[1:]) for one in layers if isinstance(one, BatchNorm)]
    return sum(one.flops + 20 * one.activation_count for one in layers), 2 if 1 in pixels else 1
