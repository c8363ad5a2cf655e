"""Evaluations of a run in progress, and the function that a caller has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.training.state import HistoryRow


@dataclass
class Evaluation:
    """One evaluation of a run in progress; `stop()` ends the run with the weights that it has now.

    Args:
        run: the run, as `name/run_id`.
        seed: of the run.
        choice: the settings in which the runs of a sweep differ, by dotted keys.
        iteration: the updates so far.
        epoch: the passes over the training rows so far.
        losses: by split, such as `losses["test"]`.
        metrics: by split and name, such as `metrics["test"]["accuracy"]`.
    """

    run: str
    seed: int
    choice: Mapping[str, Any]
    iteration: int
    epoch: float
    losses: dict[str, float]
    metrics: dict[str, dict[str, float]]
    stopped: bool = field(default=False, init=False)

    @classmethod
    def of(cls, row: HistoryRow, run: str, seed: int, choice: Mapping[str, Any]) -> Evaluation:
        """From a row of the history."""
        metrics = {
            split: {
                name.removeprefix(f"{split}_"): float(value)
                for name, value in row.items()
                if name.startswith(f"{split}_")
            }
            for split in SPLITS
            if f"{split}_loss" in row
        }
        losses = {split: found.pop("loss") for split, found in metrics.items()}
        return cls(run, seed, choice, int(row["iteration"]), row["epoch"], losses, metrics)

    def stop(self) -> None:
        """End the run here. It is kept as `stopped`, with its weights, and counts in no mean."""
        self.stopped = True


OnEvaluation = Callable[[Evaluation], object]


def _ignore(evaluation: Evaluation) -> None:
    """What is called without a function of the caller."""


class Watched:
    """Calls a caller's function; an error of it ends the work, and is raised once that is saved."""

    def __init__(self, function: OnEvaluation | None) -> None:
        self._function = function or _ignore
        self._error: Exception | None = None

    def __call__(self, evaluation: Evaluation) -> bool:
        """Whether the run ends here."""
        if self._error is None:
            try:
                self._function(evaluation)
            except Exception as error:  # the caller's
                self._error = error
                return False
        return evaluation.stopped and self._error is None

    def failed(self) -> bool:
        """Whether the function has raised an error."""
        return self._error is not None

    def check(self) -> None:
        """Raise the error of the function, if there is one."""
        if self._error is not None:
            raise self._error
