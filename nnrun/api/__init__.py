"""nnrun from Python: configs in, runs and leaderboards out, as values; nothing is printed."""

from nnrun.api.board import Board
from nnrun.api.experiments import check, load, train
from nnrun.api.history import History
from nnrun.api.run import Run
from nnrun.api.sweeps import sweep

__all__ = ["Board", "History", "Run", "check", "load", "sweep", "train"]
