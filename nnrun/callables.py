"""Packages that are functions, too: `nnrun.search` holds modules, and `nnrun.search(…)` searches.

The import system puts a package into its parent under its name, where a function of the same name
cannot stay; so the package itself can be called.
"""

import sys
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    @property
    def _function(self) -> Any:
        """The function of the same name in `nnrun.api`."""
        return getattr(import_module("nnrun.api"), self.__name__.rpartition(".")[2])

    @property
    def __signature__(self) -> Signature:
        """What notebooks show of the arguments."""
        return signature(self._function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def make_callable(name: str) -> None:
    """Make an imported package the function of its name in `nnrun.api`."""
    sys.modules[name].__class__ = _CallablePackage
