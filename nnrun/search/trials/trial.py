"""One trial of a search: a setting, the runs that judge it, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from nnrun.runs.record import RunRecord
from nnrun.search.spaces.choices import Label
from nnrun.sweeps.planning.plan import PlannedRun

TrialStatus = Literal["running", "completed", "pruned", "diverged", "failed", "stopped"]
"""How a trial ended: `pruned` by its values, `stopped` by the end of the time."""


@dataclass
class Trial:
    """A trial.

    Args:
        number: from 0 on, in the order of proposals.
        choice: the value of each dotted key.
        params: the same as parameters of Optuna.
        runs: that judge it; none if it could not be prepared.
        iterations: of each run.
        stops: the iteration of each rung, where its runs pause.
        same_as: the number of an earlier trial with the same runs.
        rung: the next one to reach; `len(stops)` is the end.
        curve: the values at the rungs that it reached.
        value: at its end.
        waits: for a decision at its rung.
        reached: the value of each run at this rung, by its key.
        ends: likewise of the runs that have ended.
        progress: updates and seconds of each run.
        started: when the first of its runs began; empty before.
    """

    number: int
    choice: Mapping[str, Any]
    params: Mapping[str, Label]
    runs: list[PlannedRun] = field(default_factory=list)
    iterations: int = 0
    stops: list[int] = field(default_factory=list)
    same_as: int | None = None
    status: TrialStatus = "running"
    reason: str = ""
    rung: int = 0
    curve: list[float] = field(default_factory=list)
    value: float | None = None
    waits: bool = False
    reached: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    progress: dict[str, tuple[int, float]] = field(default_factory=dict)
    started: str = ""

    @property
    def ended(self) -> bool:
        """Whether no run of it will train any more."""
        return self.status != "running"

    @property
    def never_began(self) -> bool:
        """Whether there was no time for any of it."""
        return self.status == "stopped" and not self.progress

    @property
    def until(self) -> int | None:
        """The iteration at which its runs pause next; None for their end."""
        return self.stops[self.rung] if self.rung < len(self.stops) else None

    @property
    def keys(self) -> set[str]:
        """Of its runs."""
        return {run.key for run in self.runs}

    @property
    def run_ids(self) -> list[str]:
        """Of its runs."""
        return [run.run_id for run in self.runs]

    @property
    def share(self) -> float:
        """The share of its updates that were made; early stopping and failures make all."""
        if self.status not in ("pruned", "stopped") or not self.runs:
            return float(self.same_as is None)
        made = sum(iterations for iterations, _ in self.progress.values())
        return made / (self.iterations * len(self.runs))

    @property
    def seconds(self) -> float:
        """That its runs have trained."""
        return sum(seconds for _, seconds in self.progress.values())

    def value_at(self, rung: int) -> float | None:
        """Its value at a rung; that at its end where it ended before."""
        return self.curve[rung] if rung < len(self.curve) else self.value

    def tasks(self) -> list[PlannedRun]:
        """What its runs train next: to the next rung, or to their end."""
        return [replace(run, until=self.until) for run in self.runs if run.key not in self.ends]


def is_beyond(run: PlannedRun, record: RunRecord) -> bool:
    """Whether a stored run has trained longer than to the rung that is asked for."""
    return run.until is not None and int(record.timing["iterations"]) > run.until
