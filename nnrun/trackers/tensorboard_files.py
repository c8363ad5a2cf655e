"""Event files for TensorBoard: one in a folder `name/run_id` for each run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nnrun.errors import NnrunError
from nnrun.runs.replicate import KEYS
from nnrun.runs.storage.durable.files import read_regular, write_atomically
from nnrun.trackers.content import ENDED, EndedRun, TrackedRun, as_text, final, numbers, tags

if TYPE_CHECKING:
    from nnrun.training.state import HistoryRow

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
        begun = time.time()
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
            session_end_info=data.SessionEndInfo(status=status, end_time_secs=time.time())
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
        found = _module("compat.proto.event_pb2").Event(wall_time=time.time(), **event)
        self._writer.write(found.SerializeToString())


def _module(name: str) -> Any:
    """A module of the package `tensorboard`, which works without TensorFlow."""
    return import_module(f"tensorboard.{name}")


def _has_ended(folder: Path) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        known = json.loads(read_regular(folder / ABOUT, 1 << 16))
        return known.get("nnrun.status") in ENDED
    return False
