"""MLflow's servers and TensorBoard's files, as places that runs are sent to."""

from __future__ import annotations

import json
import os
import re
import socket
import time as seconds_now
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from itertools import islice
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from nnrun.errors import NnrunError
from nnrun.runs.record import KEYS
from nnrun.runs.storage.durable import read_regular, write_atomically
from nnrun.runs.storage.reading import CONFIG
from nnrun.trackers.feed import ENDED, EndedRun, TrackedRun, as_text, final, numbers, tags

if TYPE_CHECKING:
    from nnrun.training.state import HistoryRow


# What servers take: 1,000 entries in one request; values of 500 characters before MLflow 2.8, and
# later of 6,000.
_MOST_METRICS = 800
_MOST_PARAMS = 100
_LONGEST_KEY = 250
_LONGEST_VALUE = 500
_LONGEST_TAG = 5000
_MOST_FOUND = 1000
_REACH_SECONDS = 5.0
_REPORT = "report.md"
# All others are FAILED.
_STATUS = {"completed": "FINISHED", "interrupted": "KILLED", "stopped": "KILLED"}
# Files go through the server alone: its other places may be folders of this machine.
_THROUGH_SERVER = "mlflow-artifacts:"
_GROUP, _PARENT, _NOTE = "nnrun.group", "mlflow.parentRunId", "mlflow.note.content"
_FOLLOWED = "train_loss"


@dataclass
class _Experiment:
    """An experiment of the server: the run that others are nested in, and all that are known.

    `takes_files` is whether the server stores them. `known` has the server's id and our status by
    run id; None until it is asked.
    """

    id: str
    takes_files: bool
    parent: str | None = None
    known: dict[str, tuple[str, str]] | None = None


@dataclass
class _Sent:
    """A run that this process sends: the server's id, the last iteration that is there, and the
    settings that are not there yet.
    """

    id: str
    last: int = -1
    params: Mapping[str, str] = field(default_factory=dict)


