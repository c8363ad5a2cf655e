"""Errors of pydantic as sentences, with paths into the data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from nnrun.config.schema.base.block import MOST_LOOKED_AT, ConfigIssue
from nnrun.config.yaml.parse import KeyPath
from nnrun.config.yaml.scalars import write_scalar

_PHRASES = {"list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"}


def issues(error: ValidationError, data: Any) -> Iterator[ConfigIssue]:
    """Every mistake once, as a sentence, with its path in the data that was validated."""
    found = [_issue(e, data) for e in error.errors(include_url=False)]
    above = {path[:length] for path in {c.path for c in found} for length in range(len(path))}
    settled = {c.path for c in found if not c.phrase}
    expected: dict[KeyPath, list[ConfigIssue]] = {}
    for issue in found:
        if issue.phrase:
            expected.setdefault(issue.path, []).append(issue)
        else:
            yield issue
    for number, (path, alternatives) in enumerate(expected.items()):
        # A value with an error inside one of its possible forms was meant in that form.
        if path not in above and path not in settled:
            hinting = number < MOST_LOOKED_AT
            message = _sentence(value_at(data, path), alternatives, hinting=hinting)
            yield ConfigIssue(message, path, phrase=alternatives[0].phrase)


def value_at(data: Any, path: KeyPath) -> Any:
    """The value at a path that exists."""
    for step in path:
        data = data[step]
    return data


def _issue(error: Any, data: Any) -> ConfigIssue:
    path = _existing(error["loc"], data)
    issue = error.get("ctx", {}).get("issue")
    if isinstance(issue, ConfigIssue):
        return replace(issue, path=(*path, *issue.path))
    return ConfigIssue(path=path, phrase=_PHRASES.get(error["type"], "what is expected here"))


def _existing(location: KeyPath, data: Any) -> KeyPath:
    """The location without the names of alternatives that pydantic puts between its steps."""
    path: KeyPath = ()
    for step in location:
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_list or (isinstance(data, dict) and step in data):
            data = data[step]
            path = (*path, step)
    return path


def _sentence(value: Any, alternatives: list[ConfigIssue], *, hinting: bool) -> str:
    phrases = " or ".join(dict.fromkeys(issue.phrase for issue in alternatives))
    if value is None:
        return f"nothing is given here; write {phrases}"
    hints = (issue.hint() for issue in alternatives if hinting)
    hint = next((hint for hint in hints if hint), "") or _other_form(value, phrases)
    return f"{show(value)} is not {phrases}{hint}"


def _other_form(value: Any, phrases: str) -> str:
    """What to do about one value in place of a list, or several in place of one."""
    if isinstance(value, str | int | float) and re.match("a list(?!.* or )", phrases):
        return f"; write [{write_scalar(value)}]"
    several = isinstance(value, list) and len(value) > 1 and "list" not in phrases
    if several and not any(isinstance(item, dict | list) for item in value):
        return "; nnrun sweep tries several values, listed under sweep.grid"
    return ""


def show(value: object) -> str:
    """A value as in a config file, but never longer than a few words."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        shown = f"[{', '.join(show(item) for item in value)}]"
        return shown if len(shown) <= 40 else "a list"
    if value is None or isinstance(value, bool | int | float):
        shown = write_scalar(value)
    else:
        shown = f"'{value}'".replace("\n", "\\n")
    return shown if len(shown) <= 60 else f"{shown[:56]}...{shown[-1]}"
