"""Programs that no other test runs as they are: simulations, benchmarks and checks."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
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


def named(path: Path) -> set[str]:
    """Modules and names of nnrun and its tests that a file imports, also within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith(("nnrun.", "tests."))}


def exists(name: str) -> bool:
    """Whether this is a module, or a name in one."""
    with suppress(ModuleNotFoundError):  # of a module that has moved, or is no package
        if find_spec(name) is not None:
            return True
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if str(error.name).startswith(("nnrun", "tests")):
            return False
    # It needs a browser, or a library that is not here: its names are read.
    source = Path(str(find_spec(module).origin)).read_text()
    return re.search(rf"^(def |class |)({attribute})\b", source, re.MULTILINE) is not None


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: str(path.relative_to(HERE)))
def test_programs_import_what_there_is(path):
    """Each module and name of nnrun and its tests that they import exists."""
    assert [] == sorted(name for name in named(path) if not exists(name))
