"""The `search` block: the values to choose from for each key, and what contradicts in them.

A distribution is a mapping with one of `FORMS`. An option of a choice may hold distributions of its
own, which are drawn only where that option is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict
from pydantic.config import JsonDict
from pydantic_core import CoreSchema, core_schema

from nnrun.config.names import changes_nothing
from nnrun.config.schema.block import MOST_LOOKED_AT, Block, ConfigIssue, show
from nnrun.config.schema.fields import Flag, Integer, Kind, OneOf
from nnrun.config.yaml import KeyPath
from nnrun.config.yaml_scalars import flow
from nnrun.suggestions import nearest, suggestion

FORMS = ("uniform", "log_uniform", "int", "choice")
DEPTH = "network.depth"
"""The key of how many hidden layers there are."""
OF_DEPTH = ("units", "activation", "dropout")
"""What may vary with the depth: units of each hidden layer, and what all of them share."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; on a logarithmic scale, or in steps."""

    low: float
    high: float
    whole: bool
    log: bool = False
    step: float | None = None

    @property
    def tried(self) -> list[Any]:
        """Its ends, and of a range of fractions one between them, for keys of whole numbers."""
        if self.whole:
            return [self.low, self.high]
        step = 0.382 * (self.high - self.low) if self.step is None else self.step
        return [self.low, self.high, float(f"{self.low + step:.12g}")]

    @property
    def is_discrete(self) -> bool:
        """Whether it has few enough numbers to try each of them."""
        return self.whole or self.step is not None

    @property
    def count(self) -> int:
        """How many numbers a discrete range has."""
        return int((self.high - self.low) / (self.step or 1) + 1e-9) + 1

    def at(self, number: int) -> Any:
        """A number of a discrete range, counted from 0."""
        return self.low + number * (self.step or 1)


