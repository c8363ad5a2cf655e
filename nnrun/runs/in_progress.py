"""A leased run in progress: its folder has checkpoints, and how far the run has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nnrun.runs.execution.callbacks import Callbacks, now_and_then
from nnrun.runs.lease import RunLease
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.replicate import Replicate
from nnrun.training.state import TrainingState
from nnrun.training.trainer import Progress


def written(callbacks: Callbacks, prepared: Prepared, lease: RunLease) -> Callbacks:
    """The callbacks, which also write checkpoints and progress into the folder of the run."""

    def save(state: TrainingState) -> None:
        lease.save_checkpoint(state, callbacks.note)

    def about() -> tuple[Replicate, Mapping[str, Any], str]:
        config = prepared.config_dict
        return Replicate.of(config, prepared.config.seed), config, prepared.dataset.sha256

    def note(progress: Progress) -> None:
        lease.note(progress, about)

    def at(iteration: int) -> None:
        note(Progress(iteration, max(1, prepared.iterations), None, 0.0))

    def start(iteration: int) -> None:
        if iteration:  # it continues, so it is long
            at(iteration)
        callbacks.start(iteration)

    def wait(text: str) -> None:
        at(0)
        callbacks.wait(text)

    def observe(progress: Progress) -> None:
        note(progress)
        callbacks.observe(progress)

    return replace(
        callbacks, start=start, wait=wait, observe=observe, checkpoint=now_and_then(save)
    )
