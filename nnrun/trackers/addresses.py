"""The trackers that a user asks for, checked before anything begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from nnrun.errors import UsageError

if TYPE_CHECKING:
    from nnrun.trackers.content import Tracker
    from nnrun.trackers.tracking import Tracking

Group = Literal["sweep", "search"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Trackers:
    """Where runs are sent, as options name it.

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
        from nnrun.trackers.tracking import Tracking  # noqa: PLC0415  # likewise

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
        from nnrun.trackers.mlflow_server import MLflowServer  # noqa: PLC0415  # in the thread

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
        from nnrun.trackers.tensorboard_files import TensorBoardFiles  # noqa: PLC0415  # likewise

        return TensorBoardFiles(folder.absolute())

    return f"TensorBoard in {folder}", opened


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise UsageError(f"{extra}: the package is missing; pip install 'nnrun[{extra}]'")
