"""Whether a run's numbers can be had again: its files, then the run itself, number by number.

A run is trained again from its stored config and data, in memory, and compared with what is stored:
every cell of its history, every metric, every weight. On the same machine with the same versions
all of them have to be the same bits. Where the environment differs, sums may be rounded otherwise;
there the run is verified if all numbers are within `Tolerance`, and what is met is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnrun import __version__
from nnrun.config.load import load_config
from nnrun.config.settings import flatten
from nnrun.errors import NnrunError, UsageError
from nnrun.models.files import MODEL
from nnrun.models.tensors import unpack
from nnrun.models.weights import weights_sha256
from nnrun.nn.signature import Array
from nnrun.runs.environment import environment
from nnrun.runs.history import load_history
from nnrun.runs.integrity import changed_file
from nnrun.runs.lifecycle import train
from nnrun.runs.prepare import prepare
from nnrun.runs.reading import CONFIG, REPORT, StoredRun, read_run
from nnrun.runs.record import RunRecord, RunResult
from nnrun.training.trainer import HistoryRow

Finding = Literal["same_bits", "within_tolerance", "differs", "damaged", "not_verified"]

# Losses, errors and weights, relative to the larger of the two, by the precision of training.
_RELATIVE = {"float64": 1e-6, "float32": 1e-3}
# Shares of rows, such as accuracies, of which one may fall to the other side.
_SHARE = 0.01
_MEASURED = ("loss", "log_loss", "mse", "rmse", "mae", "r2", "learning_rate", "epoch", "iteration")


@dataclass(frozen=True)
class Difference:
    """One number, as it is stored and as it is again; None where there is none.

    Args:
        place: of the number: `train_loss at iteration 250`, `weights 0.weight[3, 2]`.
        stored: the number in the run's folder.
        again: the number that training has given now.
    """

    place: str
    stored: float | None
    again: float | None


@dataclass(frozen=True)
class Verdict:
    """What came of verifying a run.

    Args:
        name: of the experiment.
        run_id: of the run.
        folder: where it lies.
        finding: `same_bits` or `within_tolerance` where the run is verified; `differs`; `damaged`
            where its files are not those that were written; `not_verified` where that cannot be
            said, as when its data are missing.
        reason: what is wrong, in a sentence.
        differences: the first number that differs of each kind: history, metrics, weights.
        environment: what is not as it was: for each key, what was and what is.
    """

    name: str
    run_id: str
    folder: str
    finding: Finding
    reason: str | None = None
    differences: list[Difference] = field(default_factory=list)
    environment: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    exit_code: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the run is what it says it is."""
        return self.finding in ("same_bits", "within_tolerance")


def verify(folder: Path) -> Verdict:
    """Check the files of a run, train it again, and compare.

    Raises:
        UsageError: there is no complete run.
    """
    run = read_run(folder)
    if run is None:
        raise UsageError(f"{folder}: there is no run")
    verdict = Verdict(run.name, run.run_id, str(folder), "damaged")
    if run.is_damaged:
        return replace(verdict, reason=run.trouble, exit_code=3)
    if run.record is None:
        raise UsageError(f"{folder}: only complete runs are verified, and {run.trouble}")
    verdict = replace(verdict, name=run.record.name, run_id=run.record.run_id)
    if not run.complete:
        raise UsageError(f"{folder}: only complete runs are verified; this is {run.record.status}")
    try:
        fault = _fault(folder, run.record)
        if fault is not None:
            return replace(verdict, reason=fault, exit_code=3)
        return _compared(verdict, folder, run, run.record)
    except (NnrunError, OSError) as error:
        code = getattr(error, "exit_code", 1)
        return replace(verdict, finding="not_verified", reason=str(error), exit_code=code)


def _fault(folder: Path, record: RunRecord) -> str | None:
    """The first file that is not the one that was written."""
    fault = changed_file(folder, record)
    if fault is not None:
        return fault
    known = record.weights_sha256
    if known is not None and weights_sha256(unpack(folder / MODEL)[0]) != known:
        return f"the weights in {MODEL} are not those of the report"
    return None