@dataclass(frozen=True)
class Choice:
    """One of several options, which may hold distributions."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Depth:
    """How many hidden layers, and what varies with their number."""

    layers: Range
    inner: Mapping[str, Range | Choice]


Distribution = Range | Choice | Depth


def is_distribution(value: Any) -> bool:
    """Whether a value within an option is a distribution."""
    return isinstance(value, dict) and any(form in value for form in FORMS)


def read_distribution(value: Any, key: str = "") -> Distribution:
    """The distribution that a valid mapping describes; `key` is the dotted key that it is of."""
    if key == DEPTH:
        inner = {name: read_distribution(value[name]) for name in OF_DEPTH if name in value}
        own = {name: part for name, part in value.items() if name not in inner}
        layers = read_distribution(own)
        assert isinstance(layers, Range)
        return Depth(layers, {k: d for k, d in inner.items() if not isinstance(d, Depth)})
    if "choice" in value:
        return Choice(tuple(map(read_option, value["choice"])))
    form = next(form for form in FORMS if form in value)
    low, high = value[form]
    step = value.get("step")
    if form == "int":
        whole = None if step is None else int(step)
        return Range(int(low), int(high), True, bool(value.get("log", False)), whole)
    return Range(float(low), float(high), False, form == "log_uniform", step)


def read_option(value: Any) -> Any:
    """An option of a choice, with the distributions that it holds read."""
    if is_distribution(value):
        return read_distribution(value)
    if isinstance(value, dict):
        return {key: read_option(part) for key, part in value.items()}
    return [read_option(part) for part in value] if isinstance(value, list) else value


def samples(found: Any) -> Iterator[Any]:
    """Values that show whether a key takes what a distribution gives."""
    if isinstance(found, Range):
        yield from found.tried
    elif isinstance(found, Choice):
        for option in found.options:
            yield from samples(option)
    elif isinstance(found, dict):
        tried = {key: [*samples(part)] for key, part in found.items()}
        for at in range(max(map(len, tried.values()), default=1)):
            yield {key: values[min(at, len(values) - 1)] for key, values in tried.items()}
    elif isinstance(found, list):
        for numbered in samples(dict(enumerate(found))):
            yield [*numbered.values()]
    else:
        yield found


def is_conditional(found: Any) -> bool:
    """Whether it holds distributions that are drawn only for some of its values."""
    if isinstance(found, Depth):
        return "units" in found.inner
    if isinstance(found, Choice):
        return any(holds_distribution(option) for option in found.options)
    return False


def holds_distribution(value: Any) -> bool:
    """Whether there is a distribution in an option."""
    if isinstance(value, Range | Choice):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(holds_distribution, parts))


# Mistakes in the distributions of a search, each at its place.

_EXAMPLES = "{log_uniform: [1e-4, 1]}, {uniform: [0, 0.5]}, {int: [8, 128]} or {choice: [1, 16]}"
_EXTRAS = {"uniform": ("step",), "log_uniform": (), "int": ("log", "step"), "choice": ()}
# Strings and mappings are alike: `sgd` is short for {type: sgd}.
_KINDS: dict[type, str] = {bool: "truth values", int: "numbers", float: "numbers", list: "lists"}
_WORDS = "names"
MOST_DEPTH = 100
"""How many hidden layers a search may try."""


def issues_of(value: Any, path: KeyPath, key: str = "") -> Iterator[ConfigIssue]:
    """The mistakes in the distribution of a key, at this path; `key` is dotted."""
    if not isinstance(value, dict):
        listed = f"; write {{choice: {flow(value)}}}" if isinstance(value, list) and value else ""
        yield ConfigIssue(f"{show(value)} is no distribution like {_EXAMPLES}{listed}", path)
        return
    forms = [form for form in FORMS if form in value]
    if len(forms) != 1:
        yield from _without_form(value, forms, path)
        return
    (form,) = forms
    known = (*_EXTRAS[form], *(OF_DEPTH if key == DEPTH else ()))
    for name in value:
        if name not in (form, *known):
            message = f"'{name}' is not a key of {form}{suggestion(name, known)}"
            yield ConfigIssue(message, (*path, name), "key")
    if key == DEPTH:
        yield from _of_depth(form, value, path)
    check = _of_choice if form == "choice" else _of_range
    yield from check(form, value, path)


def _without_form(value: dict[Any, Any], forms: list[str], path: KeyPath) -> Iterator[ConfigIssue]:
    if forms:
        message = f"'{forms[0]}' says already what to choose from; remove one of the two"
        yield ConfigIssue(message, (*path, forms[1]), "key")
        return
    for name in value:
        message = f"'{name}' is no distribution like {_EXAMPLES}{suggestion(name, FORMS)}"
        yield ConfigIssue(message, (*path, name), "key")
        return
    yield ConfigIssue(f"the mapping is empty; write one like {_EXAMPLES}", path)


def _of_range(form: str, value: dict[str, Any], path: KeyPath) -> Iterator[ConfigIssue]:
    place, bounds = (*path, form), value[form]
    what = "whole numbers" if form == "int" else "numbers"
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(_is_number, bounds)):
        yield ConfigIssue(f"{form} takes two {what}, like [1, 8]: the smallest, the largest", place)
        return
    for index, bound in enumerate(bounds):
        if form == "int" and bound != int(bound):
            yield ConfigIssue(f"{show(bound)} is not a whole number", (*place, index))
            return
    low, high = bounds
    log, step = form == "log_uniform" or value.get("log") is True, value.get("step")
    if low == high:
        yield ConfigIssue(f"the range is empty: both ends are {show(low)}", place)
    elif low > high:
        message = f"the range is reversed; write [{show(high)}, {show(low)}]"
        yield ConfigIssue(message, place)
    elif log and low <= 0:
        message = f"{show(low)} has no logarithm; a logarithmic range begins above 0"
        yield ConfigIssue(message, (*place, 0))
    if not isinstance(value.get("log", False), bool):
        yield ConfigIssue(f"{show(value['log'])} is not true or false", (*path, "log"))
    if step is None:
        return
    if not _is_number(step) or step <= 0 or (form == "int" and step != int(step)):
        yield ConfigIssue(
            f"{show(step)} is no step; it is one of the {what} above 0", (*path, "step")
        )
    elif log and form == "int":
        yield ConfigIssue("a logarithmic range has no steps", (*path, "step"), "key")
    elif not log and step > high - low > 0:
        yield ConfigIssue(f"the step is larger than the range, {high - low:g}", (*path, "step"))


def _of_choice(form: str, value: dict[str, Any], path: KeyPath) -> Iterator[ConfigIssue]:
    place, options = (*path, form), value[form]
    if not isinstance(options, list) or len(options) < 2:
        nothing = "the list is empty" if options == [] else f"{show(options)} leaves no choice"
        yield ConfigIssue(f"{nothing}; give a list of two options or more", place)
        return
    shown = [flow(option) for option in options]
    for index, text in enumerate(shown):
        if text in shown[:index]:
            yield ConfigIssue(f"{text} is given twice", (*place, index))
    kinds = [(at, kind) for at, option in enumerate(options) if (kind := _kind(option))]
    for (_, before), (at, kind) in pairwise(kinds):
        if kind != before:
            message = f"the options are of unlike types: {before}, and {show(options[at])}"
            yield ConfigIssue(message, (*place, at))
            break
    for index, option in enumerate(options):
        if is_distribution(option):
            message = "an option holds distributions at keys of its own; it is none itself"
            yield ConfigIssue(message, (*place, index))
        else:
            yield from _within(option, (*place, index))


def _within(option: Any, path: KeyPath) -> Iterator[ConfigIssue]:
    """The mistakes of distributions that an option holds."""
    if is_distribution(option):
        yield from issues_of(option, path)
    elif isinstance(option, dict | list):
        parts = option.items() if isinstance(option, dict) else enumerate(option)
        for key, part in parts:
            yield from _within(part, (*path, key))


def _of_depth(form: str, value: dict[str, Any], path: KeyPath) -> Iterator[ConfigIssue]:
    """The mistakes in what varies with the number of layers."""
    if form != "int":
        message = f"a number of layers is {{int: [1, 4]}}, not {form}"
        yield ConfigIssue(message, (*path, form), "key")
        return
    bounds = value[form]
    if isinstance(bounds, list) and bounds and _is_number(bounds[0]) and bounds[0] < 0:
        yield ConfigIssue("there cannot be fewer than 0 layers", (*path, form, 0))
    if isinstance(bounds, list) and bounds and _is_number(bounds[-1]) and bounds[-1] > MOST_DEPTH:
        message = (
            f"{show(bounds[-1])} hidden layers are too many; a search tries {MOST_DEPTH} at most"
        )
        yield ConfigIssue(message, (*path, form, len(bounds) - 1))
    for name in OF_DEPTH:
        if name in value:
            yield from issues_of(value[name], (*path, name))


def _kind(option: Any) -> str:
    """The type of an option in words; "" for null, which goes with all."""
    if option is None:
        return ""
    return _KINDS.get(type(option), _WORDS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


# The `search` block: its options, and the keys that it varies.

SAMPLERS = ("tpe", "random", "quasi_random", "cma_es", "grid")
PRUNINGS = ("none", "halving", "asynchronous_halving", "median")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = re.compile(r"(\d+(?:\.\d+)?) ?([smhd])", re.ASCII)
_SEEDS = ("seed", "dataset.split.seed", "dataset.split.test_seed", "dataset.fold")
_DATA = ("dataset.name", "dataset.path", "dataset.images", "dataset.columns.target")
_SIZES = ("dataset.test_size", "dataset.validation_size", "dataset.folds", "dataset.hide_test")
_FORM: JsonDict = {
    "type": "object",
    "description": "What to choose from: one of uniform, log_uniform, int, choice.",
    "anyOf": [{"required": [form]} for form in FORMS],
    "properties": {
        **{
            form: {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
            for form in FORMS[:3]
        },
        "choice": {"type": "array", "minItems": 2},
        "log": {"type": "boolean"},
        "step": {"type": "number", "exclusiveMinimum": 0},
    },
}


@dataclass(frozen=True)
class Duration(Kind):
    """A time: seconds, or a number with a unit."""

    phrase = "a time above 0, like 90s, 10m or 2h"
    example = "10m"

    def prepare(self, value: Any) -> Any:
        if isinstance(value, str):
            return seconds_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        return float(value)

    def schema(self) -> CoreSchema:
        return core_schema.float_schema(gt=0, allow_inf_nan=False)

    def in_json(self) -> dict[str, Any]:
        return {"type": ["string", "number"]}


def seconds_of(text: str) -> float:
    """The seconds of a time such as `90s`, `10m` or `2h`; a ValueError for other texts."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return float(found[1]) * _UNITS[found[2]]


