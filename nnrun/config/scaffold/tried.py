"""Readings of columns beside those of a draft: what was tried, and the draft with some taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nnrun.characters import escaped
from nnrun.config.overrides import assign, format_override, parse_overrides
from nnrun.config.source_map import Source
from nnrun.config.yaml import Text, parse
from nnrun.config.yaml_scalars import flow
from nnrun.errors import clipped

Changes = Mapping[tuple[str, ...], Any]
"""Values by the steps of their keys."""


@dataclass(frozen=True)
class Tried:
    """A reading of some columns beside that of the draft.

    Args:
        columns: that are read in another way.
        arguments: overrides of the draft.
        outcome: `kept` is the draft's reading.
        metric: in words, such as "RMSE of price".
        draft: the mean over folds, as drafted; None where it is not known.
        reading: the mean with this reading, likewise.
        why: it was not tried, or not taken though it is better.
        together: whether these are several readings that were taken, checked at once.
    """

    columns: Sequence[str]
    arguments: Sequence[str]
    outcome: Literal["taken", "kept", "not tried", "not possible"]
    metric: str = ""
    draft: float | None = None
    reading: float | None = None
    why: str = ""
    together: bool = False

    @property
    def results(self) -> str:
        """Both results: `RMSE of price 2.9, as drafted 3.21`; empty where they are not known."""
        if self.draft is None or self.reading is None:
            return ""
        return f"{self.metric} {self.reading:.4g}, as drafted {self.draft:.4g}"

    @property
    def how(self) -> str:
        """The overrides on a line."""
        return escaped(clipped(" ".join(self.arguments).replace("dataset.", "")), kept="")

    @property
    def words(self) -> str:
        """All of it as a sentence."""
        results = self.results and f": {self.results}"
        why = self.why and f" ({self.why})"
        what = {"kept": "the draft's reading is kept"}.get(self.outcome, self.outcome)
        return f"{'together, ' * self.together}with {self.how}{results}; {what}{why}"


def changes_of(arguments: Sequence[str]) -> Changes:
    """What overrides set."""
    return {each.steps: each.value for each in parse_overrides(arguments)[0]}


def arguments_of(changes: Changes) -> list[str]:
    """The overrides that set these."""
    return [format_override(".".join(steps), value) for steps, value in changes.items()]


def joined(text: str, parts: Sequence[Changes]) -> Changes | None:
    """Several changes of a draft as one; None where two of them set one value differently.

    Of lists and mappings, what each of them adds and takes away counts.
    """
    source, found = _source(text), dict[tuple[str, ...], Any]()
    for steps in dict.fromkeys(steps for part in parts for steps in part):
        values = [part[steps] for part in parts if steps in part]
        before = _at(source.data, steps)
        if all(isinstance(value, dict) for value in values):
            found[steps] = _merged(before or {}, values)
        elif all(map(_holds_names, values)):
            keys: dict[str, Any] = dict.fromkeys(before or ())
            found[steps] = [*(_merged(keys, [*map(dict.fromkeys, values)]) or ())]
        elif any(value != values[0] for value in values):
            return None
        else:
            found[steps] = values[0]
        if found[steps] is None and values[0] is not None:
            return None
    return found


def _holds_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _merged(before: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any] | None:
    """What is left of one mapping, with all that is new; None where that is not the same."""
    merged = {key: old for key, old in before.items() if all(key in value for value in values)}
    new: dict[str, Any] = {}
    for value in values:
        changed = {k: v for k, v in value.items() if k not in before or before[k] != v}
        if any(new.get(key, v) != v for key, v in changed.items()):
            return None
        new |= changed
    return {**merged, **new}


def taken_of(tried: Sequence[Tried]) -> list[Tried]:
    """The readings that were taken, each by itself."""
    return [each for each in tried if each.outcome == "taken" and not each.together]


def rewritten(text: str, tried: Sequence[Tried]) -> str:
    """A draft with the readings that were taken, each with a comment that says so.

    Comments of the draft about what is not there any more are left out.
    """
    taken = taken_of(tried)
    changes = joined(text, [changes_of(each.arguments) for each in taken])
    assert changes is not None, "what is taken goes together"
    source, lines = _source(text), text.splitlines()
    for steps, value in changes.items():
        assign(source, steps, value, "")
    for steps in changes:
        notes = [each.results for each in taken if steps in changes_of(each.arguments)]
        lines = _with(lines, steps, source.data, "; ".join(dict.fromkeys(notes)))
    return "\n".join(lines) + "\n"


def _with(lines: list[str], steps: Sequence[str], data: Any, note: str) -> list[str]:
    """The lines with the value that `data` has for a key, on a line of its own."""
    start, end, depth = 0, len(lines), 0
    place = _place(lines, start, end, depth, steps[0])
    # A block on several lines is gone into; one within brackets is written anew as a whole.
    while depth + 1 < len(steps) and place is not None and lines[place[0]].endswith(":"):
        start, end, depth = place[0] + 1, place[1], depth + 1
        place = _place(lines, start, end, depth, steps[depth])
    key, indent, value = flow(steps[depth]), "  " * depth, _at(data, steps[: depth + 1])
    first, last = place or (end, end)
    line = [f"{indent}{key}: {flow(value)}  # tried: {note}"]
    if value in (None, [], {}):
        line = []
        while first > start and re.match(rf"{indent}# (?!\w+: [\[{{])", lines[first - 1]):
            first -= 1  # comments on what is left out
    block = [*lines[start:first], *line, *lines[last:end]]
    offered = re.compile(rf"{indent}# {re.escape(key)}: [\[{{]")
    return [*lines[:start], *(each for each in block if not offered.match(each)), *lines[end:]]


def _place(
    lines: Sequence[str], start: int, end: int, depth: int, key: str
) -> tuple[int, int] | None:
    """The lines of a key in a block."""
    head = f"{'  ' * depth}{flow(key)}:"
    for at in range(start, end):
        if lines[at].startswith(head):
            inner = "  " * (depth + 1)
            last = at + 1
            while last < end and lines[last].startswith(inner):
                last += 1
            return at, last
    return None


def _source(text: str) -> Source:
    return Source(parse(Text(text, "draft")).data)


def _at(data: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        data = data.get(step) if isinstance(data, dict) else None
    return data
