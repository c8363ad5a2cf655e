"""The Python interface: configs in, runs and leaderboards out; nothing is printed."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnrun.api.boards import Board, Page, importance, out_of_fold, pack, report, sweep
    from nnrun.api.checks import check, explain
    from nnrun.api.choices import Best, SearchResult, StoredRuns, best, runs, search
    from nnrun.api.experiments import Evaluation, extend, init, load, train, verify
    from nnrun.api.run import History, Run

__all__ = [
    "Best",
    "Board",
    "Evaluation",
    "History",
    "Page",
    "Run",
    "SearchResult",
    "StoredRuns",
    "best",
    "check",
    "explain",
    "extend",
    "importance",
    "init",
    "load",
    "out_of_fold",
    "pack",
    "report",
    "runs",
    "search",
    "sweep",
    "train",
    "verify",
]

_MODULES = dict.fromkeys(
    ("Board", "Page", "importance", "out_of_fold", "pack", "report", "sweep"), "boards"
)
_MODULES |= dict.fromkeys(
    ("Best", "SearchResult", "StoredRuns", "best", "runs", "search"), "choices"
)
_MODULES |= {"History": "run", "Run": "run", "check": "checks", "explain": "checks"}


def __getattr__(name: str) -> object:
    """Import a function at its first use: a run alone needs nothing of sweeps."""
    if name in __all__:
        module = import_module(f"nnrun.api.{_MODULES.get(name, 'experiments')}")
        return getattr(module, name)
    raise AttributeError(f"module 'nnrun.api' has no attribute '{name}'")
