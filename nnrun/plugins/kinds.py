"""The kinds of parts: what each must be, and how it enters the tables of nnrun."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Signature, isclass, isfunction, signature
from typing import Any, NoReturn

from nnrun.data.builtin.registry import DATASETS
from nnrun.data.preprocessing.steps import SCALERS, STEPS, Scaler
from nnrun.metrics.table import METRICS
from nnrun.nn.activations import ACTIVATIONS, Activation
from nnrun.nn.initializers import DRAWS_BIASES, INITIALIZERS
from nnrun.nn.layer import Layer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES, Loss
from nnrun.nn.optimizers import OPTIMIZERS, Optimizer
from nnrun.nn.schedules import SCHEDULES, Schedule
from nnrun.plugins.entries import dataset_entry, layer_entry, metric_entry
from nnrun.plugins.part import Part, PluginError
from nnrun.suggestions import suggestion
from nnrun.tables import Table

NAME = re.compile("[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Kind:
    """One kind of parts.

    Args:
        table: of nnrun, by name.
        base: the class that a part is derived from; None for functions.
        options: the keywords that `register` takes for it.
        methods: what a class without a base must have.
        made: the entry of the table, from the part.
    """

    table: Table[Any]
    base: type | None = None
    options: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    made: Callable[[Part], Any] = lambda part: part.entry


KINDS: Mapping[str, Kind] = {
    "layer": Kind(LAYERS, Layer, made=layer_entry),
    "activation": Kind(ACTIVATIONS, Activation),
    "loss": Kind(LOSSES, Loss),
    "optimizer": Kind(OPTIMIZERS, Optimizer),
    "initializer": Kind(INITIALIZERS, options=("biases",)),
    "schedule": Kind(SCHEDULES, Schedule),
    "step": Kind(STEPS, methods=("fit", "apply", "state")),
    "metric": Kind(
        METRICS, options=("needs", "larger_is_better", "low", "high"), made=metric_entry
    ),
    "dataset": Kind(DATASETS, made=dataset_entry),
}


def check(part: Part) -> None:
    """Check a part before it enters the tables.

    Raises: PluginError with its place, if it is no part of its kind.
    """
    wrong = partial(_wrong, part)
    if part.kind not in KINDS:
        wrong(f"'{part.kind}' is not a kind of parts{suggestion(part.kind, KINDS)}")
    if not NAME.fullmatch(part.name):
        wrong(f"'{part.name}' is not a name for a part: lower case letters, digits and '_'")
    kind = KINDS[part.kind]
    for option in part.options:
        if option not in kind.options:
            wrong(f"{_a(part.kind)} has no option '{option}'{suggestion(option, kind.options)}")
    if kind.base is not None and isclass(part.entry):
        if not issubclass(part.entry, kind.base):
            wrong(f"{_a(part.kind)} is a class derived from nnrun.nn.{kind.base.__name__}")
        _check_calls(part, kind.base)
    elif (kind.base not in (None, Layer)) or not callable(part.entry):
        wrong(f"{_a(part.kind)} is a class derived from nnrun.nn.{(kind.base or Layer).__name__}")
    missing = [name for name in kind.methods if not hasattr(part.entry, name)]
    if missing:
        wrong(f"{_a(part.kind)} needs the method '{missing[0]}'")
    called = getattr(part.entry, "name" if part.kind == "step" else "type", part.name)
    if isclass(part.entry) and called != part.name:
        wrong(f"it calls itself '{called}', and is registered as '{part.name}'")


def _check_calls(part: Part, base: type) -> None:
    """Check that the methods of a class take the arguments of those that they replace.

    Raises: PluginError with its place, if one does not.
    """
    for name, method in vars(base).items():
        own = getattr(part.entry, name)
        if name.startswith("_") or not isfunction(method) or not isfunction(own):
            continue
        asked = [p.replace(annotation=p.empty) for p in signature(method).parameters.values()]
        by_name = {one.name: None for one in asked if one.kind is one.KEYWORD_ONLY}
        try:
            signature(own).bind(*[None] * (len(asked) - len(by_name)), **by_name)
        except TypeError as error:
            form = f"def {name}{Signature(asked)}"
            _wrong(part, f"'{name}' has other arguments ({error}); write {form}")


def check_name(part: Part, known: Mapping[str, Part]) -> None:
    """Check that no other part has the name: none of these, and none of nnrun's of another kind.

    Raises: PluginError with its place, if one has.
    """
    other = known.get(part.name)
    if other is not None:
        _wrong(part, f"'{part.name}' is registered at {other.place} already; names are unique")
    for name, kind in KINDS.items():
        if name != part.kind and part.name in kind.table:
            _is_own(part, name)


def enter(part: Part, known: Mapping[str, Part]) -> None:
    """Add a part to the table of its kind.

    Raises: PluginError if another part of any kind has its name.
    """
    check_name(part, known)
    if part.name in KINDS[part.kind].table:
        _is_own(part, part.kind)
    kind = KINDS[part.kind]
    kind.table[part.name] = kind.made(part)
    if part.kind == "step" and isclass(part.entry) and issubclass(part.entry, Scaler):
        SCALERS[part.name] = part.entry
    if part.options.get("biases"):
        DRAWS_BIASES.add(part.name)


def leave(part: Part) -> None:
    """Remove a part from the tables."""
    KINDS[part.kind].table.pop(part.name, None)
    if part.kind == "step":
        SCALERS.pop(part.name, None)
    if part.kind == "initializer":
        DRAWS_BIASES.discard(part.name)


def _is_own(part: Part, kind: str) -> NoReturn:
    advice = f"take another, like 'my_{part.name}'"
    if kind == part.kind:
        advice += ", which `nnrun check` compares with it"
    _wrong(part, f"'{part.name}' is a name of nnrun's own ({_a(kind)}); {advice}")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _wrong(part: Part, message: str) -> NoReturn:
    raise PluginError(f"{part.place}: {message}")
