"""What trackers are sent of a run, as plain values."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nnrun.config.settings import flatten
from nnrun.runs.replicate import KEYS

if TYPE_CHECKING:
    from nnrun.runs.record import RunRecord
    from nnrun.training.state import HistoryRow

ENDED = ("completed", "diverged", "failed", "stopped")
"""The statuses of runs that the same command does not train further."""

_SINGLE = ("network", "loss", "training")
_ABOUT = ("name", "description", "published", "sweep")
# Of a row of the history these are no numbers to follow: the first is the step of all others.
_STEPS = ("iteration", "epoch")


@dataclass(frozen=True)
class TrackedRun:
    """A run, as trackers know it.

    Args:
        name: of the experiment.
        run_id: of the run.
        config: resolved, as plain values.
        sha256: of its data.
        choice: the settings that a sweep varies, by dotted keys.
    """

    name: str
    run_id: str
    config: Mapping[str, Any]
    sha256: str
    choice: Collection[str] = ()

    @property
    def label(self) -> str:
        """As the results folder has it."""
        return f"{self.name}/{self.run_id}"

    @property
    def description(self) -> str:
        """What the config says of itself."""
        return str(self.config.get("description") or "")

    @property
    def settings(self) -> dict[str, Any]:
        """The config by dotted keys, without what is not set, or does not change the run."""
        config = {key: value for key, value in self.config.items() if key not in _ABOUT}
        return {key: v for key, v in flatten(config).items() if v not in (None, "", [], {})}

    @property
    def varied(self) -> dict[str, Any]:
        """The settings that a sweep varies; of a single run, those of network and training."""
        found = {
            key: value
            for key, value in self.settings.items()
            if any(key == name or key.startswith(f"{name}.") for name in self.choice or _SINGLE)
        }
        return {key: value for key, value in found.items() if key not in KEYS}


@dataclass(frozen=True)
class EndedRun:
    """The end of a run: its report, its learning curve, and its folder if it is saved."""

    record: RunRecord
    history: Sequence[HistoryRow]
    folder: Path | None


class Tracker(Protocol):
    """Where runs are sent; it is called in a thread of its own."""

    def rows(self, run: TrackedRun, rows: Sequence[HistoryRow]) -> None:
        """Evaluations of a run in progress, the next ones or all so far."""

    def end(self, run: TrackedRun, ended: EndedRun) -> None:
        """A run has ended, in this process or before; one that is there already is not repeated."""

    def fail(self, run: TrackedRun) -> None:
        """A run in progress could not be trained or saved."""

    def board(self, files: Sequence[Path]) -> None:
        """The files of the leaderboard of the sweep."""

    def close(self) -> None:
        """All has been sent."""


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row of the history has to follow, such as `train_loss` and `learning_rate`."""
    return {name: float(value) for name, value in row.items() if name not in _STEPS}


def final(record: RunRecord) -> dict[str, float]:
    """The metrics at the end, such as `final/test_accuracy`, with the weights that are kept."""
    return {
        f"final/{split}_{name}": float(value)
        for split, metrics in record.metrics.items()
        for name, value in (metrics or {}).items()
        if type(value) in (int, float)
    }


def tags(run: TrackedRun, record: RunRecord | None = None) -> dict[str, str]:
    """What a run is known by: in the results folder it is `name/run_id`."""
    known = {"name": run.name, "run_id": run.run_id, "data_sha256": run.sha256}
    if record is not None:
        known |= {
            "status": record.status,
            "task": record.task,
            "engine": record.engine,
            "version": record.nnrun_version,
            "weights_sha256": record.weights_sha256 or "",
            "error": record.error or "",
        }
    return {f"nnrun.{key}": value for key, value in known.items() if value}


def as_text(value: Any) -> str:
    """A setting as text: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