def _compared(verdict: Verdict, folder: Path, run: StoredRun, record: RunRecord) -> Verdict:
    prepared = prepare(load_config(folder / CONFIG))
    if prepared.config.name != record.name:
        reason = f"{REPORT} is that of {record.name}/{record.run_id}"
        return replace(verdict, name=run.name, reason=reason, exit_code=3)
    if prepared.dataset.sha256 != record.dataset["sha256"]:
        found, known = prepared.dataset.sha256, record.dataset["sha256"]
        reason = "its data are not those that it was trained on"
        changed = {"dataset.sha256": (known, found)}
        return replace(verdict, finding="differs", reason=reason, environment=changed, exit_code=3)
    result = train(prepared, None).result
    assert result is not None, "nothing was there before"
    changed = _changes(record, result.record)
    pairs = list(_pairs(folder, record, result))
    differences = [first for kind in pairs if (first := _first(kind)) is not None]
    if not differences and record.status == result.record.status:
        return replace(verdict, finding="same_bits", environment=changed)
    relative = _RELATIVE[prepared.config.training.dtype]
    if changed and all(_is_close(pair, relative) for kind in pairs for pair in kind):
        return replace(
            verdict, finding="within_tolerance", differences=differences, environment=changed
        )
    reason = "the numbers are others"
    if record.status != result.record.status:
        reason = f"it was {record.status}, and now it is {result.record.status}"
    return replace(
        verdict, finding="differs", reason=reason, differences=differences,
        environment=changed, exit_code=3,
    )  # fmt: skip


def _changes(stored: RunRecord, again: RunRecord) -> dict[str, tuple[Any, Any]]:
    """What is not as it was, of all that bits may depend on."""
    before = flatten({"nnrun": stored.nnrun_version, "engine": stored.engine, **stored.environment})
    here = {**again.environment, **environment()}
    now = flatten({"nnrun": __version__, "engine": again.engine, **here})
    return {
        key: (before.get(key), now.get(key))
        for key in sorted((before.keys() | now.keys()) - {"threads"})
        if before.get(key) != now.get(key)
    }


def _pairs(folder: Path, record: RunRecord, result: RunResult) -> Iterator[list[Difference]]:
    """All numbers, as they are stored and as they are again: of history, metrics and weights."""
    stored, again = load_history(folder), result.history
    nothing: HistoryRow = {}
    yield [
        Difference(
            f"{name} at iteration {(old or new)['iteration']}",
            _float(old.get(name)),
            _float(new.get(name)),
        )
        for old, new in zip_longest(stored, again, fillvalue=nothing)
        for name in dict.fromkeys([*old, *new])
    ]
    before, now = flatten(record.metrics), flatten(result.record.metrics)
    yield [
        Difference(f"metrics.{key}[{index}]" if len(values) > 1 else f"metrics.{key}", *pair)
        for key in dict.fromkeys([*before, *now])
        for values in [list(_numbers(before.get(key), now.get(key)))]
        for index, pair in enumerate(values)
    ]
    weights = {} if record.weights_sha256 is None else unpack(folder / MODEL)[0]
    yield list(_weights(weights, result.weights or {}))


def _numbers(one: Any, other: Any) -> Iterator[tuple[float | None, float | None]]:
    """The numbers in two values, which may be lists of them, side by side."""
    lists = (value if isinstance(value, list) else [value] for value in (one, other))
    for left, right in zip_longest(*lists):
        yield _float(left), _float(right)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _weights(stored: dict[str, Array], again: dict[str, Array]) -> Iterator[Difference]:
    """The first weight of each array that is not the same; and of each array, the worst."""
    for name in dict.fromkeys([*again, *stored]):
        old, new = stored.get(name), again.get(name)
        if old is None or new is None or old.shape != new.shape or old.dtype != new.dtype:
            yield Difference(f"weights {name}", None, None if new is None else float(new.size))
            continue
        bits = f"u{old.dtype.itemsize}"
        unequal = np.argwhere(old.view(bits) != new.view(bits))
        if not len(unequal):
            continue
        gap = np.abs(old.astype(np.float64) - new.astype(np.float64))
        worst = np.unravel_index(int(gap.argmax()), gap.shape)
        for place in dict.fromkeys(tuple(map(int, found)) for found in (unequal[0], worst)):
            shown = ", ".join(map(str, place))
            yield Difference(f"weights {name}[{shown}]", float(old[place]), float(new[place]))


def _first(pairs: list[Difference]) -> Difference | None:
    # By their digits, since 0 and -0 are equal numbers and other bits.
    return next((pair for pair in pairs if repr(pair.stored) != repr(pair.again)), None)


def _is_close(pair: Difference, relative: float) -> bool:
    stored, again = pair.stored, pair.again
    if stored is None or again is None:
        return stored is again
    place = pair.place.partition(" at ")[0]
    measured = place.startswith("weights ") or place.endswith(_MEASURED)
    allowed = relative * max(abs(stored), abs(again), 1e-3) if measured else _SHARE
    if "confusion" in place:
        allowed = max(1.0, _SHARE * max(stored, again))
    return abs(stored - again) <= allowed
