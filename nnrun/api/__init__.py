"""The Python interface: configs in, runs and leaderboards out; nothing is printed."""

from nnrun.api.board import Board
from nnrun.api.experiments import check, extend, load, train, verify
from nnrun.api.folds import out_of_fold
from nnrun.api.history import History
from nnrun.api.influence import importance
from nnrun.api.run import Run
from nnrun.api.sweeps import sweep

__all__ = [
    "Board",
    "History",
    "Run",
    "check",
    "extend",
    "importance",
    "load",
    "out_of_fold",
    "sweep",
    "train",
    "verify",
]
