"""The stored values of a run compared with those of training it again.

In the same environment all values must be equal to the last bit. In another one, sums may be
rounded differently, and so may the numbers in sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from typing import Any

import numpy as np

from nnrun.metrics.table import METRICS
from nnrun.nn.signature import Array
from nnrun.runs.record import RunResult
from nnrun.runs.storage.contents import described_model, files_of
from nnrun.runs.storage.reading import REPORT
from nnrun.runs.storage.sealed import strict_json
from nnrun.training.state import HistoryRow, TrainingState
from nnrun.training.watched import Watched

# Losses, errors and weights, relative to the larger of the two, by the precision of training.
_RELATIVE = {"float64": 1e-6, "float32": 1e-3}
# Shares of rows, such as accuracies.
_SHARE = 0.01
_MEASURED = (
    *("loss", "learning_rate", "epoch", "iteration", "r2"),
    *(name for name, metric in METRICS.items() if metric.high == inf),
)
_SCORES = ("metrics", "baseline", "naive")
_INDEX = re.compile(r"(\.[0-9]+)+$")
# Values that training does not produce again, or that are compared separately.
_SKIPPED = {
    *("schema_version", "nnrun_version", "environment", "started", "files", "extended_from"),
    *("search", "commit"),
    *("name", "config", "weights_sha256", *_SCORES),
    *(f"timing.{key}" for key in ("train_seconds", "evaluation_seconds", "iterations_per_second")),
}
# Numbers of a watched run. Other rounding moves numbers between bins, and units across a limit.
_SEEN = ("histogram", "range", "units", "gradients", "updates", "output_gradients")
_FITTED = "model preprocessing."
_COMPUTED = ("weights ", _FITTED, "model state.rate", "state ", "watched ")
# Values that depend on numbers with a tolerance, or whose wording may change.
_DERIVED = {
    *("error", "warnings", "divergence", "best_iteration", "stopped_early", "published"),
    *("decision", "members", "model state.members", "coverage", "calibration"),
    *(
        "model errors",
        "model calibration",
        "model decision",
        "model state.stopping",
        "model state.schedule",
    ),
    *("state stopping", "state schedule", "state good.stopping", "state good.schedule"),
    *("dataset.description", "dataset.note", "dataset.task_from"),
    *("dataset.left_out", "dataset.dropped"),
}


@dataclass(frozen=True)
class Difference:
    """One value, as stored and as computed again; None where it is missing.

    Places are `train_loss at iteration 250`, `weights 0.weight[3, 2]`, `seed`, and in the
    description of the model `model preprocessing.target.shift.0`.
    """

    place: str
    stored: Any
    again: Any


@dataclass(frozen=True)
class Part:
    """The values of one part of a run, and what is wrong if one of them differs."""

    fault: str
    values: list[Difference]


_NUMBERS = "the numbers differ"
_UNLIKE = "its {} has values that training does not reproduce"


def parts(
    stored: RunResult,
    report: Mapping[str, Any],
    again: RunResult,
    config: Mapping[str, Any],
    changed: Container[str],
) -> Iterator[Part]:
    """All values, stored and computed again: history, metrics, weights, what was recorded on the
    way if the run was watched, the description of the model, the state that a longer run starts
    from, the rest of the report.

    `report` is what report.json says; `config` is the content of `config.yaml`; `changed` has the
    parts of the environment that differ.
    """
    record = json.loads(strict_json(again.record.to_dict()))
    scores = [
        pair
        for key in _SCORES
        for pair in _each(f"{key}.", report.get(key, {}), record.get(key, {}))
    ]
    yield Part(_NUMBERS, list(_history(stored.history, again.history)))
    yield Part(_NUMBERS, scores)
    yield Part(_NUMBERS, list(_arrays("weights", stored.weights or {}, again.weights or {})))
    yield Part(_NUMBERS, list(_watched(stored, again)))
    yield Part(_UNLIKE.format("model"), list(_model(stored, again, changed)))
    yield Part(_UNLIKE.format("last state"), list(_states(stored, again)))
    rest = [*_each("config.", report["config"], config), *_report(report, record, changed)]
    yield Part(_UNLIKE.format("report"), [*rest, *_files(stored, again)])


def _watched(stored: RunResult, again: RunResult) -> Iterator[Difference]:
    old, new = (Watched({}, {}) if one.watched is None else one.watched for one in (stored, again))
    yield from _arrays("watched", old.arrays, new.arrays)
    yield from _each("watched ", old.values, _json(new.values))


def _model(stored: RunResult, again: RunResult, changed: Container[str]) -> Iterator[Difference]:
    """All that is stored with the weights."""
    for pair in _each("model ", described_model(stored), _json(described_model(again))):
        # Other numerics give another run id.
        if not (pair.place == "model run_id" and "numerics" in changed):
            yield pair


def _states(stored: RunResult, again: RunResult) -> Iterator[Difference]:
    """What a longer run needs besides the model; of a stopped run, the state to continue from."""
    none = TrainingState({}, {})
    yield from _arrays("state", (stored.ending or none).arrays, (again.ending or none).arrays)
    old, new = stored.checkpoint or none, again.checkpoint or none
    if stored.checkpoint is not None:
        # The report says where updates were made, which training again cannot.
        new = TrainingState(new.arrays, {**new.values, "environments": stored.record.environments})
    yield from _arrays("state", old.arrays, new.arrays)
    yield from _history(old.values.get("history", []), new.values.get("history", []))
    for pair in _each("state ", old.values, _json(new.values)):
        if not pair.place.startswith("state history") and not pair.place.endswith("_seconds"):
            yield pair


def _files(stored: RunResult, again: RunResult) -> Iterator[Difference]:
    """Whether there are the files that training writes."""
    names = {*files_of(again, lambda _: "")[1]} - {REPORT}
    for name in sorted(names | stored.record.files.keys()):
        yield Difference(f"whether {name} is there", name in stored.record.files, name in names)


def first(found: list[Difference]) -> Difference | None:
    """The first value that differs."""
    # As text, since 0 and -0 are equal numbers with different bits.
    return next((pair for pair in found if repr(pair.stored) != repr(pair.again)), None)


def is_tolerable(pair: Difference, dtype: str) -> bool:
    """Whether two values of a run of this dtype are close enough in another environment."""
    stored, again = pair.stored, pair.again
    place, _, row = pair.place.partition(" at iteration ")
    if _within(place, _DERIVED):
        return True
    computed = row or place.startswith((*_COMPUTED, *_SCORES))
    if not computed or {type(stored), type(again)} - {int, float}:
        return bool(stored == again)
    if place.startswith("watched ") and any(name in _SEEN for name in _names(place)):
        return True
    measured = place.startswith(_COMPUTED) or _INDEX.sub("", place).endswith(_MEASURED)
    allowed = _SHARE
    if measured:
        fitted = place.startswith(_FITTED)  # in float64 by every run
        allowed = _RELATIVE["float64" if fitted else dtype] * max(abs(stored), abs(again), 1e-3)
    elif "confusion" in place:
        allowed = max(1.0, _SHARE * max(stored, again))
    return bool(abs(stored - again) <= allowed)


def _names(place: str) -> list[str]:
    """The parts of the name of an array."""
    return place.partition(" ")[2].partition("[")[0].split(".")


def _within(place: str, wholes: Container[str]) -> bool:
    parts = place.split(".")
    return any(".".join(parts[:end]) in wholes for end in range(1, len(parts) + 1))


def _history(stored: list[HistoryRow], again: list[HistoryRow]) -> Iterator[Difference]:
    nothing: HistoryRow = {}
    for old, new in zip_longest(stored, again, fillvalue=nothing):
        for name in dict.fromkeys([*old, *new]):
            place = f"{name} at iteration {(new or old).get('iteration')}"
            yield Difference(place, _float(old.get(name)), _float(new.get(name)))


def _report(
    stored: Mapping[str, Any], again: Mapping[str, Any], changed: Container[str]
) -> Iterator[Difference]:
    """The other values of a report that training produces again."""
    skipped = {*_SKIPPED}
    if "nnrun" in changed:  # another version may choose another engine
        skipped.add("engine")
    if "numerics" in changed:
        skipped.add("run_id")
    rest = ({key: side[key] for key in side if key not in skipped} for side in (stored, again))
    yield from _each("", *rest)


def _each(prefix: str, stored: Any, again: Any) -> Iterator[Difference]:
    """Each value in two trees of values, as JSON has them; their places begin with `prefix`."""
    before, now = dict(_leaves(stored)), dict(_leaves(again))
    for path in dict.fromkeys([*before, *now]):
        place = prefix + ".".join(map(str, path)) if path else prefix[:-1]
        pair = (before.get(path), now.get(path))
        if (path in before) != (path in now) and pair == (None, None):
            pair = ("null" if path in before else None, "null" if path in now else None)
        if place not in _SKIPPED:
            yield Difference(place, *pair)


def _json(values: Any) -> Any:
    """Values as they are after they were written and read."""
    return json.loads(json.dumps(values))


def _leaves(value: Any, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The values in a tree by their places; empty mappings and lists are values."""
    if not value or not isinstance(value, dict | list):
        yield path, value
        return
    inside: Iterable[tuple[str | int, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value)
    )
    for key, part in inside:
        yield from _leaves(part, *path, key)


def _float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _arrays(
    kind: str, stored: Mapping[str, Array], again: Mapping[str, Array]
) -> Iterator[Difference]:
    """The first number of each array that differs, and the one that differs most."""
    for name in dict.fromkeys([*again, *stored]):
        old, new = stored.get(name), again.get(name)
        if old is None or new is None or old.shape != new.shape or old.dtype != new.dtype:
            yield Difference(f"{kind} {name}", _form(old), _form(new))
            continue
        bits = f"u{old.dtype.itemsize}"
        unequal = np.argwhere(old.view(bits) != new.view(bits))
        if not len(unequal):
            continue
        gap = np.abs(old.astype(np.float64) - new.astype(np.float64))
        worst = np.unravel_index(int(gap.argmax()), gap.shape)
        for place in dict.fromkeys(tuple(map(int, found)) for found in (unequal[0], worst)):
            shown = ", ".join(map(str, place))
            yield Difference(f"{kind} {name}[{shown}]", float(old[place]), float(new[place]))


def _form(array: Array | None) -> str | None:
    return None if array is None else f"{array.dtype} of shape {array.shape}"