class MLflowServer:
    """The experiments on a server.

    Args:
        uri: of the server.
        group: what runs are nested in, such as `sweep`; None where they are not.

    Raises:
        OSError: the server cannot be reached.
    """

    def __init__(self, uri: str, group: str | None) -> None:
        _reach(uri)
        # Nothing is sent to others than the server.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # It would print addresses to stdout, amid results.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._client = import_module("mlflow.tracking").MlflowClient(uri)
        self._entities = import_module("mlflow.entities")
        self._group = group
        self._experiments: dict[str, _Experiment] = {}
        self._open: dict[str, _Sent] = {}

    def rows(self, run: TrackedRun, rows: Sequence[HistoryRow]) -> None:
        sent = self._sent(run)
        if sent is not None:
            self._log(sent, self._new(sent, rows))

    def end(self, run: TrackedRun, ended: EndedRun) -> None:
        record = ended.record
        sent = self._sent(run, record.started)
        if sent is None:
            return
        last = self._metrics(final(record), int(record.timing["iterations"]))
        self._log(sent, [*self._new(sent, ended.history), *last], tags(run, record))
        if ended.folder is not None:
            self._files(run.name, sent.id, (ended.folder / file for file in (_REPORT, CONFIG)))
        self._client.set_terminated(sent.id, _STATUS.get(record.status, "FAILED"))
        del self._open[run.label]
        self._known(run)[run.run_id] = sent.id, record.status

    def fail(self, run: TrackedRun) -> None:
        sent = self._open.pop(run.label, None)
        if sent is not None:
            self._client.set_terminated(sent.id, "FAILED")

    def board(self, files: Sequence[Path]) -> None:
        for name, experiment in self._experiments.items():
            if experiment.parent is not None:
                self._files(name, experiment.parent, files)

    def close(self) -> None:
        for sent in self._open.values():
            self._client.set_terminated(sent.id, "KILLED")
        for experiment in self._experiments.values():
            if experiment.parent is not None:
                self._client.set_terminated(experiment.parent)

    def _sent(self, run: TrackedRun, started: str | None = None) -> _Sent | None:
        """The run on the server, which continues one that was cut off; None if it is complete."""
        if run.label in self._open:
            return self._open[run.label]
        found, status = self._known(run).get(run.run_id, (None, ""))
        if status in ENDED:
            return None
        if found is None:
            sent = _Sent(self._create(run, started), params=params(run.settings))
        else:
            self._client.update_run(found, status="RUNNING")
            history = self._client.get_metric_history(found, _FOLLOWED)
            sent = _Sent(found, max((metric.step for metric in history), default=-1))
        self._open[run.label] = sent
        return sent

    def _create(self, run: TrackedRun, started: str | None) -> str:
        parent = self._parent(run.name)
        nested = {} if parent is None else {_PARENT: parent}
        found = self._client.create_run(
            self._experiment(run.name).id,
            None if started is None else round(1000 * datetime.fromisoformat(started).timestamp()),
            {**tags(run), **nested, _NOTE: run.description[:_LONGEST_TAG]},
            run.run_id,
        )
        return str(found.info.run_id)

    def _parent(self, name: str) -> str | None:
        """The run that those of a sweep are nested in, one in each experiment."""
        experiment = self._experiment(name)
        if self._group is not None and experiment.parent is None:
            where = f"tags.`{_GROUP}` = '{self._group}'"
            found = [*islice(self._search(experiment.id, where), 1)]
            if found:
                experiment.parent = found[0].info.run_id
                self._client.update_run(experiment.parent, status="RUNNING")
            else:
                known = {_GROUP: self._group, "nnrun.name": name}
                created = self._client.create_run(
                    experiment.id, tags=known, run_name=f"{self._group} of {name}"
                )
                experiment.parent = created.info.run_id
        return experiment.parent

    def _experiment(self, name: str) -> _Experiment:
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                found = self._client.get_experiment(self._client.create_experiment(name))
            takes_files = found.artifact_location.startswith(_THROUGH_SERVER)
            self._experiments[name] = _Experiment(found.experiment_id, takes_files)
        return self._experiments[name]

    def _known(self, run: TrackedRun) -> dict[str, tuple[str, str]]:
        """The runs of an experiment on the server; those of a sweep are asked for at once."""
        experiment = self._experiment(run.name)
        if experiment.known is None:
            one = "" if self._group else f"tags.`nnrun.run_id` = '{run.run_id}'"
            experiment.known = {
                known["nnrun.run_id"]: (found.info.run_id, known.get("nnrun.status", ""))
                for found in self._search(experiment.id, one)
                if "nnrun.run_id" in (known := found.data.tags)
            }
        return experiment.known

    def _search(self, experiment: str, where: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], where, max_results=_MOST_FOUND, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _new(self, sent: _Sent, rows: Sequence[HistoryRow]) -> list[Any]:
        """The numbers of the evaluations that are not there yet."""
        new = [row for row in rows if row["iteration"] > sent.last]
        if new:
            sent.last = int(new[-1]["iteration"])
        return [m for row in new for m in self._metrics(numbers(row), int(row["iteration"]))]

    def _metrics(self, values: Mapping[str, float], step: int) -> list[Any]:
        now = round(1000 * time())
        return [self._entities.Metric(key(n), value, now, step) for n, value in values.items()]

    def _log(
        self, sent: _Sent, metrics: Sequence[Any], tags: Mapping[str, str] | None = None
    ) -> None:
        """Send all, in as few requests as the server takes."""
        labels = [self._entities.RunTag(k, v[:_LONGEST_TAG]) for k, v in (tags or {}).items()]
        params = [self._entities.Param(*item) for item in sent.params.items()]
        sent.params = {}
        while metrics or params or labels:
            self._client.log_batch(sent.id, metrics[:_MOST_METRICS], params[:_MOST_PARAMS], labels)
            metrics, params, labels = metrics[_MOST_METRICS:], params[_MOST_PARAMS:], []

    def _files(self, name: str, run: str, files: Iterable[Path]) -> None:
        if self._experiment(name).takes_files:
            for file in files:
                if file.is_file():
                    self._client.log_artifact(run, str(file))


def params(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings with keys and values that servers take; two keys that become equal get a number."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        known, number, text = key(name), 2, as_text(value)
        while known in found:
            known, number = key(name, f" {number}"), number + 1
        found[known] = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
    return found


def key(name: str, ending: str = "") -> str:
    """A name without what servers refuse, and not longer than they take."""
    parts = (re.sub(r"[^\w.\- ]", "_", part).lstrip(".") or "_" for part in name.split("/"))
    return "/".join(parts)[: _LONGEST_KEY - len(ending)].rstrip("/") + ending


def _reach(uri: str) -> None:
    """Connect once: the client would try for minutes.

    Raises: OSError if there is no server.
    """
    requests = import_module("requests.utils")
    if requests.get_environ_proxies(uri):
        return  # it is behind a proxy
    parts = urlsplit(uri)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname or "", port), _REACH_SECONDS).close()


# Event files for TensorBoard: one in a folder `name/run_id` for each run.

