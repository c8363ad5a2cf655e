"""The kinds of parts: what each must be, and how it enters the tables of nnrun."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from inspect import Signature, getdoc, isclass, isfunction, signature
from math import inf
from typing import Any, NoReturn, TypeVar, get_args

import numpy as np

from nnrun.data.builtin.registry import COMPUTED, DATASETS, Entry
from nnrun.data.dataset import Dataset, DatasetProblem, Task, hash_arrays, pixel_names
from nnrun.data.steps import SCALERS, STEPS, Scaler
from nnrun.metrics.table import METRICS, Metric, Needs
from nnrun.nn.activations import ACTIVATIONS, Activation
from nnrun.nn.initializers import DRAWS_BIASES, INITIALIZERS
from nnrun.nn.layer import Layer
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES, Loss
from nnrun.nn.optimizers import OPTIMIZERS, Optimizer
from nnrun.nn.schedules import SCHEDULES, Schedule
from nnrun.nn.signature import Array
from nnrun.plugins.part import Part, PluginError
from nnrun.suggestions import suggestion
from nnrun.tables import Table

# Functions of plugins as layers, as metrics and as data sets.

_DEFAULTS: dict[str, Any] = {"needs": "values", "larger_is_better": False, "low": 0.0, "high": inf}


def layer_entry(part: Part) -> Callable[..., Any]:
    """The class of a layer, or a function that returns the layers of a block as one list."""
    if isclass(part.entry):
        return part.entry

    @wraps(part.entry)
    def block(*args: Any, **kwargs: Any) -> list[Layer]:
        return [*_layers_of(part, part.entry(*args, **kwargs))]

    return block


def _layers_of(part: Part, found: Any) -> Iterator[Layer]:
    if isinstance(found, Layer):
        yield found
    elif isinstance(found, list | tuple) and found:
        for one in found:
            yield from _layers_of(part, one)
    else:
        what = "nothing" if found is None else f"{found!r:.40}"
        raise PluginError(f"{part.place}: {part.name} returns {what}, and no layer or layers")


def metric_entry(part: Part) -> Metric:
    """The metric of a function of true and predicted values; it counts every row once.

    Raises: PluginError if it needs what no metric can have.
    """
    options = _DEFAULTS | dict(part.options)
    if options["needs"] not in get_args(Needs):
        needs = " or ".join(f"'{name}'" for name in get_args(Needs))
        raise PluginError(f"{part.place}: needs={options['needs']!r}: it is {needs}")
    return Metric(
        part.name,
        part.source.name,
        about=_about(part),
        call=part.entry,
        unweighted=True,
        one_output=options["needs"] == "values",
        **options,
    )


def dataset_entry(part: Part) -> Entry:
    """The entry of a function that returns a `Dataset`, or arrays x and y."""
    return Entry(_loader(part), _about(part), "classification", (), 0, source=COMPUTED)


def _about(part: Part) -> str:
    return (getdoc(part.entry) or part.name).split("\n\n")[0].replace("\n", " ")


def _loader(part: Part) -> Callable[..., Dataset]:
    @wraps(part.entry)
    def load(*args: Any, **kwargs: Any) -> Dataset:
        found = part.entry(*args, **kwargs)
        try:
            return found if isinstance(found, Dataset) else _from_arrays(part.name, *found)
        except (TypeError, ValueError) as error:
            message = f"{part.title} gives no usable data: {error}"
            raise DatasetProblem([(("dataset", "name"), message)]) from error

    return load


def _from_arrays(name: str, x: Any, y: Any) -> Dataset:
    """Classes if y are whole numbers or texts, else values to predict."""
    x, y = np.asarray(x, np.float64), np.asarray(y)
    task: Task = "classification"
    classes: tuple[str, ...] = ()
    if x.ndim not in (2, 4) or len(x) != len(y):
        raise ValueError(f"x is {x.shape} and y {y.shape}; x has a row for each of y")
    if not np.isfinite(x).all():
        raise ValueError("x has numbers that are not finite")
    names = pixel_names(x.shape[1:]) if x.ndim == 4 else [f"x{n + 1}" for n in range(x.shape[1])]
    target: Array
    if y.dtype.kind in "iubU":
        labels, numbers = np.unique(y, return_inverse=True)
        classes = tuple(str(label) for label in labels)
        target = np.asarray(numbers, np.int64).reshape(-1)
    else:
        target, task = np.asarray(y, np.float64).reshape(len(y), -1), "regression"
    outputs = 1 if classes else int(target.shape[-1])
    return Dataset(
        name=name,
        task=task,
        x=x,
        y=target,
        classes=classes,
        feature_names=tuple(names),
        target_names=tuple(f"y{n + 1}" if outputs > 1 else "y" for n in range(outputs)),
        sha256=hash_arrays(x, target),
    )


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


# The decorator that plugins register their parts with.

T = TypeVar("T")


@dataclass(frozen=True)
class Registration:
    """A part as its module registers it, before it is checked."""

    kind: str
    name: str
    entry: Any
    options: Mapping[str, Any]
    file: str
    line: int


_by_module: dict[str, tuple[Any, list[Registration]]] = {}
"""What each module registers, beside its names, which distinguish it from one imported before."""


def register(kind: str, name: str, **options: Any) -> Callable[[T], T]:
    """Register the decorated class or function as a part with this name.

    The part becomes known where its file or package is loaded as a plugin; importing it does no
    more than importing any module.

    Args:
        kind: `layer`, `activation`, `loss`, `optimizer`, `initializer`, `schedule`, `step`,
            `metric` or `dataset`.
        name: as configs will write it: lower case letters, digits and `_`.
        options: of a metric, `needs` ("values", "labels" or "probabilities"), `larger_is_better`,
            `low` and `high`; of an initializer, `biases`, whether it draws biases too.
    """
    frame = sys._getframe(1)
    module, file, line = frame.f_globals["__name__"], frame.f_code.co_filename, frame.f_lineno

    def decorate(entry: T) -> T:
        attribute = {"step": "name", "dataset": None, "metric": None, "initializer": None}
        named = attribute.get(kind, "type")
        if named and isinstance(entry, type) and not vars(entry).get(named):
            setattr(entry, named, name)
        _add(module, frame.f_globals, Registration(kind, name, entry, options, file, line))
        return entry

    return decorate


def _add(module: str, names: dict[str, Any], new: Registration) -> None:
    known, found = _by_module.get(module, (None, []))
    if known is not names:
        found = []
    # The same line registers again where a module is reloaded.
    others = [one for one in found if (one.name, one.line) != (new.name, new.line)]
    _by_module[module] = names, [*others, new]


def forget(module: str) -> None:
    """Forget what a module registered, before it is run again."""
    _by_module.pop(module, None)


def registered(package: str) -> list[Registration]:
    """What a module, or the modules of a package, have registered."""
    return [
        one
        for module, (_, found) in _by_module.items()
        if module == package or module.startswith(f"{package}.")
        for one in found
    ]
