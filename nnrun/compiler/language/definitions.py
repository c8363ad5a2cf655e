"""Functions as syntax trees, with the names around them."""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

from nnrun.compiler.language.fusing import fuse


@dataclass(frozen=True)
class Definition:
    """One function.

    Args:
        tree: with its sums of products fused.
        path: of the file, for messages.
        names: globals and closure.
        unrolled: whether its loops over constants are unrolled while translating.
    """

    tree: ast.FunctionDef
    path: str
    names: Mapping[str, Any]
    unrolled: bool

    @property
    def parameters(self) -> list[str]:
        """Their names."""
        return [argument.arg for argument in self.tree.args.args]

    @cached_property
    def assigned(self) -> frozenset[str]:
        """All names that it assigns."""
        return frozenset(
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )


@cache
def of(function: FunctionType) -> Definition:
    """The definition of a function in a file."""
    code, cells = function.__code__, function.__closure__ or ()
    held = {key: cell.cell_contents for key, cell in zip(code.co_freevars, cells, strict=True)}
    tree = _trees(code.co_filename)[code.co_firstlineno]
    names = ChainMap(held, function.__globals__)
    return Definition(tree, code.co_filename, names, unrolled=True)


def generated(source: str, path: str) -> Definition:
    """The last function of a module that was written by a program.

    Its loops are not unrolled: the program has done that.
    """
    module = ast.parse(source)
    *head, function = module.body
    assert isinstance(function, ast.FunctionDef)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(head, []), path, "exec"), names)
    fuse(function)
    return Definition(function, path, names, unrolled=False)


@cache
def _trees(path: str) -> dict[int, ast.FunctionDef]:
    """All functions of a file, by their first lines."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    fuse(tree)
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
