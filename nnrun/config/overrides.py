"""Arguments of the form `key=value`, and what they change in a config."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from nnrun.config.schema.block import show
from nnrun.config.schema.dataset import takes_path
from nnrun.config.schema.network import stack_layers
from nnrun.config.source_map import Source, copied
from nnrun.config.yaml import MAX_DEPTH, KeyPath, Text, format_path, parse
from nnrun.config.yaml_scalars import flow, read_scalar
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


WITH_DEFAULTS: frozenset[KeyPath] = frozenset(
    {
        *((key,) for key in ("members", "loss")),
        *(("dataset", key) for key in ("split", "dates", "lags", "missing")),
        *(("dataset", "columns", key) for key in ("embedding", "missing", "formats")),
        *(("network", "initializer"), ("training", "optimizer"), ("sweep", "grid")),
    }
)
"""The keys that may hold a block, of which null is no value of theirs."""

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
    if value is None and isinstance(container, dict) and _is_block(block, path):
        container.pop(key, None)  # so that its default holds
    else:
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


def _is_block(block: Any, path: KeyPath) -> bool:
    """Whether it is a block, or may be written as one."""
    return isinstance(block, dict) or path in WITH_DEFAULTS


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


# Arguments with several values, which span a grid.

MAX_RANGE = 1_000_000
_RANGE = re.compile(r"range\(([-+]?\d{1,18})(?:,([-+]?\d{1,18}))?(?:,([-+]?\d{1,18}))?\)", re.ASCII)
_CALL = re.compile(r"\w+\([^()]*,[^()]*\)")
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""", re.DOTALL)
_BRACKETS = re.compile(r"""[]\["'{}]""")


def parse_grid(arguments: Iterable[str]) -> dict[str, Sequence[Any]]:
    """The values of each key, from arguments `key=1,2,3` or `key=range(0,20)`.

    Commas within brackets and quotes belong to a value: `network.sizes=[13,1],[26,1]` is two.

    Raises:
        ConfigError: arguments that are malformed, empty, or give one key twice.
    """
    grid: dict[str, Sequence[Any]] = {}
    problems = []
    for argument in arguments:
        try:
            steps, text = split_argument(argument)
            key = ".".join(steps)
            if key in grid:
                raise OverrideError(f"{key} is given twice; write {key}=1,2")
            grid[key] = values_of(text)
        except OverrideError as error:
            problems.append(Problem(str(error), argument=argument))
    if problems:
        raise ConfigError(problems)
    return grid


def values_of(text: str) -> Sequence[Any]:
    """The values of a grid in the text of an argument.

    Raises:
        OverrideError: it is no list of values.
    """
    counted = _RANGE.fullmatch(text.replace(" ", ""))
    if counted:
        first, second, step = (None if part is None else int(part) for part in counted.groups())
        numbers = range(first or 0) if second is None else range(first or 0, second, step or 1)
        if step == 0 or not 0 < len(numbers) <= MAX_RANGE:
            raise OverrideError(f"'{text.strip()}' holds no numbers, or more than {MAX_RANGE:,}")
        return numbers
    if _CALL.fullmatch(text.strip()):
        raise OverrideError(
            f"'{text.strip()}' is no list of values: range takes one to three whole numbers, and "
            "there is no other function; write the values, as 0.1,0.2"
        )
    pieces = _split_at_commas(text)
    if len(pieces) > 1 and not all(piece.strip() for piece in pieces):
        raise OverrideError("there is a comma with nothing before or after it")
    return [parse_value(piece) for piece in pieces]


def _split_at_commas(text: str) -> list[str]:
    """The pieces between commas that stand outside of brackets and quotes."""
    if not _BRACKETS.search(text):
        return text.split(",")
    pieces, begin, depth, position = [], 0, 0, 0
    at_start = True  # a quote opens quoted text only there, not in a word like it's
    while position < len(text):
        quoted = _QUOTED.match(text, position) if at_start else None
        character = text[position]
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth <= 0:
            pieces.append(text[begin:position])
            begin = position + 1
        at_start = character in ",:[{" or (at_start and character.isspace())
        position = quoted.end() if quoted else position + 1
    return [*pieces, text[begin:]]


# Values of a grid that give no settings of their own, since other keys replace what differs.


@dataclass(frozen=True)
class Replaced:
    """A value that gives the same settings as an earlier one.

    Args:
        key: in dotted form.
        index: of the value.
        message: the mistake, and what to do.
        excluded_by: the keys that exclude this one, as `iterations` does `epochs`.
    """

    key: str
    index: int
    message: str
    excluded_by: Sequence[str]


def replaced(data: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]) -> Iterator[Replaced]:
    """The first such value of each key of a grid; `data` are those of the config.

    Values that are equal by themselves, such as 1 and 1.0, are none.
    """
    for key, values in grid.items():
        others = [other for other in grid if _may_replace(other, key)] if len(values) > 1 else []
        if not others:
            continue
        # A null excludes no other key, so beside it a value may give settings of its own.
        first = {k: None if k in others and None in v else v[0] for k, v in grid.items()}
        rest = {k: v for k, v in first.items() if k not in others}
        known: dict[str, Any] = {}
        for index, value in enumerate(values):
            together = _made(data, key, {**first, key: value})
            same = value if together is None else known.setdefault(together, value)
            if same is value or _made(data, key, rest | {key: same}) == _made(
                data, key, rest | {key: value}
            ):
                continue
            what = " and ".join(f"'{other}'" for other in others)
            verb = "replaces" if len(others) == 1 else "replace"
            message = (
                f"some values give the same settings, since {what} {verb} what differs; remove one "
                "of these keys, or values that come to the same"
            )
            excluding = [o for o in others if steps_of(key) in RIVALS.get(steps_of(o), ())]
            yield Replaced(key, index, message, excluding)
            break


def _may_replace(other: str, key: str) -> bool:
    """Whether a key is inside of another, or excludes it or what it is inside of."""
    steps, inside = steps_of(key), steps_of(other)
    if other != key and inside[: len(steps)] == steps:
        return True
    rivals = (r for end in range(1, len(inside) + 1) for r in RIVALS.get(inside[:end], ()))
    return any(steps[: len(rival)] == rival for rival in rivals)


def _made(data: Mapping[str, Any], key: str, values: Mapping[str, Any]) -> str | None:
    """The block around a key with these values, as text; None if they cannot be set."""
    block = steps_of(key)[0]
    source = Source({block: copied(data[block])} if block in data else {})
    overrides = [
        Override("", steps, copied(value))
        for name, value in values.items()
        if (steps := steps_of(name))[0] == block
    ]
    if any(apply_overrides(source, outermost_first(overrides))):
        return None
    return json.dumps(source.data[block], sort_keys=True, default=repr)
