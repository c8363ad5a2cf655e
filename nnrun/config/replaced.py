"""Values of a grid that give no settings of their own, since other keys replace what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun.config.overrides import RIVALS, Override, apply_overrides, outermost_first, steps_of
from nnrun.config.yaml.source_map import Source, copied


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
