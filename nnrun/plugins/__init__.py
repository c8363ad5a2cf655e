"""Parts of one's own: layers, losses, data sets and more, from a file or an installed package.

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

from __future__ import annotations

from nnrun.plugins.kinds import KINDS
from nnrun.plugins.loading import load, unload
from nnrun.plugins.part import Part, PluginError, Source
from nnrun.plugins.registering import register

__all__ = ["KINDS", "Part", "PluginError", "Source", "load", "register", "unload"]