ABOUT = "nnrun.json"
"""What each folder says of its run; one that ended is not written again."""
_ENDING = ".nnrun"


class TensorBoardFiles:
    """Writes into a folder, and nowhere else.

    Args:
        folder: for `tensorboard --logdir`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _EventFile | None] = {}

    def rows(self, run: TrackedRun, rows: Sequence[HistoryRow]) -> None:
        file = self._file(run)
        if file is not None:
            file.add(rows)

    def end(self, run: TrackedRun, ended: EndedRun) -> None:
        file = self._file(run)
        self._open.pop(run.label, None)
        if file is None:
            return
        record = ended.record
        file.add(ended.history)
        file.scalars(int(record.timing["iterations"]), final(record))
        file.end(completed=record.status == "completed")
        known = json.dumps(tags(run, record), indent=1)
        write_atomically(file.folder / ABOUT, known.encode())

    def fail(self, run: TrackedRun) -> None:
        file = self._open.pop(run.label, None)
        if file is not None:
            file.end(completed=False)

    def board(self, files: Sequence[Path]) -> None:
        """TensorBoard compares runs itself."""

    def close(self) -> None:
        for file in self._open.values():
            if file is not None:
                file.close()

    def _file(self, run: TrackedRun) -> _EventFile | None:
        """The event file of a run, begun anew; None if the run is there, to its end."""
        if run.label not in self._open:
            place = self._place(run)
            self._open[run.label] = None if _has_ended(place) else _EventFile(place, run)
        return self._open[run.label]

    def _place(self, run: TrackedRun) -> Path:
        place = self._folder / run.name / run.run_id
        if not place.resolve().is_relative_to(self._folder.resolve()):
            raise NnrunError(f"{place} is a link that leads elsewhere")
        place.mkdir(parents=True, exist_ok=True)
        return place


class _EventFile:
    """The event file of one run; it takes the place of one that was not written to its end."""

    def __init__(self, folder: Path, run: TrackedRun) -> None:
        self.folder = folder
        self._last = -1
        for old in folder.glob(f"events.out.tfevents.*{_ENDING}"):
            old.unlink()
        begun = seconds_now.time()
        self._file: BinaryIO = (folder / f"events.out.tfevents.{begun:.6f}{_ENDING}").open("xb")
        self._writer = _module("summary.writer.record_writer").RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        known = {k: v if isinstance(v, int | float) else as_text(v) for k, v in run.varied.items()}
        # Seeds of one setting are sessions of one group.
        setting = as_text({k: v for k, v in run.settings.items() if k not in KEYS})
        group = f"{run.name} {sha256(setting.encode()).hexdigest()[:8]}"
        summary = _module("plugins.hparams.summary_v2").hparams_pb(known, group, begun)
        self._write(summary=summary)

    def add(self, rows: Sequence[HistoryRow]) -> None:
        """Add the rows that are not there yet; they come in the order of their iterations."""
        for row in rows:
            if row["iteration"] > self._last:
                self._last = int(row["iteration"])
                self.scalars(self._last, numbers(row))
        self._file.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add single numbers."""
        if values:
            summary = _module("compat.proto.summary_pb2").Summary()
            for name, value in values.items():
                summary.value.add(tag=name, simple_value=value)
            self._write(step=step, summary=summary)

    def end(self, *, completed: bool) -> None:
        """Say how the run ended, and close the file."""
        data, api = _module("plugins.hparams.plugin_data_pb2"), _module("plugins.hparams.api_pb2")
        status = api.STATUS_SUCCESS if completed else api.STATUS_FAILURE
        content = data.HParamsPluginData(
            session_end_info=data.SessionEndInfo(status=status, end_time_secs=seconds_now.time())
        )
        about = _module("plugins.hparams.metadata")
        summary = _module("compat.proto.summary_pb2").Summary()
        summary.value.add(
            tag=about.SESSION_END_INFO_TAG,
            metadata=about.create_summary_metadata(content),
            tensor=about.NULL_TENSOR,
        )
        self._write(summary=summary)
        self.close()

    def close(self) -> None:
        self._file.close()

    def _write(self, **event: Any) -> None:
        found = _module("compat.proto.event_pb2").Event(wall_time=seconds_now.time(), **event)
        self._writer.write(found.SerializeToString())


def _module(name: str) -> Any:
    """A module of the package `tensorboard`, which works without TensorFlow."""
    return import_module(f"tensorboard.{name}")


def _has_ended(folder: Path) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        known = json.loads(read_regular(folder / ABOUT, 1 << 16))
        return known.get("nnrun.status") in ENDED
    return False
