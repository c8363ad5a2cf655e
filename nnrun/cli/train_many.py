"""Trains the runs of a sweep or a search, on this machine or a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from nnrun.cli import options
from nnrun.cli.group import Interruption
from nnrun.cli.options import split_arguments
from nnrun.cli.output import Output
from nnrun.config.files import config_files
from nnrun.config.names import BESIDE
from nnrun.config.overrides import MAX_RANGE
from nnrun.errors import NnrunError, NothingSavedError, UsageError
from nnrun.reports.live.work import Checks
from nnrun.reports.shown import shown
from nnrun.runs.events import Listener
from nnrun.runs.storage.store import Store
from nnrun.sweeps.planning.arguments import Arguments
from nnrun.sweeps.planning.frozen import Planned
from nnrun.sweeps.planning.grid import models_of
from nnrun.sweeps.planning.plan import WHOLE, Plan, Shard
from nnrun.sweeps.planning.validate import make_plan
from nnrun.sweeps.planning.variants import Datasets
from nnrun.sweeps.sweep import Training
from nnrun.sweeps.workers.base import Workers
from nnrun.sweeps.workers.dask import DaskWorkers
from nnrun.trackers.tracking import Trackers, Tracking


@dataclass(frozen=True)
class TrainingRequest:
    """The options of a command that trains many runs."""

    results: Path
    iterations: int | None
    jobs: int | None
    threads: int | None
    dask: str | None
    trackers: Trackers

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: two of them do.
        """
        if self.dask is not None and self.jobs is not None:
            raise UsageError("--jobs is for processes on this machine, and --dask for a cluster")
        if self.dask is not None and not self.dask.strip():
            raise UsageError(
                "--dask needs the address of a scheduler, such as tcp://127.0.0.1:8786"
            )

    def training(
        self, store: Store, datasets: Datasets, tracking: Tracking, interruption: Interruption
    ) -> Training:
        """What trains the runs; once it has begun, an interruption ends it in order."""

        def on_dask(plan: Plan, work: Listener) -> Workers:
            plan.refuse_plugin_files()
            return DaskWorkers.at(self.dask or "", work.warn)

        return Training(
            store, datasets, tracking, self.jobs, self.threads, on_dask if self.dask else None,
            interruption.stop, lambda workers: interruption.defer(),
        )  # fmt: skip


@contextmanager
def saying_how_to_go_on(again: str, interruption: Interruption) -> Iterator[None]:
    """Errors say the command that continues, and once work has begun, what of it is saved."""
    try:
        yield
    except UsageError:
        raise
    except NnrunError as error:
        some = interruption.deferred and not isinstance(error, NothingSavedError)
        saved = "what was finished is saved; " if some else ""
        raise NnrunError(f"{error}; {saved}to continue:\n  {again}") from error


# The options of `nnrun sweep` and `nnrun plan`.


MOST_RUNS = 100_000


def compared_options(command: options.F) -> options.F:
    """The options of `Compared` but for `--iterations`."""
    every = (
        options.number(
            "--seeds", "N seeds for each config, counted from its seed on.", 1, MAX_RANGE
        ),
        options.number(
            "--max-runs",
            f"Refuse sweeps of more runs; {MOST_RUNS:,} by default.",
            default=MOST_RUNS,
        ),
        options.flag("--recursive", "Take the configs of subfolders as well."),
        options.order_by_option,
        options.margin_option,
        click.option(
            "--beside",
            metavar="MODELS",
            help="Train models of scikit-learn on the same splits and seeds: "
            f"{', '.join(BESIDE)}, or some of them, separated by commas.",
        ),
    )
    for option in reversed(every):
        command = option(command)
    return command


@dataclass(frozen=True)
class Compared:
    """The options that say what is compared."""

    seeds: int | None
    iterations: int | None
    max_runs: int
    recursive: bool
    order_by: str | None
    margin: float | None
    beside: str | None

    def plan(
        self, arguments: Sequence[str], datasets: Datasets, output: Output
    ) -> tuple[Plan, list[Path], dict[str, Any]]:
        """The plan of these configs and overrides, the files, and what else it was made from."""
        paths, words = split_arguments(arguments)
        if self.order_by is not None:
            words = [*words, f"sweep.order_by={self.order_by}"]
        files = config_files(paths, self.recursive)
        models = None if self.beside is None else models_of(self.beside)
        wanted = Arguments.parse(words, self.seeds, self.iterations, self.max_runs, models)
        origins = {str(file): file for file in files}
        plan = make_plan(origins, wanted, datasets, lambda: shown(Checks(), output))
        output.notes(plan.notes)
        options = {"seeds": self.seeds, "iterations": self.iterations, "beside": models}
        return plan, files, {"arguments": words, "margin": self.margin, **options}


@dataclass(frozen=True)
class Request(Compared, TrainingRequest):
    """The options of `nnrun sweep`."""

    replication: bool
    reference: Path | None
    shard: Shard
    force: bool
    fail_fast: bool
    plan_file: Path | None
    planned: Planned | None = None

    def check(self) -> None:
        super().check()
        fixed = {
            "--seeds": self.seeds,
            "--iterations": self.iterations,
            "--order-by": self.order_by,
            "--margin": self.margin,
            "--beside": self.beside,
            "--recursive": self.recursive or None,
        }
        changes = [option for option, value in fixed.items() if value is not None]
        if self.plan_file is not None and changes:
            raise UsageError(
                f"--plan says what is trained and compared; leave out {' and '.join(changes)}, or "
                "make another plan with that"
            )
        if self.reference is not None and not self.replication:
            raise UsageError(
                "--reference says what --replication holds our means against; add that"
            )
        if self.replication and self.shard != WHOLE:
            raise UsageError(
                "--replication is about all runs; add it to the command without --shard"
            )
