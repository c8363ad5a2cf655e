"""What happens to runs, passed on to trackers at the addresses that were given."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from nnrun.errors import NnrunError, UsageError
from nnrun.runs.events import Listener
from nnrun.runs.lease import Outcome
from nnrun.runs.preparation.prepared import Prepared
from nnrun.runs.storage.reading import load_history, read_run
from nnrun.trackers.feed import EndedRun, Feed, TrackedRun, Tracker

if TYPE_CHECKING:
    from nnrun.sweeps.planning.plan import PlannedRun
    from nnrun.training.state import HistoryRow


class Tracking(Listener):
    """Sends runs to trackers, if there are any; its context ends when all is sent.

    Each tracker has a thread, so that `evaluated`, `saved` and `failed` return at once.

    Args:
        feeds: one for each tracker.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self.follows = bool(feeds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for feed in self._feeds:
            feed.close()

    def evaluated(self, run: Prepared | PlannedRun, rows: Sequence[HistoryRow]) -> None:
        self._send(run, lambda tracker, tracked: tracker.rows(tracked, rows))

    def saved(self, run: Prepared | PlannedRun, outcome: Outcome) -> None:
        self._send(run, lambda tracker, tracked: tracker.end(tracked, _ended(outcome)))

    def failed(self, run: Prepared | PlannedRun, reason: str) -> None:
        self._send(run, lambda tracker, tracked: tracker.fail(tracked))

    def _send(
        self, run: Prepared | PlannedRun, task: Callable[[Tracker, TrackedRun], None]
    ) -> None:
        if self._feeds:
            tracked = _tracked(run)
            for feed in self._feeds:
                feed.send(tracked.label, lambda tracker: task(tracker, tracked))

    def board(self, files: Sequence[Path]) -> None:
        """Send the files of a leaderboard."""
        for feed in self._feeds:
            feed.send("", lambda tracker: tracker.board(files))


def _tracked(run: Prepared | PlannedRun) -> TrackedRun:
    """A run as trackers know it."""
    if isinstance(run, Prepared):
        return TrackedRun(run.config.name, run.run_id, run.config_dict, run.dataset.sha256)
    variant = run.variant
    return TrackedRun(
        variant.name,
        run.run_id,
        run.replicate.within(json.loads(variant.config)),
        variant.sha256,
        variant.choice.keys(),
    )


def _ended(outcome: Outcome) -> EndedRun:
    """The end of a run, read from its folder if it is not in memory.

    Raises:
        NnrunError: its folder is damaged.
    """
    if outcome.result is not None:
        return EndedRun(outcome.record, outcome.result.history, outcome.folder)
    if outcome.folder is None:
        return EndedRun(outcome.record, [], None)
    found = read_run(outcome.folder)
    if found is None or found.record is None:
        raise NnrunError(f"{outcome.folder}: {found.problem if found else 'there is no run'}")
    return EndedRun(found.record, load_history(outcome.folder), outcome.folder)


# The trackers that a user asks for, checked before anything begins.

Group = Literal["sweep", "search"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trackers:
    """Place that runs are sent to, as options name it.

        with Trackers(mlflow="http://127.0.0.1:5000").open(output.note, results) as tracking:
            train(prepared, store, tracking)

    Args:
        mlflow: the address of an MLflow server.
        tensorboard: a folder for TensorBoard's event files.
    """

    mlflow: str | None = None
    tensorboard: Path | None = None

    def open(self, say: Say, results: Path | None, group: Group | None = None) -> Tracking:
        """Start to send; nothing is waited for until the end of the context.

        Args:
            say: called with what is wrong with a tracker, in the thread of the caller.
            results: the results folder; None where runs are kept in memory.
            group: what MLflow nests the runs in; None for a single run.

        Raises:
            UsageError: an address is none, or the package for it is missing.
        """
        from nnrun.trackers.feed import Feed  # noqa: PLC0415  # `--help` does without

        opened: list[tuple[str, Callable[[], Tracker]]] = []
        if self.mlflow is not None:
            opened.append(_mlflow(self.mlflow, group))
        if self.tensorboard is not None:
            opened.append(_tensorboard(self.tensorboard, results))
        return Tracking([Feed(what, tracker, say) for what, tracker in opened])


def _mlflow(uri: str, group: Group | None) -> tuple[str, Callable[[], Tracker]]:
    try:
        parts = urlsplit(uri)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(
            f"mlflow: {uri!r} is not the address of a server, such as http://127.0.0.1:5000; "
            "`mlflow server` starts one"
        )
    _require("mlflow", "mlflow")

    def opened() -> Tracker:
        from nnrun.trackers.servers import MLflowServer  # noqa: PLC0415  # in the thread

        return MLflowServer(uri, group)

    host = parts.netloc.rpartition("@")[2]  # without a password
    return f"MLflow at {parts.scheme}://{host}", opened


def _tensorboard(folder: Path, results: Path | None) -> tuple[str, Callable[[], Tracker]]:
    if not str(folder) or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"tensorboard: '{folder}' is no folder")
    if results is not None and folder.resolve().is_relative_to(results.resolve()):
        raise UsageError(f"tensorboard: {folder} is in the results folder; take one beside it")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"tensorboard: {folder} cannot be written")
    _require("tensorboard", "tensorboard")

    def opened() -> Tracker:
        from nnrun.trackers.servers import TensorBoardFiles  # noqa: PLC0415  # likewise

        return TensorBoardFiles(folder.absolute())

    return f"TensorBoard in {folder}", opened


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise UsageError(f"{extra}: the package is missing; pip install 'nnrun[{extra}]'")
