"""The Python interface: configs in, runs and leaderboards out; nothing is printed."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnrun.api.checks import check
    from nnrun.api.evaluation import Evaluation
    from nnrun.api.experiments import extend, load, train, verify
    from nnrun.api.pages import Page, report
    from nnrun.api.stored import importance, out_of_fold, pack
    from nnrun.api.sweeps import sweep
    from nnrun.api.values.board import Board
    from nnrun.api.values.history import History
    from nnrun.api.values.run import Run

__all__ = [
    "Board",
    "Evaluation",
    "History",
    "Page",
    "Run",
    "check",
    "extend",
    "importance",
    "load",
    "out_of_fold",
    "pack",
    "report",
    "sweep",
    "train",
    "verify",
]

_MODULES = {"Board": "values.board", "History": "values.history", "Run": "values.run"}
_MODULES |= {"Evaluation": "evaluation", "Page": "pages", "report": "pages"}
_MODULES |= dict.fromkeys(("importance", "out_of_fold", "pack"), "stored")
_MODULES |= {"check": "checks", "sweep": "sweeps"}


def __getattr__(name: str) -> object:
    """Import a function at its first use: a run alone needs nothing of sweeps."""
    if name in __all__:
        module = import_module(f"nnrun.api.{_MODULES.get(name, 'experiments')}")
        return getattr(module, name)
    raise AttributeError(f"module 'nnrun.api' has no attribute '{name}'")
