"""What a run in progress says of itself, in a file of its folder.

The file is written at most once a second, and not forced to the disk. Its name is that of a file
that is being written: what removes those removes it too, if its process was killed.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from nnrun import NUMERICS_VERSION
from nnrun.config.names import SPLITS
from nnrun.errors import DamageError
from nnrun.runs.record import Replicate
from nnrun.runs.storage.sealed import parse_sealed, sealed_json
from nnrun.runs.storage.staged import temporary_name
from nnrun.systems import system
from nnrun.unfinished import undone_on_failure

if TYPE_CHECKING:
    from nnrun.training.trainer import Progress


PROGRESS = ".progress.json.partial"
_SECONDS = 1.0
_MOST_BYTES = 1 << 18
# A config that is longer, as JSON, is left out.
_LONGEST_CONFIG = 1 << 16
_MOST_POINTS = 200
_COLUMNS = {"iteration", *(f"{split}_loss" for split in SPLITS)}


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come.

    Args:
        iteration: the updates made.
        iterations: those of the whole run; fewer are made where it stops early.
        seconds: of training.
        rate: iterations per second; None where that is not known.
        left: seconds, likewise.
        history: some of the evaluations so far, the last one included: iteration and losses.
        seed: of the run.
        split_seed: that draws its split; None where `seed` does.
        fold: that it tests; None without folds.
        config: resolved, as plain values; None where it is long.
        sha256: the digest of its data.
        numerics: the version of nnrun's numerics.
        waits: whether it has not begun, since the workers of its sweep are busy.
    """

    iteration: int
    iterations: int
    seconds: float
    rate: float | None
    left: float | None
    history: Sequence[Mapping[str, float | None]]
    seed: int
    split_seed: int | None
    fold: int | None
    config: Mapping[str, Any] | None
    sha256: str
    numerics: int
    waits: bool = False

    @property
    def share(self) -> float | None:
        """Share of the iterations; None where a run has no iterations to count."""
        return self.iteration / self.iterations if self.iterations > 1 else None

    @property
    def losses(self) -> dict[str, float]:
        """Losses at the last evaluation, by split."""
        last = self.history[-1] if self.history else {}
        found = {split: last.get(f"{split}_loss") for split in SPLITS}
        return {split: loss for split, loss in found.items() if loss is not None}

    def columns(self) -> dict[str, list[float]]:
        """The evaluations as `read_history` returns those of a run that has ended."""
        names = dict.fromkeys(name for row in self.history for name in row)
        values = ((name, [row.get(name) for row in self.history]) for name in names)
        return {name: [float("nan") if v is None else v for v in found] for name, found in values}

    def numbers(self) -> dict[str, Any]:
        """The progress as JSON data, without what else is known of the run."""
        names = ("iteration", "iterations", "seconds", "rate", "left")
        return {
            **{name: getattr(self, name) for name in names},
            "losses": self.losses,
            "history": [dict(row) for row in self.history],
        }


About = Callable[[], tuple[Replicate, Mapping[str, Any], str]]


class ProgressNotes:
    """Writes the progress of a run, from its first second on.

    Args:
        write: takes the content of the file.
        about: returns the replicate of the run, its config and the digest of its data.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        about: About,
    ) -> None:
        self._write = write
        self._about = about
        self._known: dict[str, Any] = {}
        self._first: tuple[int, float] | None = None
        self._next = 0.0

    def wait(self) -> None:
        """Write that the run waits; how far it was before is not known any more."""
        self._first = None
        known = self._known or self._described()
        found = RunProgress(0, 1, 0.0, None, None, [], **known, waits=True)
        self._write(sealed_json(asdict(found)))

    def add(self, progress: Progress) -> None:
        """Write it, unless the file is less than a second old, or the run."""
        now = monotonic()
        if self._first is None:
            self._first = progress.iteration, now
            # A run that is known to be long says at once that it has begun.
            self._next = now if progress.train_seconds == 0 else now + _SECONDS
        if now < self._next:
            return
        self._next = now + _SECONDS
        done, seconds = progress.iteration - self._first[0], now - self._first[1]
        rate = done / seconds if done and seconds else None
        found = RunProgress(
            progress.iteration,
            progress.total,
            progress.train_seconds,
            rate,
            (progress.total - progress.iteration) / rate if rate else None,
            progress.brief().history,
            **(self._known or self._described()),
        )
        self._write(sealed_json(asdict(found)))

    def _described(self) -> dict[str, Any]:
        replicate, config, sha256 = self._about()
        fits = len(json.dumps(config)) <= _LONGEST_CONFIG
        self._known = {
            **replicate._asdict(),
            "config": config if fits else None,
            "sha256": sha256,
            "numerics": NUMERICS_VERSION,
        }
        return self._known


def read_progress(folder: Path) -> RunProgress | None:
    """What the run in a folder says of itself; None where that is missing or not valid.

    A link, a file of another user than the folder's, and a very large one are not read.
    """
    with suppress(OSError, DamageError, TypeError):
        found = RunProgress(**parse_sealed(read_own(folder, PROGRESS, _MOST_BYTES)))
        return found if _is_valid(found) else None
    return None


def read_own(folder: Path, name: str, most: int) -> bytes:
    """The content of a file of a folder, of `most` bytes at most.

    Raises: OSError if it is missing, large, a link, or belongs to another user than the folder.
    """
    with (
        closing(system.Folder(folder)) as opened,
        open(name, "rb", opener=lambda *_: opened.open(name)) as file,
    ):
        state = os.fstat(file.fileno())
        own = state.st_uid == opened.stat().st_uid
        if not own or not stat.S_ISREG(state.st_mode) or state.st_size > most:
            raise OSError(errno.EINVAL, "it is not what nnrun writes", str(folder / name))
        return file.read(most)


def write_unforced(folder: system.Folder, name: str, content: bytes) -> None:
    """Replace a file of a folder; it is not forced to the disk.

    Raises: OSError if the disk is full, or the folder not writable.
    """
    temporary = temporary_name(name)

    def remove() -> None:
        with suppress(OSError):
            folder.unlink(temporary)

    with undone_on_failure(remove):
        descriptor = folder.create(temporary)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
        folder.replace(temporary, name)


def _is_valid(found: RunProgress) -> bool:
    counts = (found.iteration, found.iterations)
    numbers = (found.seconds, *(n for n in (found.rate, found.left) if n is not None))
    whole = (found.seed, *(n for n in (found.split_seed, found.fold) if n is not None))
    return (
        all(type(count) is int for count in (*counts, *whole))
        and 0 <= found.iteration <= found.iterations > 0
        and all(_is_number(number) and number >= 0 for number in numbers)
        and isinstance(found.config, dict | None)
        and isinstance(found.sha256, str)
        and isinstance(found.waits, bool)
        and isinstance(found.numerics, int)
        and is_history(found.history)
    )


def is_history(rows: Any) -> bool:
    """Whether these are evaluations of a run in progress, as `Progress.brief` has them."""
    return (
        isinstance(rows, list)
        and len(rows) <= _MOST_POINTS
        and all(isinstance(row, dict) and row.keys() <= _COLUMNS for row in rows)
        and all(v is None or _is_number(v) for row in rows for v in row.values())
        and all(type(row.get("iteration")) is int for row in rows)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
