"""The IPython session that this process is, if it is one."""

from __future__ import annotations

import sys
from typing import Any, Literal

Session = Literal["notebook", "terminal", "none"]


def session() -> Session:
    """A notebook, of Jupyter, VS Code or Colab; the terminal of `ipython`; or none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else getattr(ipython, "get_ipython", lambda: None)()
    if shell is None:
        return "none"
    return "notebook" if getattr(shell, "kernel", None) is not None else "terminal"


def display() -> Any:
    """The module by which a notebook shows HTML."""
    from IPython import display as module  # noqa: PLC0415  # notebooks only

    return module
