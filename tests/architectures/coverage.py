"""The table of what the networks of a suite must cover, and suites of 500 that do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import count, islice
from math import prod
from typing import Any

from nnrun.nn import LAYERS, LOSSES
from nnrun.nn.layers import BatchNorm
from nnrun.nn.signature import Shape, pair
from tests.architectures.trial import (
    BATCHES,
    CLIPS,
    DTYPES,
    OPTIMIZERS,
    THREADS,
    Architecture,
    Block,
    Trial,
    shape_after,
    stacks,
)
from tests.architectures.walks import (
    BIASES,
    END,
    FORMS,
    KERNELS,
    MAPS,
    MOMENTA,
    PADDINGS,
    POINTWISE,
    POOL_STRIDES,
    POOLS,
    RATES,
    START,
    STRIDES,
    Decks,
    Space,
    Walk,
    all_kinds,
    always,
    form_of,
    valid_pairs,
)

ALL = range(1, 65)
CONVOLUTIONS = ("conv2d", "convolution")
POOLINGS = ("max_pool2d", "avg_pool2d")


def kind_of(block: Block) -> str:
    """The kind that a block is of."""
    make, arguments = block
    if make is LAYERS["activation"]:
        return str(arguments["name"])
    if make is LAYERS["conv2d"] and "activation" not in arguments:
        return "convolution"
    return next(name for name, entry in LAYERS.items() if entry is make)


def pairs(plan: Architecture) -> Iterator[tuple[str, str, str]]:
    """(first, form of the rows between, second) of all neighbours, those within layers included."""
    yield from _pairs(plan.blocks, plan.input_shape, inside=False)


def _pairs(
    blocks: Iterable[Block], shape: Shape, *, inside: bool
) -> Iterator[tuple[str, str, str]]:
    before = START
    for block in blocks:
        kind = kind_of(block)
        yield before, form_of(shape), kind
        for within in stacks(block).values():
            yield from _pairs(within, shape, inside=True)
        shape, before = shape_after(block, shape), kind
    if inside:
        yield before, form_of(shape), END


def placed(blocks: Iterable[Block], shape: Shape) -> Iterator[tuple[str, dict[str, Any], Shape]]:
    """(kind, arguments, shape of its input) of all blocks, those within layers included."""
    for block in blocks:
        yield kind_of(block), block[1], shape
        for within in stacks(block).values():
            yield from placed(within, shape)
        shape = shape_after(block, shape)


def depth(blocks: Iterable[Block]) -> int:
    """How many layers with layers are within each other, at most."""
    within = [inner for block in blocks for inner in stacks(block).values()]
    return max((depth(inner) + 1 for inner in within), default=0)


Row = tuple[set[Any], Callable[[Trial], Iterable[Any]]]


def settings(kinds: Iterable[str], name: str) -> Callable[[Trial], Iterable[Any]]:
    """(form, value) of a setting of these kinds, wherever in a network they are."""
    kinds = tuple(kinds)

    def found(trial: Trial) -> Iterator[Any]:
        for kind, arguments, shape in placed(trial.plan.blocks, trial.plan.input_shape):
            if kind in kinds:
                yield form_of(shape), arguments[name]

    return found


def inputs(kinds: Iterable[str]) -> Callable[[Trial], Iterable[Any]]:
    """The channels or features that reach these kinds."""
    kinds = tuple(kinds)
    return lambda trial: (
        shape[0]
        for kind, _, shape in placed(trial.plan.blocks, trial.plan.input_shape)
        if kind in kinds
    )


def of_trials(*names: str) -> Callable[[Trial], Iterable[Any]]:
    """Attributes of the trials themselves."""
    return lambda trial: [tuple(getattr(trial, name) for name in names)]


def on(forms: Iterable[str], values: Iterable[Any]) -> set[Any]:
    """Each value with each form."""
    values = tuple(values)
    return {(form, value) for form in forms for value in values}


def _sides(trial: Trial) -> Iterator[int]:
    for _, _, shape in placed(trial.plan.blocks, trial.plan.input_shape):
        yield from shape[1:]


def _pools() -> set[Any]:
    """Windows that the forms have room for."""
    return {
        (form, size)
        for form, size in on(MAPS, POOLS)
        if all(k == 1 or text != "1" for k, text in zip(pair(size), form.split("×"), strict=True))
    }


def table() -> dict[str, Row]:
    """For each row what must be covered and a function that finds it in a trial.

    From the tables of nnrun.nn as they are at the call.
    """
    return {
        "pairs": (set(valid_pairs()), lambda trial: pairs(trial.plan)),
        "residuals within each other": ({0, 1, 2}, lambda trial: [depth(trial.plan.blocks)]),
        "channels into convolutions": (set(ALL), inputs(CONVOLUTIONS)),
        "channels out of them": (on(MAPS, ALL), settings(CONVOLUTIONS, "channels")),
        "features into products": (set(ALL), inputs(("dense", "matmul"))),
        "units": (on([FORMS[0]], ALL), settings(("dense", "matmul"), "units")),
        "sides": (set(range(1, 10)), _sides),
        "kernels": (on(MAPS, KERNELS), settings(CONVOLUTIONS, "kernel")),
        "strides": (on(MAPS, STRIDES), settings(CONVOLUTIONS, "stride")),
        "padding": (on(MAPS, PADDINGS), settings(CONVOLUTIONS, "padding")),
        "biases": (on(MAPS, BIASES), settings(CONVOLUTIONS, "bias")),
        "activations of conv2d": (on(MAPS, POINTWISE), settings(["conv2d"], "activation")),
        "activations of dense": (
            on([FORMS[0]], all_activations()),
            settings(["dense"], "activation"),
        ),
        **{f"windows of {kind}": (_pools(), settings([kind], "size")) for kind in POOLINGS},
        **{
            f"strides of {kind}": (on(MAPS, POOL_STRIDES), settings([kind], "stride"))
            for kind in POOLINGS
        },
        "rates": (on(FORMS, RATES), settings(["dropout"], "rate")),
        "momenta": (on(FORMS, MOMENTA), settings(["batch_norm"], "momentum")),
        "biases alone": (on(FORMS, ("position", "channel")), settings(["bias"], "per")),
        "losses": (set(LOSSES), lambda trial: [trial.plan.loss]),
        "batches": ({(size,) for size in BATCHES}, of_trials("batch_size")),
        "last batches": ({(rows,) for rows in range(17)}, of_trials("rest")),
        "threads": (
            {(dtype, count) for dtype in DTYPES for count in THREADS},
            of_trials("dtype", "threads"),
        ),
        "optimizers": (
            {(dtype, rule) for dtype in DTYPES for rule in OPTIMIZERS},
            of_trials("dtype", "rule"),
        ),
        "clipping": ({(limit,) for limit in CLIPS}, of_trials("clip_norm")),
        "losses of batches": ({(True,), (False,)}, of_trials("with_losses")),
        "zeros skipped": ({(True,), (False,)}, of_trials("skips")),
        "weights of rows": (
            {(loss, weighted) for loss in LOSSES for weighted in (True, False)},
            lambda trial: [(trial.plan.loss, trial.weighted)],
        ),
    }


def all_activations() -> set[str]:
    """All activations, from the table as it is at the call."""
    return set(all_kinds()) - set(LAYERS) - {"convolution"}


def missing(trials: Iterable[Trial], rows: Iterable[str] | None = None) -> dict[str, set[Any]]:
    """What the table, or some of its rows, asks for and the trials do not cover."""
    asked = table()
    return left({name: asked[name][0] for name in (asked if rows is None else rows)}, trials)


def left(lacking: Mapping[str, set[Any]], trials: Iterable[Trial]) -> dict[str, set[Any]]:
    """What of these rows of the table the trials do not cover."""
    asked, found = table(), tuple(trials)
    still = {
        name: wanted - {value for trial in found for value in asked[name][1](trial)}
        for name, wanted in lacking.items()
    }
    return {name: values for name, values in still.items() if values}


# Suites of 500 networks or a few more, which cover the table of `coverage.py`.

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
