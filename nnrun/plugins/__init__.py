"""Parts of your own: layers, losses, data sets and more, from a file or an installed package.

A file registers its parts, and is loaded where it is named: by `--plugin FILE.py` or
`NNRUN_PLUGINS` for commands, by `load` or an argument `plugins` in Python. Installed packages name
a module of theirs as an entry point of the group `nnrun.plugins`. Configs and results name parts by
their registered words alone, so that nothing in them can load code.

>>> from nnrun.nn import Activation
>>> from nnrun.plugins import register
>>> @register("activation", "cube")
... class Cube(Activation):
...     def value(self, x, y):
...         y[...] = x**3
...     def gradient(self, dy, x, y, dx):
...         dx[...] = 3 * x**2 * dy
"""

# Commands that list runs ask for installed plugins, and for no more.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from nnrun.plugins.kinds import register
    from nnrun.plugins.loading import load, unload
    from nnrun.plugins.part import Part, PluginError

_MODULES = {
    "Part": "part",
    "PluginError": "part",
    "load": "loading",
    "register": "kinds",
    "unload": "loading",
}

__all__ = ["Part", "PluginError", "load", "register", "unload"]


def __getattr__(name: str) -> object:
    """Import names from the modules of this package at first use."""
    from importlib import import_module  # noqa: PLC0415  # as above

    if name in _MODULES:
        return getattr(import_module(f"nnrun.plugins.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'nnrun.plugins' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
