"""Arguments of the form `key=value`, and what they change in a config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from nnrun.config.schema.base.pydantic_errors import show
from nnrun.config.schema.data.dataset import takes_path
from nnrun.config.schema.network import stack_layers
from nnrun.config.yaml.dump import flow
from nnrun.config.yaml.parse import MAX_DEPTH, KeyPath, format_path, parse
from nnrun.config.yaml.scalars import read_scalar
from nnrun.config.yaml.source_map import Source
from nnrun.config.yaml.text import Text
from nnrun.errors import ConfigError, Problem, clipped

_INDEX = re.compile(r"\[(\d+)\]")
_NUMBER = re.compile(r" *[-+]?\.?[0-9][0-9.]{,40}([eE][-+]?[0-9]{1,9})? *", re.ASCII)
"""Text that is a number to any reader of YAML, or a plain word; most values of large grids are."""
_WORDS = {"optimizer", "loss", "initializer"}
"""Blocks that may be written as a single word, their `type`."""

_RATES = ("peak", "initial", "value")
"""The key of a schedule that has its rate; a peak rather than what comes before."""
_NOTE_OF_RATE = (
    "training.learning_rate sets '{inner}' of the config's schedule '{schedule}'; for a constant "
    "rate, write 'training.learning_rate={{schedule: constant, value: …}}'"
)

RIVALS: dict[KeyPath, tuple[KeyPath, ...]] = {
    ("training", "iterations"): (("training", "epochs"),),
    ("training", "epochs"): (("training", "iterations"),),
    ("network", "layers"): (("network", "sizes"), ("network", "activations")),
    ("network", "sizes"): (("network", "layers"),),
    ("network", "activations"): (("network", "layers"),),
    ("dataset", "name"): (("dataset", "path"), ("dataset", "columns"), ("dataset", "images")),
    ("dataset", "path"): (("dataset", "name"), ("dataset", "images")),
    ("dataset", "images"): (("dataset", "path"), ("dataset", "columns"), ("dataset", "name")),
}
"""The keys that an argument replaces besides its own."""


_DEFAULTS: dict[KeyPath, dict[str, Any]] = {("training", "optimizer"): {"type": "sgd"}}
"""What completes a block that is not in the file when an argument sets one of its keys."""


@dataclass(frozen=True)
class Override:
    """An argument `key=value`, read."""

    argument: str
    steps: tuple[str, ...]
    value: Any


class OverrideError(ValueError):
    """An argument that cannot be applied."""

    def __init__(self, message: str, path: KeyPath = ()) -> None:
        super().__init__(message)
        self.path = path


@lru_cache(maxsize=1024)
def steps_of(key: str) -> tuple[str, ...]:
    """The steps of a dotted key."""
    return split_argument(f"{key}=")[0]


def is_key(key: str) -> bool:
    """Whether it is a dotted key."""
    try:
        steps_of(key)
    except OverrideError:
        return False
    return True


def split_argument(argument: str) -> tuple[tuple[str, ...], str]:
    """The steps of the key, and the text of the value.

    Raises:
        OverrideError: it is not of the form `key=value`.
    """
    key, equals, value = argument.partition("=")
    steps = tuple(_INDEX.sub(r".\1", key.strip()).split("."))
    if not equals:
        raise OverrideError("this is not of the form key=value")
    if not all(steps):
        raise OverrideError(f"{show(key)} is not a key in dotted form, like training.learning_rate")
    if len(steps) > MAX_DEPTH:
        raise OverrideError(f"a key of {len(steps):,} steps; a config has at most {MAX_DEPTH}")
    if steps[:2] == ("sweep", "grid") and len(steps) > 3:
        steps = (*steps[:2], ".".join(steps[2:]))
    if steps[0] == "search" and len(steps) > 2:
        steps = ("search", ".".join(steps[1:]))
    return steps, value


def parse_value(text: str) -> Any:
    """The value that a piece of YAML 1.2 stands for.

    Raises:
        OverrideError: it is not YAML.
    """
    if _NUMBER.fullmatch(text):
        return read_scalar(text.strip(" "))
    try:
        document = parse(Text(text, "argument"))
    except ConfigError as error:
        raise OverrideError(error.problems[-1].message) from None
    if document.problems:
        raise OverrideError(document.problems[0].message)
    return document.data


def format_override(key: str, value: Any) -> str:
    """The argument that sets this key to this value."""
    return f"{key}={flow(value)}"


def format_grid(key: str, values: Any) -> str:
    """The argument that tries each value of a list for this key, or sets one value."""
    if not isinstance(values, list):
        return format_override(key, values)
    if not values:
        message = "the list of its values is empty"
        raise ConfigError([Problem(message, key)])
    return f"{key}={','.join(flow(value) for value in values)}"


def parse_overrides(arguments: Iterable[str]) -> tuple[list[Override], list[Problem]]:
    """The arguments that can be read, and the problems of the others."""
    overrides, problems = [], []
    for argument in arguments:
        try:
            steps, text = split_argument(argument)
            overrides.append(Override(argument, steps, parse_value(text)))
        except OverrideError as error:
            problems.append(Problem(str(error), argument=argument))
    return outermost_first(overrides), problems


def outermost_first(overrides: Iterable[Override]) -> list[Override]:
    """Blocks before the keys in them, which a block that came later would replace."""
    return sorted(overrides, key=lambda override: len(override.steps))


def apply_overrides(source: Source, overrides: Iterable[Override]) -> Iterator[Problem]:
    """Apply the arguments to the source's data; if a key is given twice, the last one counts.

    Yields:
        The problems of arguments that cannot be applied.
    """
    # `sizes` and `activations` come first, since layers are changed in the long form.
    for override in sorted(overrides, key=lambda override: _is_layer(override.steps)):
        try:
            assign(source, override.steps, override.value, override.argument)
        except OverrideError as error:
            path = format_path(error.path)
            yield Problem(str(error), path, argument=override.argument)


def assign(source: Source, steps: Sequence[str], value: Any, argument: str) -> KeyPath:
    """Set one value in the source's data, and return where that is.

    Raises:
        OverrideError: a step of the key does not exist.
    """
    if _is_layer(steps):
        _write_out_stack(source)
    if source.data is None:
        source.data = {}
    container, path = source.data, KeyPath()
    for step, following in pairwise(steps):
        key = _key(container, step, path)
        path = (*path, key)
        child = container.get(key) if isinstance(container, dict) else container[int(key)]
        if isinstance(child, str) and step in _WORDS:
            child = container[key] = {"type": child}
        elif child is None and _is_index(following):
            message = f"there is no list {format_path(path)} with an entry {following}"
            raise OverrideError(message, path)
        elif child is None:
            child = container[key] = dict(_DEFAULTS.get(path, {}))
            source.forget(path)
            source.arguments[path] = argument
        container = child
    key = _key(container, steps[-1], path)
    path = (*path, key)
    block = source.at(path)
    if isinstance(block, dict) and (inner := rate_within(path, block, value)):
        if inner != "value":  # of a schedule that is a constant already
            source.notes.append(_NOTE_OF_RATE.format(inner=inner, schedule=block.get("schedule")))
        container, key, path = block, inner, (*path, inner)
    elif _loses_keys(block, value) and path not in source.arguments:
        name = format_path(path)
        source.notes.append(f"{name} replaces all of {clipped(flow(block))} in the config")
    source.forget(path)
    container[key] = value
    source.arguments[path] = argument
    _remove_rivals(source, path, value)
    return path


def rate_within(path: Sequence[str | int], block: Mapping[str, Any], value: Any) -> str | None:
    """The key of a schedule that a number sets in place of all of it; None for other values."""
    if tuple(path) != ("training", "learning_rate") or not is_number(value):
        return None
    return next((key for key in _RATES if key in block), None)


def is_number(value: Any) -> bool:
    """Whether it is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _loses_keys(block: Any, value: Any) -> bool:
    """Whether a block has keys besides its kind, and the value, such as a word, has none."""
    keys = {*block} - {"type"} if isinstance(block, dict) else ()
    return bool(keys) and value is not None and not isinstance(value, dict | list)


