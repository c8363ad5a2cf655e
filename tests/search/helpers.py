"""Searches of small configs in this process, with workers that end in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any
from unittest.mock import patch

from nnrun.runs.catalog.index import RunIndex
from nnrun.runs.events import Listener
from nnrun.runs.storage.store import Store
from nnrun.search.plan import plan_search
from nnrun.search.search import Search
from nnrun.search.state import SearchState
from nnrun.sweeps.board.best import read_search
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Sweep
from nnrun.sweeps.workers.base import InlineWorkers, ended
from nnrun.sweeps.workers.job import execute_job

IRIS: dict[str, Any] = {
    "name": "iris",
    "dataset": {"name": "iris", "validation_size": 0.3, "features": "standard"},
    "network": {"sizes": [4, 3], "activations": ["tanh", "softmax"]},
    "loss": "cross_entropy",
    "training": {
        "learning_rate": 0.05,
        "iterations": 40,
        "batch_size": 8,
        "evaluate_every": 4,
        "engine": "numpy",
    },
    "seed": 3,
}
SPACE = {
    "training.learning_rate": {"log_uniform": [1e-3, 1]},
    "network.depth": {"int": [1, 2], "units": {"int": [2, 8]}},
    "training.optimizer": {
        "choice": [
            "sgd",
            {"type": "adam", "weight_decay": {"uniform": [0, 0.1]}, "decay_all": True},
        ]
    },
}
SMALL = {"trials": 14, "window": 4, "top": 2, "fresh_seeds": 2, "random": False}


def config(**search: Any) -> dict[str, Any]:
    """A config with this space and these options."""
    return {**IRIS, "search": {**SMALL, **SPACE, **search}}


def unlike(**search: Any) -> dict[str, Any]:
    """A config whose options each go with some of the others, and not with all."""
    space = {
        "loss": {"choice": ["cross_entropy", "binary_cross_entropy"]},
        "network.layers.1.activation": {"choice": ["softmax", "sigmoid"]},
        "network.layers.1.units": {"choice": [2, 1]},
    }
    return {
        **IRIS,
        "dataset": {**IRIS["dataset"], "name": "breast_cancer"},
        "network": {**IRIS["network"], "sizes": [4, 2]},
        "search": {**SMALL, **space, **search},
    }


class Shuffled(InlineWorkers):
    """Eight workers whose runs end in a random order."""

    at_a_time = capacity = 8

    def __init__(self, sweep: Sweep, seed: int) -> None:
        super().__init__(sweep.receive, sweep.stopping)
        self._rng = random.Random(seed)
        self._waiting: list[tuple[Callable[[], Any], Future[Any]]] = []

    def submit(self, job, load):
        future: Future[Any] = Future()
        channel = _Silent(job.key)
        self._waiting.append((lambda: execute_job(job, channel, load()), future))
        return future

    def wait(self, awaited, seconds):
        if self._waiting:
            call, future = self._waiting.pop(self._rng.randrange(len(self._waiting)))
            done = ended(call)
            future.set_exception(done.exception()) if done.exception() else future.set_result(
                done.result()
            )


class _Silent:
    """A channel that nobody listens to."""

    def __init__(self, key: str) -> None:
        self.key = key

    def stopped(self) -> bool:
        return False

    def send(self, content: object) -> None:
        pass


def search(
    content: Mapping[str, Any] | Path,
    root: Path,
    words: Sequence[str] = (),
    *,
    shuffled: int | None = None,
    asynchronous: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
    timer: Callable[[], float] = monotonic,
) -> SearchState:
    """Search a config in this process: one run at a time, or eight that end in random order.

    Importances, for which scikit-learn grows a forest, are left out.
    """
    datasets = Datasets()
    plan = plan_search(content, words, datasets, asynchronous=asynchronous)
    store = Store(root, lambda result: f"{result.record.name}\n", RunIndex(root))

    def runner(plan, what, source=None):
        shown = listener or Listener()
        sweep = Sweep(plan, store, datasets, shown, stopped, source=source)
        if shuffled is None:
            workers = InlineWorkers(sweep.receive, sweep.stopping)
        else:
            workers = Shuffled(sweep, shuffled)
        return sweep.run(workers)

    before = read_search(root, plan.name)
    with patch("nnrun.search.search.importance_of", lambda content: {}):
        return Search(plan, store, runner, stopped, before=before, timer=timer).run()


def content_of(root: Path, name: str = "iris") -> dict[str, Any]:
    """search.json, but for the digest of itself."""
    content = json.loads((root / name / "search.json").read_text())
    del content["file_sha256"]
    return content


def outcome(root: Path, name: str = "iris") -> tuple[dict[str, Any], dict[str, Any]]:
    """All of search.json that no clock is in, and the bits of every run."""
    timed = ("seconds", "ended", "board")
    found = {key: value for key, value in content_of(root, name).items() if key not in timed}
    for part in ("trials", "random"):
        found[part] = [
            {k: v for k, v in one.items() if k not in ("seconds", "started")} for one in found[part]
        ]
    reports = (json.loads(file.read_text()) for file in sorted(root.glob("*/*/report.json")))
    bits = {
        report["run_id"]: (
            report["status"], report["timing"]["iterations"], report["weights_sha256"],
        )
        for report in reports
    }  # fmt: skip
    return found, bits
