"""Evaluations of a run in progress, and the function that a caller has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnrun.config.names import SPLITS
from nnrun.runs.events import Listener
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


class EvaluationCallback(Listener):
    """Calls a caller's function, if there is one, with each evaluation.

    An error of it ends the work, and is raised once that is saved.

    Args:
        function: of the caller.
        evaluation_of: makes what it is called with, of a run and a row of its history.
    """

    def __init__(
        self,
        function: OnEvaluation | None,
        evaluation_of: Callable[[Any, HistoryRow], Evaluation],
    ) -> None:
        self.decides = function is not None
        self._function = function
        self._evaluation_of = evaluation_of
        self._error: Exception | None = None

    def evaluated(self, run: Any, rows: Sequence[HistoryRow]) -> bool:
        if self._function is None or self._error is not None:
            return False
        evaluation = self._evaluation_of(run, rows[-1])
        try:
            self._function(evaluation)
        except Exception as error:  # the caller's
            self._error = error
        return evaluation.stopped and self._error is None

    def stop(self) -> bool:
        return self._error is not None

    def check(self) -> None:
        """Raise the error of the function, if there is one."""
        if self._error is not None:
            raise self._error
