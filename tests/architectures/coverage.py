"""The table of what the networks of a suite must cover, and what they do cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from nnrun.nn import LAYERS, LOSSES
from nnrun.nn.signature import Shape, pair
from tests.architectures.kinds import END, FORMS, MAPS, START, all_kinds, form_of, valid_pairs
from tests.architectures.plan import Architecture, Block, shape_after, stacks
from tests.architectures.settings import (
    BIASES,
    KERNELS,
    MOMENTA,
    PADDINGS,
    POINTWISE,
    POOL_STRIDES,
    POOLS,
    RATES,
    STRIDES,
)
from tests.architectures.trial import BATCHES, CLIPS, DTYPES, OPTIMIZERS, THREADS, Trial

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
