"""Descriptions of arguments, read from docstrings."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import getdoc
from typing import Any

_ENTRY = re.compile(r" {4}(\w+): (.*)")


def argument_docs(call: Callable[..., Any]) -> dict[str, str]:
    """The text of each entry under `Args:` in the docstring of a class or function."""
    _, _, section = (getdoc(call) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry:
            name = entry[1]
            found[name] = entry[2]
        elif line.startswith(" " * 8) and name:
            found[name] += f" {line.strip()}"
        else:
            break
    return {name: text.removesuffix(".") for name, text in found.items()}