def seconds_of_argument(text: str) -> float:
    """The seconds of a time in an argument, where a number alone counts them; else as above."""
    return seconds_of(f"{text}s" if text[-1:].isdecimal() else text)


class SearchConfig(Block):
    """What `nnrun search` varies: keys in dotted form with what to choose from, and options."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "patternProperties": {r"^(loss|[a-z_]+\.[A-Za-z0-9_.]+)$": _FORM},
            "additionalProperties": False,
        },
    )
    noun: ClassVar[str] = "search"
    must_be: ClassVar[str] = "a mapping like {training.learning_rate: {log_uniform: [1e-4, 1]}}"
    __pydantic_extra__: dict[str, Any]

    trials: Annotated[int, Integer(gt=0, le=100_000)] | None = None
    """How many settings to try; by default 50, or with `time` as many as fit."""
    time: Annotated[float, Duration()] | None = None
    """How long trials, final comparison and test may take in all: 90s, 10m, 2h. No run begins after
    that."""
    sampler: Annotated[str, OneOf(SAMPLERS, "a sampler")] = "tpe"
    """How settings are proposed: a Parzen estimator, at random, evenly by a Sobol sequence, by
    CMA-ES, or all of a grid."""
    seeds: Annotated[int, Integer(gt=0, le=1000)] = 1
    """How many seeds, and so splits, judge each trial."""
    pruning: Annotated[str, OneOf(PRUNINGS)] = "none"
    """How bad trials end early, by their validation curves: successive halving of groups,
    halving of each trial among those before it, or worse than the median of these."""
    reduction: Annotated[int, Integer(ge=2, le=16)] = 3
    """One in this many trials goes on at a rung, and each rung has this many times the updates."""
    rungs: Annotated[int, Integer(ge=1, le=6)] = 2
    """How many times a trial may end before its end."""
    window: Annotated[int, Integer(ge=1, le=4096)] = 8
    """How many trials may be in progress: a trial is proposed from those this many before it."""
    top: Annotated[int, Integer(ge=1, le=100)] = 5
    """How many of the best settings are trained again on fresh seeds, for the final comparison."""
    fresh_seeds: Annotated[int, Integer(ge=2, le=1000)] = 5
    """How many seeds the final comparison has."""
    random: Annotated[bool, Flag()] | None = None
    """Whether a random search of the same budget is made too; by default unless `time` is given."""

    @property
    def space(self) -> dict[str, Distribution]:
        """What to choose from, by dotted key."""
        found = self.model_extra or {}
        return {key: read_distribution(value, key) for key, value in found.items()}

    @classmethod
    def contradictions(cls, data: dict[str, Any]) -> Iterator[ConfigIssue]:
        keys = [key for key in data if key not in cls.model_fields]
        for number, key in enumerate(keys):
            if changes_nothing(key):
                yield ConfigIssue(f"'{key}' changes no result, so no search", (key,), "key")
            elif key in (*_SEEDS, *_SIZES, *_DATA):
                message = f"'{key}' decides which rows judge a trial; a search cannot choose it"
                yield ConfigIssue(message, (key,), "key")
            elif "." not in key and key != "loss":
                yield _no_key(key, data[key], cls, looked_at=number < MOST_LOOKED_AT)
            else:
                yield from issues_of(data[key], (key,), key)
        if data.get("sampler") == "grid":
            yield from _off_grid(data, keys)


def _no_key(key: str, value: Any, block: type[Block], *, looked_at: bool) -> ConfigIssue:
    message = f"'{key}' is not a key of search"
    if isinstance(value, dict) and value and not is_distribution(value):
        return ConfigIssue(
            f"{message}; keys are dotted, like {key}.{next(iter(value))}", (key,), "key"
        )
    near = nearest(key, tuple(block.model_fields)) if looked_at else None
    if near:
        return ConfigIssue(f"{message}; did you mean '{near}'?", (key,), "key")
    dotted = "; keys are dotted, like training.learning_rate"
    # `config/hints.py` adds which block has this key.
    return ConfigIssue(message, (key,), "key", hint=lambda: dotted, unknown=key)


def _off_grid(data: dict[str, Any], keys: list[str]) -> Iterator[ConfigIssue]:
    """Ranges that have no steps to try all of."""
    for key in keys:
        value = data[key]
        if not isinstance(value, dict):
            continue
        for form in ("uniform", "log_uniform"):
            if form in value and "step" not in value:
                remedy = "add 'step'" if form == "uniform" else "write a choice"
                message = (
                    f"a grid cannot try all numbers of a range; {remedy}, or take another sampler"
                )
                yield ConfigIssue(message, (key, form), "key")
