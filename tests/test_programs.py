"""Programs that no other test runs as they are: simulations, benchmarks and checks."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = [
    *HERE.glob("simulations/**/*.py"),
    *HERE.glob("benchmarks/**/*.py"),
    *HERE.glob("**/check_*.py"),
]


def missing(node: ast.Import | ast.ImportFrom) -> list[str]:
    """What an import statement names of nnrun and its tests that does not exist."""
    names = {alias.name for alias in node.names}
    if isinstance(node, ast.Import):
        ours = sorted(name for name in names if name.startswith(("nnrun", "tests")))
        return [name for name in ours if find_spec(name) is None]
    module = node.module or ""
    if not module.startswith(("nnrun", "tests")):
        return []
    if find_spec(module) is None:
        return [module]
    others = sorted(name for name in names if find_spec(f"{module}.{name}") is None)
    return [f"{module}.{name}" for name in others if not hasattr(import_module(module), name)]


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: str(path.relative_to(HERE)))
def test_programs_import_what_there_is(path):
    """Each import of a module or name of nnrun or its tests finds it, also within functions."""
    nodes = [
        n
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    assert [] == [name for node in nodes for name in missing(node)]
