"""Descriptions of arguments and attributes, read from docstrings when they are shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from inspect import cleandoc, getdoc, getsource
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast

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


@cache
def attribute_docs(kind: type) -> dict[str, str]:
    """The text below each attribute of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        # A class that was made at run time has none.
        found |= _docs_in(base.__module__).get(base.__name__, {})
    return found


@cache
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    """The text below each attribute of each class of a module: it is parsed once for all."""
    import ast  # noqa: PLC0415  # most commands show no descriptions

    with suppress(OSError, TypeError):  # built in
        nodes = ast.walk(ast.parse(getsource(sys.modules[module])))
        return {node.name: _own_docs(node) for node in nodes if isinstance(node, ast.ClassDef)}
    return {}


def _own_docs(tree: ast.ClassDef) -> dict[str, str]:
    import ast  # noqa: PLC0415

    found = {}
    for attribute, below in pairwise(tree.body):
        match attribute, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = cleandoc(text)
    return found
