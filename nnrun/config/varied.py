"""Issues of the keys that a sweep or a search varies, and of the values that it gives them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nnrun.config.overrides import OverrideError, assign, is_key, replaced, steps_of
from nnrun.config.schema.block import ConfigIssue
from nnrun.config.schema.search import (
    DEPTH,
    FORMS,
    SearchConfig,
    read_distribution,
    read_option,
    samples,
)
from nnrun.config.source_map import Source
from nnrun.config.yaml import KeyPath

_MOST_TRIED = 200
"""Only this many values are checked here; a sweep checks all when it plans. As many again are the
first of a key, by which one that is misspelt is found."""
_LAST = {"type": "dense", "units": 1, "activation": "linear"}
_WITH_HIDDEN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "units": lambda units: {"layers": [{**_LAST, "units": units}, _LAST]},
    "activation": lambda name: {"layers": [{**_LAST, "activation": name}, _LAST]},
    "dropout": lambda rate: {"layers": [_LAST, {"type": "dropout", "rate": rate}, _LAST]},
}
"""A network with a value of what varies with the depth."""
_WHOLE = {
    "uniform": "; for whole numbers, write int",
    "log_uniform": "; for whole numbers, write int with log: true",
}
"""What to write in place of a range of fractions, whose ends alone the key takes."""
_KINDS = ("type", "schedule", "name")
"""The keys that say of what kind a block is."""
Validate = Callable[[Any], list[ConfigIssue]]
Tried = Iterator[tuple[str, KeyPath, list[tuple[KeyPath, Any]]]]
Values = Mapping[str, Sequence[tuple[KeyPath, Any]]]


def varied_issues(
    source: Source, known: list[ConfigIssue], validate: Validate
) -> Iterator[ConfigIssue]:
    """Issues of keys that no argument could set, and of their values.

    Args:
        source: of the config.
        known: its other issues.
        validate: returns the issues of a config.
    """
    base = {**source.data, "sweep": None, "search": None}
    given = {tuple(map(str, path)) for path in source.arguments}
    trials = _Trials(base, {*known}, validate)
    grid, space = [*_of_grid(source.data)], [*_of_search(source.data, known)]
    for varied in (grid, space):
        several = {
            key: values
            for key, place, values in varied
            if values and place != ("search", DEPTH) and is_key(key)
            if varied is space or steps_of(key) not in given  # arguments replace those of a grid
        }
        yield from _without_effect(base, several)
        for key, place, values in varied:
            if trials.count >= 2 * _MOST_TRIED:
                return
            others = {o: ones for o, ones in several.items() if o != key and is_key(key)}
            yield from trials.issues(key, place, values, others)


@dataclass
class _Trials:
    """Tries values in a config, and counts how often.

    Args:
        base: the data of the config, without what it varies.
        known: its issues, which are not those of a value.
        validate: returns the issues of a config.
        count: how often a value was tried.
    """

    base: Any
    known: set[ConfigIssue]
    validate: Validate
    count: int = 0

    def issues(
        self, key: str, place: KeyPath, values: Sequence[tuple[KeyPath, Any]], others: Values
    ) -> Iterator[ConfigIssue]:
        """Issues of a key that stands at a place, and of its values, each with a place of its own.

        `others` are the values of the other keys.
        """
        wrong: list[KeyPath] = []
        for number, (path, value) in enumerate(values):
            if number and self.count >= _MOST_TRIED:
                return
            if any(other[: len(path)] == path for other in wrong):
                continue  # a value there was refused already
            issue = self._issue(key, value, others)
            if issue is None:
                continue
            if issue.part == "key" and not issue.path:
                yield ConfigIssue(issue.message, place, "key")
                return
            wrong.append(path)
            inside = () if place == ("search", DEPTH) else issue.path
            message = f"{issue.message}{_WHOLE.get(str(path[-1]), '')}"
            yield ConfigIssue(message, (*path, *inside), issue.part)

    def _issue(self, key: str, value: Any, others: Values) -> ConfigIssue | None:
        """The issue of a value; None if others decide whether it is valid: the plan checks that."""
        refused = self._refused(self.base, key, value)
        if refused is None:
            return None
        trials = _with_others(self.base, key, others, refused)
        return refused if all(self._refused(data, key, value) for data in trials) else None

    def _refused(self, data: Any, key: str, value: Any) -> ConfigIssue | None:
        """The issue of a value in a config, with its path within the value."""
        self.count += 1
        trial = Source(copy.deepcopy(data))
        try:
            path = assign(trial, steps_of(key), copy.deepcopy(value), "")
        except OverrideError as error:
            return ConfigIssue(str(error), part="key")
        for issue in self.validate(trial.data):
            concerned = issue.path[: len(path)] == path[: len(issue.path)]
            if concerned and (issue.phrase or issue.part == "key") and issue not in self.known:
                return ConfigIssue(issue.message, issue.path[len(path) :], issue.part)
        return None


def _with_others(base: Any, key: str, others: Values, refused: ConfigIssue) -> Iterator[Any]:
    """The data with values of other keys, with which a refused value of a key may be valid.

    A sweep trains each value with the first ones of all others, and so refuses one that is refused
    there. Further values are tried of keys that decide whether it is valid.
    """
    firsts = {other: ones[0][1] for other, ones in others.items()}
    if not firsts:
        return
    yield _with(base, firsts)
    for other, ones in others.items():
        if other in refused.message or _decides(steps_of(other), steps_of(key)):
            for _, one in ones[1:]:
                yield _with(base, {**firsts, other: one})


def _decides(other: Sequence[str], steps: Sequence[str]) -> bool:
    """Whether a key is that of a block around another, or names the kind of such a block."""
    block = other[:-1] if other[-1] in _KINDS else other
    return steps[: len(block)] == block


def _without_effect(base: Any, several: Values) -> Iterator[ConfigIssue]:
    """Issues of values that give the same settings as others, since other keys replace them."""
    grid = {key: [one for _, one in values] for key, values in several.items()}
    for found in replaced(base, grid):
        yield ConfigIssue(found.message, several[found.key][found.index][0])


def _of_grid(data: Any) -> Tried:
    sweep = data.get("sweep")
    grid = sweep.get("grid") if isinstance(sweep, dict) else None
    for key, values in grid.items() if isinstance(grid, dict) else ():
        place = ("sweep", "grid", key)
        listed = values if isinstance(values, list) else []
        yield key, place, [((*place, index), value) for index, value in enumerate(listed)]


def _of_search(data: Any, known: list[ConfigIssue]) -> Tried:
    """Ends of ranges and options, of keys whose distributions have no mistakes."""
    block = data.get("search")
    wrong = {issue.path[1] for issue in known if issue.path[:1] == ("search",) and issue.path[1:]}
    for key, value in block.items() if isinstance(block, dict) else ():
        if key in SearchConfig.model_fields or key in wrong:
            continue
        place: KeyPath = ("search", key)
        if key != DEPTH:
            yield key, place, [*_of_distribution(value, place)]
            continue
        for name, layers in _WITH_HIDDEN.items():
            inner = _of_distribution(value[name], (*place, name)) if name in value else ()
            yield "network", place, [(path, layers(one)) for path, one in inner]


def _of_distribution(value: dict[str, Any], place: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Values of a valid distribution, each with the place that gives it."""
    form = next(form for form in FORMS if form in value)
    inside = (*place, form)
    if form != "choice":
        for index, number in enumerate(samples(read_distribution(value))):
            yield ((*inside, index) if index < 2 else inside), number
        return
    for index, option in enumerate(value[form]):
        for one in samples(read_option(option)):
            yield (*inside, index), one


def _with(data: Any, values: Mapping[str, Any]) -> Any:
    """The data with values of other keys, of those that can be set."""
    trial = Source(copy.deepcopy(data))
    for key, value in sorted(values.items(), key=lambda item: len(steps_of(item[0]))):
        with suppress(OverrideError):
            assign(trial, steps_of(key), copy.deepcopy(value), "")
    return trial.data