def _key(container: Any, step: str, path: KeyPath) -> str | int:
    """The step as a key of this mapping or an index of this list."""
    name = format_path(path) or "the config"
    if isinstance(container, dict):
        return step
    if not isinstance(container, list):
        raise OverrideError(f"{name} is {show(container)}, which has no '{step}'", (*path, step))
    if not _is_index(step):
        message = f"{name} is a list; write a number for one of its entries, like {name}.0"
        raise OverrideError(message, (*path, step))
    if step != str(int(step)):  # as a key of its own, it would be a second one for the same place
        message = f"{name} has no entry {step}; the number is written {int(step)}"
        raise OverrideError(message, (*path, step))
    if int(step) >= len(container):
        known = f"its entries are 0 to {len(container) - 1}" if container else "it is empty"
        raise OverrideError(f"{name} has no entry {step}; {known}", (*path, int(step)))
    return int(step)


def _is_index(step: str) -> bool:
    return step.isdecimal() and step.isascii() and len(step) < 10


def _is_layer(steps: Sequence[str]) -> bool:
    return tuple(steps[:2]) == ("network", "layers") and len(steps) > 2


def _write_out_stack(source: Source) -> None:
    """Turn the short form of a network to the long one in the data, if it is complete."""
    network = source.data.get("network") if isinstance(source.data, dict) else None
    if not isinstance(network, dict) or "layers" in network:
        return
    sizes, activations = network.get("sizes"), network.get("activations")
    if isinstance(sizes, list) and isinstance(activations, list) and len(sizes) == len(activations):
        network["layers"] = stack_layers(sizes, activations)
        del network["sizes"], network["activations"]


def _remove_rivals(source: Source, path: KeyPath, value: Any) -> None:
    block = source.data.get(path[0])
    if value is None or not isinstance(block, dict):
        return
    if path[0] == "dataset" and takes_path(block.get("name")):
        return
    for rival in RIVALS.get(path, ()):
        if rival[1] in block:
            source.forget(rival)
            del block[rival[1]]
