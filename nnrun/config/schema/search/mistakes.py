"""Mistakes in the distributions of a search, each at its place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from typing import Any

from nnrun.config.schema.base.block import ConfigIssue
from nnrun.config.schema.base.pydantic_errors import show
from nnrun.config.schema.search.distributions import DEPTH, FORMS, OF_DEPTH, is_distribution
from nnrun.config.yaml.dump import flow
from nnrun.config.yaml.parse import KeyPath
from nnrun.suggestions import suggestion

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
