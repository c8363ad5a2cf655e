"""A leased run in progress: its folder has checkpoints, and how far the run has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nnrun.runs.events import Listener, now_and_then
from nnrun.runs.lease import RunLease
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.replicate import Replicate
from nnrun.training.trainer import Progress


class InProgress(Listener):
    """Writes checkpoints and progress into the folder of a run."""

    def __init__(self, prepared: Prepared, lease: RunLease, warn: Callable[[str], None]) -> None:
        self._prepared = prepared
        self._lease = lease
        save = now_and_then(lambda state: lease.save_checkpoint(state, warn))
        super().__init__(checkpoint=save)

    def wait(self, text: str) -> None:
        self._at(0)

    def started(self, run: Prepared, iteration: int) -> None:
        if iteration:  # it continues, so it is long
            self._at(iteration)

    def progressed(self, run: Prepared, progress: Progress) -> None:
        self._lease.note(progress, self._about)

    def _at(self, iteration: int) -> None:
        total = max(1, self._prepared.iterations)
        self._lease.note(Progress(iteration, total, None, 0.0), self._about)

    def _about(self) -> tuple[Replicate, Mapping[str, Any], str]:
        config = self._prepared.config_dict
        replicate = Replicate.of(config, self._prepared.config.seed)
        return replicate, config, self._prepared.dataset.sha256
