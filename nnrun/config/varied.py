"""Issues of the keys that a sweep or a search varies, and of the values that it gives them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from nnrun.config.overrides import OverrideError, assign, split_argument
from nnrun.config.schema.base.block import ConfigIssue
from nnrun.config.schema.search.distributions import DEPTH, FORMS, read_distribution, samples
from nnrun.config.schema.search.search import SearchConfig
from nnrun.config.yaml.parse import KeyPath
from nnrun.config.yaml.source_map import Source

_MOST_TRIED = 200
"""Only so many values are checked here; a sweep checks all when it plans."""
Validate = Callable[[Any], list[ConfigIssue]]
Tried = Iterator[tuple[str, KeyPath, list[tuple[KeyPath, Any]]]]


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
    said, tried = {*known}, 0
    for key, place, values in [*_of_grid(source.data), *_of_search(source.data, known)]:
        for path, value in values:
            if tried == _MOST_TRIED:
                return
            tried += 1
            refused = _refused(base, key, value, said, validate)
            if refused is not None and refused.part == "key":
                yield ConfigIssue(refused.message, place, "key")
                break
            if refused is not None:
                yield ConfigIssue(refused.message, path)


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
        if key in SearchConfig.model_fields or key in wrong or key == DEPTH:
            continue
        place: KeyPath = ("search", key)
        form = next(form for form in FORMS if form in value)
        found = read_distribution(value, key)
        at = range(len(value[form]))
        if form == "choice":
            options = (read_distribution({"choice": [value[form][i]] * 2}) for i in at)
            values = [(i, v) for i, option in enumerate(options) for v in samples(option)]
        else:
            values = [*enumerate(samples(found))]
        yield key, place, [((*place, form, index), value) for index, value in values]


def _refused(
    data: Any, key: str, value: Any, known: set[ConfigIssue], validate: Validate
) -> ConfigIssue | None:
    """The issue of one value, looked at alone."""
    trial = Source("", copy.deepcopy(data))
    try:
        steps, _ = split_argument(f"{key}=")
        path = assign(trial, steps, copy.deepcopy(value), "")
    except OverrideError as error:
        return ConfigIssue(str(error), part="key")
    for issue in validate(trial.data):
        concerned = issue.path[: len(path)] == path[: len(issue.path)]
        if concerned and (issue.phrase or issue.part == "key") and issue not in known:
            return issue
    return None
